"""`batch resubmit`: puts a failed batch's uploads into their lanes' queues again."""

from collections.abc import Mapping

import typer

from gatehouse.cli.aws.ingest_queues import ingest_queues
from gatehouse.cli.batch.batch_state import BatchState
from gatehouse.cli.batch.batch_uploads import OpenUpload
from gatehouse.cli.batch.resubmission import Resubmission
from gatehouse.cli.batch.show_command import BatchId
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import DryRun, Invocation, Yes, about_deployment
from gatehouse.moderation.status import Status


@about_deployment
def resubmit(
    invocation: Invocation,
    batch_id: BatchId,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Resubmit a batch after the cause of its failure is gone: all its uploads that are PENDING or FAILED under it.

    New batches take them over immediately and analyze them again; uploads that were already analyzed are paid for
    twice. To resume an execution where it stopped, leave it to the sweeper. Other verdicts are not changed. You can run
    the command again at any time. Exits with 1 if some of the uploads no longer match any lane.
    """
    invocation.out.ensure_answerable(yes=yes or dry_run)
    out, connection, found = invocation.out, invocation.connection, invocation.deployment
    if not dry_run:
        found.at_rest()
    state = BatchState.find(connection, found, batch_id)
    if state.is_running or state.uploads is None:
        raise CommandError(" ".join(state.advice()))
    going = Resubmission[OpenUpload](DeployedLanes.find(connection, found))
    for entry in state.uploads.open:
        going.add(entry)
    statuses = {
        status.value: count for status in (Status.PENDING, Status.FAILED) if (count := state.uploads.statuses[status])
    }
    if going.unowned:
        out.tell(f"No longer in any lane: {len(going.unowned):,}. They can't be resubmitted; widen a lane first.")
    if going.count and not dry_run:
        out.tell(_intention(going, statuses))
        if not yes:
            out.confirm()
        found.ensure_unchanged(connection)
    try:
        if not dry_run:
            going.send(ingest_queues(connection.client("sqs"), found))
    finally:  # report what was done, whatever ended it
        resubmitted = {lane: len(uploads) for lane, uploads in (going.by_lane if dry_run else going.sent).items()}
        out.document(
            {
                "batch_id": batch_id,
                "dry_run": dry_run,
                "statuses": statuses,
                "resubmitted": resubmitted,
                "refused": going.refused,
                "outside_every_lane": len(going.unowned),
            }
        )
        for lane, count in resubmitted.items():
            out.say(f"{'Would be put' if dry_run else 'Put'} into the queue of lane {lane}: {count:,}.", "green")
    if going.refused:
        out.tell(f"SQS refused {going.refused:,} of them; run the same command again later.")
    if not state.uploads.open:
        out.say("Nothing to resubmit: none of its uploads is PENDING or FAILED under it.")
    raise typer.Exit(1 if going.unowned or going.refused else 0)


def _intention(going: Resubmission[OpenUpload], statuses: Mapping[str, int]) -> str:
    lanes = ", ".join(f"{lane} ({len(uploads):,})" for lane, uploads in going.by_lane.items())
    counts = ", ".join(f"{count:,} {status}" for status, count in statuses.items())
    return f"{counts}, into the queues of: {lanes}. They are analyzed again, at a cost."
