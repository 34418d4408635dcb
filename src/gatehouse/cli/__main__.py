"""The `gatehouse` command: installed, `./gatehouse` in a checkout, or python -m gatehouse.cli."""

import sys
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from gatehouse import __version__
from gatehouse.cli.adapter.compare_command import compare
from gatehouse.cli.adapter.export_command import export as export_training_data
from gatehouse.cli.adapter.list_command import list_adapters
from gatehouse.cli.adapter.train_command import train
from gatehouse.cli.batch.list_command import list_batches
from gatehouse.cli.batch.resubmit_command import resubmit
from gatehouse.cli.batch.retry_command import retry
from gatehouse.cli.batch.show_command import show as show_batch
from gatehouse.cli.bucket.reconcile_command import reconcile
from gatehouse.cli.bucket.upload_again_command import upload_again
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.completion_command import COMPLETE_VARIABLE, answer_shells, completion
from gatehouse.cli.doctor.doctor_command import doctor
from gatehouse.cli.errors import INTERRUPTED, user_message
from gatehouse.cli.examples import epilog
from gatehouse.cli.export.export_command import export
from gatehouse.cli.gate.check_command import check as check_gate
from gatehouse.cli.gate.fill_command import fill
from gatehouse.cli.gate.policy_command import policy as gate_policy
from gatehouse.cli.jobs.list_command import list_jobs
from gatehouse.cli.jobs.show_command import show as show_job
from gatehouse.cli.logs.logs_command import logs
from gatehouse.cli.moderate.control_commands import cancel, pause
from gatehouse.cli.moderate.control_commands import status as moderation_status
from gatehouse.cli.moderate.resume_command import resume
from gatehouse.cli.moderate.start_command import start
from gatehouse.cli.output import say
from gatehouse.cli.policy.apply_command import apply
from gatehouse.cli.policy.diff_command import diff
from gatehouse.cli.policy.explain_command import explain
from gatehouse.cli.policy.judge_command import judge
from gatehouse.cli.policy.status_command import status as policy_status
from gatehouse.cli.policy.validate_command import validate
from gatehouse.cli.queue.drop_command import drop
from gatehouse.cli.queue.list_command import list_queues
from gatehouse.cli.queue.redrive_command import redrive
from gatehouse.cli.queue.show_command import show as show_queue
from gatehouse.cli.review.appeal_command import appeal
from gatehouse.cli.review.approve_command import approve
from gatehouse.cli.review.block_command import block
from gatehouse.cli.review.confirm_command import confirm
from gatehouse.cli.review.history_command import history
from gatehouse.cli.review.list_command import list_uploads
from gatehouse.cli.review.open_command import open_page
from gatehouse.cli.review.report_command import report
from gatehouse.cli.review.show_command import show as show_upload
from gatehouse.cli.review.stats_command import stats
from gatehouse.cli.status.status_command import status
from gatehouse.cli.upload.upload_command import UploadCommand, upload
from gatehouse.cli.verdict.list_command import list_verdicts
from gatehouse.cli.verdict.verdict_command import verdict
from gatehouse.console import console_for

_ON_INTERRUPTION = "Interrupted. What was done before that stands; the same command may be run again."

#: The commands as the help of `gatehouse` lists them, by what they are for.
SECTIONS: Final = {
    "Uploads and their verdicts": ("verdict", "list", "upload", "export"),
    "Decisions and policies": ("review", "policy", "adapter"),
    "The deployment": ("status", "doctor", "logs"),
    "What was there before": ("moderate",),
    "Only what is approved is served": ("gate",),
    "When something is stuck": ("queue", "batch", "jobs", "retry", "reconcile", "upload-again"),
    "This command": ("completion",),
}


class _CommandGroup(TyperGroup):
    """Commands whose expected errors end in one line on stderr and exit status 1; wrong usage has 2, as everywhere."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except KeyboardInterrupt as interruption:
            say(console_for(sys.stderr), _ON_INTERRUPTION)
            raise typer.Exit(INTERRUPTED) from interruption
        except Exception as error:
            sentence = user_message(error)
            if sentence is None:
                raise
            say(console_for(sys.stderr), sentence, style="red")
            raise typer.Exit(1) from error

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - Typer's signature
        """Write the commands of each section."""
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(70)) for name in names])


_HELP = f"""\
\b
Begin with `{COMMAND} doctor`, deploy with `make deploy`,
then `{COMMAND} upload FILE`. Each command's -h ends with examples.

