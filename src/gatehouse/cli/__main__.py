"""The `gatehouse` command: installed, `./gatehouse` in a checkout, or python -m gatehouse.cli."""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gatehouse import __version__
from gatehouse.cli.batch.list_command import list_batches
from gatehouse.cli.batch.resubmit_command import resubmit
from gatehouse.cli.batch.retry_command import retry
from gatehouse.cli.batch.show_command import show as show_batch
from gatehouse.cli.bucket.reconcile_command import reconcile
from gatehouse.cli.bucket.upload_again_command import upload_again
from gatehouse.cli.completion_command import answer_shells, completion
from gatehouse.cli.errors import user_message
from gatehouse.cli.output import say
from gatehouse.cli.policy.apply_command import apply
from gatehouse.cli.policy.diff_command import diff
from gatehouse.cli.policy.explain_command import explain
from gatehouse.cli.policy.judge_command import judge
from gatehouse.cli.policy.status_command import status
from gatehouse.cli.policy.validate_command import validate
from gatehouse.cli.queue.drop_command import drop
from gatehouse.cli.queue.list_command import list_queues
from gatehouse.cli.queue.redrive_command import redrive
from gatehouse.cli.queue.show_command import show as show_queue
from gatehouse.console import console_for


class _CommandGroup(TyperGroup):
    """Commands whose expected errors end in one line on stderr and exit status 1; wrong usage has 2, as everywhere."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except Exception as error:
            sentence = user_message(error)
            if sentence is None:
                raise
            say(console_for(sys.stderr), sentence, style="red")
            raise typer.Exit(1) from error


app = typer.Typer(
    name="gatehouse",
    cls=_CommandGroup,
    help="Gatehouse: a verdict forevery image uploaded to an S3 bucket.",
    add_completion=False,  # there is a command for it
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
policy = typer.Typer(
    name="policy",
    help="Write policies, see what a change would do to what is judged already, apply it, and explain verdicts.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
policy.command(short_help="Check policy files.")(validate)
policy.command(short_help="Show what is active, and what differs.")(status)
policy.command(short_help="Count what another policy would change.")(diff)
policy.command(short_help="Make a policy active, and judge again.")(apply)
policy.command(short_help="Explain an upload's verdict.")(explain)
policy.command(short_help="Judge an answer of Rekognition's.")(judge)
app.add_typer(policy, short_help="Write, try, apply and explain policies.")

queue = typer.Typer(
    name="queue",
    help="See what the dead-letter queues hold, since when and why, and put it back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
queue.command("list", short_help="Count every queue's messages.")(list_queues)
queue.command("show", short_help="Show dead letters, and why they are there.")(show_queue)
queue.command("redrive", short_help="Put dead letters back.")(redrive)
queue.command("drop", short_help="Delete dead letters that are no use.")(drop)
app.add_typer(queue, short_help="Look into the dead-letter queues, and empty them.")

batch = typer.Typer(
    name="batch",
    help="Find batches that failed, see what became of them, and resubmit them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
batch.command("list", short_help="List batches with something wrong.")(list_batches)
batch.command("show", short_help="Show where a batch stands, and what to do.")(show_batch)
batch.command("resubmit", short_help="Resubmit a failed batch whole.")(resubmit)
app.add_typer(batch, short_help="Look into batches, and resubmit failed ones.")

app.command(short_help="Have FAILED uploads analyzed again.")(retry)
app.command(short_help="Find objects of the bucket without a verdict.")(reconcile)
app.command("upload-again", short_help="Copy objects onto themselves, to be moderated.")(upload_again)
app.command(short_help="Print the script that completes commands.")(completion)


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"gatehouse {__version__}")
        raise typer.Exit()


@app.callback()
def gatehouse(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_tell_version)
    ] = False,
) -> None:
    """Gatehouse: a verdict forevery image uploaded to an S3 bucket."""


def main() -> None:
    """Run the command."""
    answer_shells()
    app(prog_name="gatehouse")


if __name__ == "__main__":
    main()
