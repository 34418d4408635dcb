"""What `moderate start` and `moderate resume` do: count, ask, send, and say how it ended."""

from collections.abc import Iterator
from pathlib import Path

import typer

from gatehouse.aws.queue_sender import QueueSender
from gatehouse.cli.aws.verdict_table import PARALLEL_QUERIES, OperatorsVerdictTable
from gatehouse.cli.bucket.listed_objects import Inventory, ListedObject, list_objects, outermost
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.cli.deployment import DeployedBackfill, Deployment
from gatehouse.cli.errors import INTERRUPTED, CommandError
from gatehouse.cli.invocation import Invocation
from gatehouse.cli.moderate.count_run import CountRun
from gatehouse.cli.moderate.moderation import Moderation, Phase
from gatehouse.cli.moderate.moderation_files import ModerationFiles, MovedError
from gatehouse.cli.moderate.report import price, show
from gatehouse.cli.moderate.send_run import SendRun, duration
from gatehouse.cli.progress import progress
from gatehouse.cli.queue.message_queue import MessageQueue

#: Exit code if objects were sent and have no verdict, or if another command stopped this one.
NOT_ALL = 3


def backfill_of(deployment: Deployment) -> DeployedBackfill:
    """What moderates objects from before.

    Raises:
        CommandError: the setting is off.
    """
    if deployment.backfill is None:
        raise CommandError(
            f"{deployment.name} does not moderate objects from before; write existing_objects: true in gatehouse.yaml, "
            "deploy, and run the same command again."
        )
    return deployment.backfill


def files_of(invocation: Invocation) -> ModerationFiles:
    """The files of the deployment's moderation."""
    return ModerationFiles(invocation.connection.client("s3"), invocation.deployment.work_bucket)


def count(
    invocation: Invocation, moderation: Moderation, files: ModerationFiles | None, inventory: Path | None
) -> None:
    """Count what is left to count."""
    found = invocation.deployment
    lanes = DeployedLanes.find(invocation.connection, found)
    table = OperatorsVerdictTable.of(invocation.connection, found, PARALLEL_QUERIES)
    with progress(invocation.out.progress, first="Counting: listing the bucket") as tell:
        run = CountRun(found.upload_bucket, lanes, table, files, invocation.out.tell, tell)
        try:
            run.count(moderation, _listed(invocation, moderation, inventory))
        except KeyboardInterrupt:
            if files is None:
                raise
            invocation.out.tell(f"Interrupted, and nothing was sent; `{COMMAND} moderate resume` goes on counting.")
            raise typer.Exit(INTERRUPTED) from None


def send(
    invocation: Invocation, moderation: Moderation, files: ModerationFiles, *, max_cost: float | None, yes: bool
) -> None:
    """Ask, send, watch, and report; ends the command.

    Raises:
        CommandError: it would cost too much, or nobody could be asked.
        typer.Exit: always.
    """
    out, found = invocation.out, invocation.deployment
    backfill = backfill_of(found)
    if moderation.phase is Phase.COUNTED:
        out.tell(intention(moderation, backfill))
        if max_cost is not None and moderation.most_cost > max_cost:
            raise CommandError(
                f"It could cost {moderation.most_cost:,.2f} USD, more than --max-cost {max_cost:g}; nothing was sent. "
                f"`{COMMAND} moderate resume` with a greater --max-cost sends it, `{COMMAND} moderate cancel` drops it."
            )
        if moderation.objects and not yes:
            out.confirm(
                if_not=f"Nothing was sent. The count is kept: `{COMMAND} moderate resume` sends it, `{COMMAND} "
                "moderate cancel` drops it, and until then nothing else can be started."
            )
    sqs = invocation.connection.client("sqs")
    run_with = {lane: url for lane, url in backfill.queues.items() if lane in moderation.by_lane}
    if missing := moderation.by_lane.keys() - run_with.keys():
        raise CommandError(
            f"Lane {min(missing)} is no longer deployed, and its objects are not sent; deploy it again, or "
            f"`{COMMAND} moderate cancel` and start anew."
        )
    table = OperatorsVerdictTable.of(invocation.connection, found, PARALLEL_QUERIES)
    senders = {lane: QueueSender(sqs, url) for lane, url in run_with.items()}
    queues = {lane: MessageQueue(sqs, url) for lane, url in run_with.items()}
    code = 0
    try:
        moderation.phase = Phase.RUNNING
        files.save(moderation)
        with progress(out.progress) as tell:
            SendRun(files, table, senders, queues, tell).run(moderation)
        code = NOT_ALL if moderation.without_verdict else 0
    except MovedError:
        moderation, code = files.read() or moderation, NOT_ALL
        out.tell(_stopped(moderation))
    except KeyboardInterrupt:
        out.tell(f"Interrupted. What was sent is moderated; `{COMMAND} moderate resume` goes on with the rest.")
        code = INTERRUPTED
    out.document(moderation.to_document())
    show(out, moderation)
    raise typer.Exit(code)


def intention(moderation: Moderation, backfill: DeployedBackfill) -> str:
    """How many objects, at what price, in what time."""
    least, most = (
        duration(calls / backfill.calls_per_second) for calls in (moderation.least_calls, moderation.most_calls)
    )
    time = least if moderation.most_calls <= moderation.least_calls else f"{least} to {most}"
    frames = "" if time == least else " By its suffix, what may have several frames is counted with one, and with all."
    return (
        f"{moderation.objects:,} objects to be moderated, for {price(moderation)} at list price, in about {time} at "
        f"{backfill.calls_per_second:g} calls a second.{frames}"
    )


def _stopped(moderation: Moderation) -> str:
    match moderation.phase:
        case Phase.PAUSED:
            return f"Paused. What was sent is moderated; `{COMMAND} moderate resume` goes on with the rest."
        case Phase.CANCELED:
            return "Canceled. What was sent is moderated; the rest is not."
    return f"Another command goes on with it; `{COMMAND} moderate status` says how far it is."


def _listed(invocation: Invocation, moderation: Moderation, manifest: Path | None) -> Iterator[ListedObject]:
    """What is behind the place where counting stopped."""
    bucket, prefix = invocation.deployment.upload_bucket, moderation.selection.prefix
    client = invocation.connection.client("s3")
    if manifest is None:
        return list_objects(client, bucket, outermost([prefix]), moderation.behind)
    return inventory_of(invocation, manifest).objects_from([prefix], int(moderation.behind or 0))


def inventory_of(invocation: Invocation, manifest: Path) -> Inventory:
    """An inventory of the uploads bucket.

    Raises:
        CommandError: it is of another bucket, or lacks the version ids that the bucket's objects have.
    """
    bucket = invocation.deployment.upload_bucket
    taken = Inventory(manifest)
    if taken.bucket != bucket:
        raise CommandError(
            f"{manifest} is an inventory of {taken.bucket}, but {invocation.deployment.name} watches {bucket}; name an "
            "inventory of that bucket, or another deployment with --deployment."
        )
    client = invocation.connection.client("s3")
    if not taken.has_versions and client.get_bucket_versioning(Bucket=bucket).get("Status"):
        raise CommandError(
            f"The inventory has no version ids, and {bucket} has versioning; configure one with all versions."
        )
    return taken
