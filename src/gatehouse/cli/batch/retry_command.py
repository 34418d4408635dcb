"""`retry`: analyzes FAILED uploads again, from any batches."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from gatehouse.cli.aws.ingest_queues import ingest_queues
from gatehouse.cli.batch.failed_uploads import FailedSelection, FailedUpload, FailedUploads, code_words
from gatehouse.cli.batch.retry_plan import RetryPlan, counted
from gatehouse.cli.clock import Clock
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.cli.invocation import DryRun, Invocation, Yes, about_deployment
from gatehouse.cli.key_prefix import KeyPrefix
from gatehouse.cli.lifetime import since_creation
from gatehouse.cli.output import Output
from gatehouse.cli.progress import progress
from gatehouse.cli.since import parse_since
from gatehouse.console import printable
from gatehouse.moderation.status import Status

CLOCK = Clock()

_SHOWN = 20


class Retryable(StrEnum):
    """Statuses that a retry may change. All others depend on the image, or on a person's decision."""

    FAILED = Status.FAILED.value


@about_deployment
def retry(
    invocation: Invocation,
    status: Annotated[
        Retryable, typer.Option(case_sensitive=False, help="What to retry: uploads whose analysis failed.")
    ] = Retryable.FAILED,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Only uploads that failed since: 12h, 30d, or an ISO date (UTC).")
    ] = "7d",
    lane: Annotated[str | None, typer.Option(metavar="NAME", help="Only uploads in this lane.")] = None,
    prefix: KeyPrefix = "",
    code: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="Only uploads that failed with this code; may be given more than once."),
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Put FAILED uploads from any batches back into their lanes' queues, after the cause is gone.

    New batches analyze them again, at a cost. Uploads that a person decided are left alone. So are those that a retry
    can't help (Superseded, Unconfirmable), unless --code names the code. You can run the command again at any time: an
    upload that is already queued is recognized. Exits with 1 if SQS refused some, or some no longer match any lane.
    """
    out, connection = invocation.out, invocation.connection
    now = CLOCK.now()
    out.ensure_answerable(yes=yes or dry_run)
    selection = FailedSelection(since_creation(invocation, parse_since(since, now), now), lane, prefix)
    found = invocation.deployment
    if not dry_run:
        found.at_rest()
    lanes = DeployedLanes.find(connection, found)
    with progress(out.progress, first="Reading the index") as tell:
        uploads = FailedUploads.of(connection, found, CLOCK).find(selection, now.date(), tell)
    plan = RetryPlan.of(uploads, code or (), lanes)
    if plan.going.count and not dry_run:
        out.tell(_intention(plan))
        if not yes:
            out.confirm()
        found.ensure_unchanged(connection)
    try:
        if not dry_run:
            with progress(out.progress) as tell:
                plan.going.send(ingest_queues(connection.client("sqs"), found), tell)
    finally:  # report what was done, whatever ended it
        document = {"status": status.value, "since": selection.since, "dry_run": dry_run, "found": len(uploads)}
        out.document(document | plan.to_document(dry_run=dry_run))
        _show(out, plan, dry_run=dry_run)
    if not uploads:
        out.say(f"No upload{_where(selection)} is {status} since {selection.since}.", style="green")
    if lane is not None and lane not in found.lanes:  # uploads of a deleted lane are found anyway
        out.tell(f"There is no lane {lane} now; the lanes are {', '.join(sorted(found.lanes))}.")
    raise typer.Exit(1 if plan.going.refused or plan.going.unowned else 0)


def _intention(plan: RetryPlan) -> str:
    lanes = ", ".join(f"{lane} ({len(uploads):,})" for lane, uploads in sorted(plan.going.by_lane.items()))
    return f"{plan.going.count:,} FAILED uploads, into the queues of: {lanes}. They are analyzed again, at a cost."


def _where(selection: FailedSelection) -> str:
    lane = f" of lane {selection.lane}" if selection.lane else ""
    return f"{lane} under {selection.prefix}" if selection.prefix else lane


def _show(out: Output, plan: RetryPlan, *, dry_run: bool) -> None:
    back = counted(plan.going.by_lane if dry_run else plan.going.sent)
    if back:
        table = out.table(f"{'Would be put' if dry_run else 'Put'} into their lanes' queues", "Code", "Lane", "Uploads")
        for (code, lane), count in sorted(back.items()):
            table.add_row(printable(code), printable(lane), f"{count:,}")
        out.show(table)
    if plan.going.refused:
        out.tell(f"SQS refused {plan.going.refused:,} of them; run the same command again later.")
    if plan.unrepeatable:
        out.say(
            f"Not worth a retry, because their bytes are gone or can't be confirmed: {code_words(plan.unrepeatable)}. "
            "Upload them again, or name the code with --code."
        )
    if plan.other_codes:
        out.say(f"Left alone, because --code does not name them: {code_words(plan.other_codes)}.")
    if plan.by_people:
        out.say(f"Left alone, because a person decided: {len(plan.by_people):,}.")
        _name(out, plan.by_people)
    if plan.going.unowned:
        out.say(
            f"No longer in any lane: {len(plan.going.unowned):,}. Widen a lane in gatehouse.yaml to their keys and "
            "sizes and deploy, then run the same command again.",
            style="yellow",
        )
        _name(out, plan.going.unowned)


def _name(out: Output, uploads: Sequence[FailedUpload]) -> None:
    for failed in uploads[:_SHOWN]:
        by = f", by {failed.decided_by}" if failed.decided_by else f": {failed.code}"
        out.say(f"  {failed.upload.object}, of {failed.upload.uploaded_at}{by}")
    if len(uploads) > _SHOWN:
        out.say(f"  ... and {len(uploads) - _SHOWN:,} more (all: --output json)")
