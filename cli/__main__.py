"""The `gatehouse` command: `./gatehouse policy ...`, or python -m cli policy ..."""

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from cli.commands.apply import apply
from cli.commands.batch_list import list_batches
from cli.commands.batch_resubmit import resubmit
from cli.commands.batch_show import show as show_batch
from cli.commands.diff import diff
from cli.commands.explain import explain
from cli.commands.judge import judge
from cli.commands.queue_drop import drop
from cli.commands.queue_list import list_queues
from cli.commands.queue_redrive import redrive
from cli.commands.queue_show import show as show_queue
from cli.commands.reconcile import reconcile
from cli.commands.retry import retry
from cli.commands.status import status
from cli.commands.upload_again import upload_again
from cli.commands.validate import validate
from cli.errors import told
from cli.output import say
from local.report import console_for


class _TellingGroup(TyperGroup):
    """Commands whose expected errors end in one line on stderr and exit status 1; wrong usage has 2, as everywhere."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except Exception as error:
            sentence = told(error)
            if sentence is None:
                raise
            say(console_for(sys.stderr), sentence, style="red")
            raise typer.Exit(1) from error


app = typer.Typer(
    name="gatehouse",
    cls=_TellingGroup,
    help="Gatehouse: a verdict for every image uploaded to an S3 bucket.",
    add_completion=False,
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

app.command(short_help="Have FAILED uploads analysed again.")(retry)
app.command(short_help="Find objects of the bucket without a verdict.")(reconcile)
app.command("upload-again", short_help="Copy objects onto themselves, to be moderated.")(upload_again)


@app.callback()
def gatehouse() -> None:
    """Gatehouse: a verdict for every image uploaded to an S3 bucket."""


if __name__ == "__main__":
    app(prog_name="gatehouse")