Gatehouse: a verdict for every image uploaded to an S3 bucket.
"""

app = typer.Typer(
    name="gatehouse",
    cls=_CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,  # there is a command for it
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _command(
    group: typer.Typer, path: str, short_help: str, run: Callable[..., None], cls: type[TyperCommand] = TyperCommand
) -> None:
    """Add a command to its group; `path` is what is typed behind `gatehouse`."""
    group.command(path.rpartition(" ")[2], cls=cls, short_help=short_help, epilog=epilog(path))(run)


def _group(name: str, short_help: str, text: str) -> typer.Typer:
    """A group of commands, below the app."""
    group = typer.Typer(name=name, help=text, epilog=epilog(name), no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, short_help=short_help)
    return group


_command(app, "verdict", "Tell whether an upload is through, and why not.", verdict)
_command(app, "list", "List uploads by what became of them.", list_verdicts)
_command(app, "upload", "Upload files, and wait for their verdicts.", upload, UploadCommand)
_command(app, "export", "Write verdicts and decisions as JSON Lines or CSV.", export)

review = _group(
    "review",
    "Decide what waits for a person.",
    "See what waits for a person, and decide: approve, block, or send back what is appealed or reported.",
)
_command(review, "review open", "Decide in the browser, by keyboard.", open_page)
_command(review, "review list", "List what waits for a person.", list_uploads)
_command(review, "review show", "Show an upload and its verdict.", show_upload)
_command(review, "review approve", "Approve uploads.", approve)
_command(review, "review block", "Block uploads.", block)
_command(review, "review confirm", "Confirm samples of what was approved.", confirm)
_command(review, "review appeal", "Send a BLOCKED upload back to REVIEW.", appeal)
_command(review, "review report", "Send an APPROVED upload back to REVIEW.", report)
_command(review, "review history", "Show what people did about an upload.", history)
_command(review, "review stats", "Show how people's decisions agree with policies.", stats)

policy = _group(
    "policy",
    "Write, try, apply and explain policies.",
    "Write policies, see what a change would do to what is judged already, apply it, and explain verdicts.",
)
_command(policy, "policy validate", "Check policy files.", validate)
_command(policy, "policy status", "Show what is active, and what differs.", policy_status)
_command(policy, "policy diff", "Count what another policy would change.", diff)
_command(policy, "policy apply", "Make a policy active, and judge again.", apply)
_command(policy, "policy explain", "Explain an upload's verdict.", explain)
_command(policy, "policy judge", "Judge an answer of Rekognition's.", judge)

adapter = _group(
    "adapter",
    "Train adapters from people's decisions.",
    "Export what people decided, train a Custom Moderation adapter with it, and see whether it is better.",
)
_command(adapter, "adapter export", "Export training data from decisions.", export_training_data)
_command(adapter, "adapter train", "Train an adapter.", train)
_command(adapter, "adapter list", "List adapters, and those that expire.", list_adapters)
_command(adapter, "adapter compare", "Compare an adapter with the base model.", compare)

_command(app, "status", "Show how the deployment does.", status)
_command(app, "doctor", "Check what a deployment needs, and tell how to mend it.", doctor)
_command(app, "logs", "Print what its functions logged.", logs)

queue = _group(
    "queue",
    "Look into the dead-letter queues, and empty them.",
    "See what the dead-letter queues hold, since when and why, and put it back.",
)
_command(queue, "queue list", "Count every queue's messages.", list_queues)
_command(queue, "queue show", "Show dead letters, and why they are there.", show_queue)
_command(queue, "queue redrive", "Put dead letters back.", redrive)
_command(queue, "queue drop", "Delete dead letters that are no use.", drop)

batch = _group(
    "batch",
    "Look into batches, and resubmit failed ones.",
    "Find batches that failed, see what became of them, and resubmit them.",
)
_command(batch, "batch list", "List batches with something wrong.", list_batches)
_command(batch, "batch show", "Show where a batch stands, and what to do.", show_batch)
_command(batch, "batch resubmit", "Resubmit a failed batch whole.", resubmit)

jobs = _group(
    "jobs",
    "Look at media analysis jobs (Bulk Analysis).",
    "See the media analysis jobs of batches: their status, counts, errors and results.",
)
_command(jobs, "jobs list", "List media analysis jobs.", list_jobs)
_command(jobs, "jobs show", "Show a job's errors and results.", show_job)

gate = _group(
    "gate",
    "Keep what is not approved from being read.",
    "Close the bucket to everything that is not approved, step by step, and see that it is.",
)
_command(gate, "gate policy", "Print the bucket's policy with the gate.", gate_policy)
_command(gate, "gate fill", "Tag what was approved before.", fill)
_command(gate, "gate check", "Check that it is closed, and open where it should be.", check_gate)

moderate = _group(
    "moderate",
    "Moderate objects that were in the bucket before.",
    "Moderate objects that were in the bucket before Gatehouse watched it, or whose events never came.",
)
_command(moderate, "moderate start", "Count objects, ask, and moderate them.", start)
_command(moderate, "moderate status", "Show how far it is.", moderation_status)
_command(moderate, "moderate pause", "Stop sending objects.", pause)
_command(moderate, "moderate resume", "Go on after a pause or an interruption.", resume)
_command(moderate, "moderate cancel", "End it.", cancel)

_command(app, "retry", "Have FAILED uploads analyzed again.", retry)
_command(app, "reconcile", "Find objects of the bucket without a verdict.", reconcile)
_command(app, "upload-again", "Copy objects onto themselves, to be moderated.", upload_again)
_command(app, "completion", "Print the script that completes commands.", completion)


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"gatehouse {__version__}")
        raise typer.Exit()


@app.callback(help=_HELP)
def gatehouse(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_tell_version)
    ] = False,
) -> None:
    """See `_HELP`."""


def main() -> None:
    """Run the command."""
    answer_shells()
    app(prog_name=COMMAND, complete_var=COMPLETE_VARIABLE)


if __name__ == "__main__":
    main()
