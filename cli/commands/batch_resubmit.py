"""`batch resubmit`: put a failed batch's uploads into their lanes' queues again."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from cli.batch_state import BatchState
from cli.commands.batch_show import BatchId
from cli.connection import Connection, DeploymentName, EndpointUrl, Profile, Region
from cli.deployed_lanes import DeployedLanes
from cli.deployment import Deployment
from cli.errors import CommandError
from cli.output import Format, Output, OutputFormat
from lambdas.aws.ingest_queue import IngestQueue
from lambdas.moderation.upload import Upload, readmission_message
from lambdas.moderation.verdict import Status


def resubmit(
    batch_id: BatchId,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    deployment: DeploymentName = None,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Resubmit a batch whole, once the cause of its failure is gone: its uploads that are PENDING or FAILED under it.

    New batches take them over at once and analyse them anew, which is paid for where it had been analysed already. To
    have an execution go on where it stopped, leave it to the sweeper. Other verdicts are never touched. It may be run
    again at any time. Exits with 1 if no lane takes some of the uploads any more.
    """
    out = Output.of(output)
    connection = Connection(profile, region, endpoint_url)
    found = Deployment.find(connection, deployment)
    if not dry_run:
        found.at_rest()
    state = BatchState.find(connection, found, batch_id)
    if state.is_running or state.uploads is None:
        raise CommandError(" ".join(state.advice()))
    by_lane, unowned = _by_lane(state.uploads.open, DeployedLanes.find(connection, found))
    statuses = {
        status.value: count for status in (Status.PENDING, Status.FAILED) if (count := state.uploads.statuses[status])
    }
    document = {
        "batch_id": batch_id,
        "dry_run": dry_run,
        "statuses": statuses,
        "resubmitted": {lane: len(uploads) for lane, uploads in by_lane.items()},
        "outside_every_lane": len(unowned),
    }
    if unowned:
        out.tell(f"In no lane any more: {len(unowned):,}. They can't be resubmitted; widen a lane first.")
    if by_lane and not dry_run:
        out.tell(_intention(by_lane, statuses))
        if not yes and not typer.confirm("Go on?", err=True):
            out.tell("Nothing was changed.")
            raise typer.Exit(1)
        found.still(connection)
        client = connection.client("sqs")
        for lane, uploads in by_lane.items():
            queue = IngestQueue(client, found.queues[lane].ingest)
            queue.send(readmission_message(upload, resubmit_of=batch_id) for upload in uploads)
    out.document(document)
    for lane, uploads in by_lane.items():
        out.say(f"{'Would be put' if dry_run else 'Put'} into the queue of lane {lane}: {len(uploads):,}.", "green")
    if not state.uploads.open:
        out.say("Nothing to resubmit: none of its uploads is PENDING or FAILED under it.")
    raise typer.Exit(1 if unowned else 0)


def _by_lane(uploads: Sequence[Upload], lanes: DeployedLanes) -> tuple[Mapping[str, list[Upload]], list[Upload]]:
    """The uploads by the lane that takes them now, and those that none takes."""
    by_lane: defaultdict[str, list[Upload]] = defaultdict(list)
    unowned: list[Upload] = []
    for upload in uploads:
        owner = lanes.owner(upload.key, upload.size)
        (unowned if owner is None else by_lane[owner]).append(upload)
    return by_lane, unowned


def _intention(by_lane: Mapping[str, Sequence[Upload]], statuses: Mapping[str, int]) -> str:
    lanes = ", ".join(f"{lane} ({len(uploads):,})" for lane, uploads in by_lane.items())
    counts = ", ".join(f"{count:,} {status}" for status, count in statuses.items())
    return f"{counts}, into the queues of: {lanes}. They are analysed anew, and paid for."
