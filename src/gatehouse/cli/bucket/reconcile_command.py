"""`reconcile`: finds objects in the bucket that have no verdict."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from gatehouse.cli.aws.verdict_table import PARALLEL_QUERIES, OperatorsVerdictTable
from gatehouse.cli.bucket.bucket_reconciliation import (
    BucketReconciliation,
    Finding,
    ObjectStanding,
    ReconciliationReport,
)
from gatehouse.cli.bucket.listed_objects import Inventory, ListedObject, list_objects, outermost
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.connection import Connection
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.key_prefix import KeyPrefix
from gatehouse.cli.output import Output
from gatehouse.cli.progress import progress
from gatehouse.cli.since import parse_since
from gatehouse.console import printable
from gatehouse.moderation.moment import iso

CLOCK = Clock()

_SOMETHING_FOUND = 3

_ADVICE = {
    ObjectStanding.PENDING: (
        "their batches are running, wait for their turn, or have stopped and are restarted by the sweeper; for a "
        f"batch that is hours old, `{COMMAND} batch show` says which, and what to do"
    ),
    ObjectStanding.UNKNOWN: (
        f"their events wait in a lane's queue or a dead-letter queue (`{COMMAND} queue list`), or never came: were "
        "EventBridge notifications of the bucket on (they take about five minutes to start), and this lane deployed, "
        "when they were uploaded? "
        f"`{COMMAND} moderate start` moderates them without copies, where the setting `existing_objects` is on; else "
        f"`{COMMAND} upload-again`: single ones by key, or all with `--report`"
    ),
    ObjectStanding.OTHER_VERSION: "their verdicts are about other bytes under the same key; do as for unknown ones",
    ObjectStanding.EXPIRED: (
        f"older than `verdict_retention_days`: their verdicts have expired, if they had one. `{COMMAND} moderate "
        "start` moderates them again, at a cost"
    ),
}


@about_deployment
def reconcile(
    invocation: Invocation,
    prefix: KeyPrefix = "",
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only objects since: 12h, 30d, or an ISO date (UTC).", show_default="all"),
    ] = None,
    min_age: Annotated[
        int, typer.Option(min=0, metavar="MINUTES", help="Skip younger objects: they may still be in progress.")
    ] = 60,
    inventory: Annotated[
        Path | None,
        typer.Option(
            metavar="MANIFEST",
            help="Read the objects from a downloaded S3 Inventory (CSV), by its manifest.json, instead of listing.",
        ),
    ] = None,
    report_file: Annotated[
        Path | None,
        typer.Option(
            "--report", metavar="FILE", help="Write every object without a verdict to this new file, as JSON Lines."
        ),
    ] = None,
    examples: Annotated[int, typer.Option(min=0, metavar="N", help="Objects without a verdict to show.")] = 20,
) -> None:
    """Compare the uploads bucket with the verdict table, and report current objects without a verdict.

    Lists the objects that the lanes watch, and reads the verdict table once, or looks up each object where that is
    cheaper; it says which. It changes nothing and does not call Rekognition. Exits with 3 if an object has no verdict
    and none is in progress.
    """
    out, connection = invocation.out, invocation.connection
    now = CLOCK.now()
    oldest = parse_since(since, now) if since else None
    found = invocation.deployment
    lanes = DeployedLanes.find(connection, found)
    prefixes = outermost((prefix for lane in lanes.lanes for prefix in lane.prefixes), within=prefix)
    if not prefixes:
        raise CommandError(f"No lane watches keys that start with {prefix}; leave out --prefix, or choose another.")
    with progress(out.progress, first="Listing the bucket") as tell, _recording(report_file) as record:
        comparison = BucketReconciliation(
            found.upload_bucket,
            lanes,
            OperatorsVerdictTable.of(connection, found, PARALLEL_QUERIES),
            prefix=prefix,
            since=oldest,
            until=iso(now - timedelta(minutes=min_age)),
            verdicts_since=_verdicts_since(found, now),
            examples=examples,
            record=record,
            explain=out.tell,
            tell=tell,
        )
        report = comparison.compare(_listed(connection, found, prefixes, inventory))
    out.document({"bucket": found.upload_bucket, "prefix": prefix, "since": oldest, **report.to_document()})
    _show(out, report, found.upload_bucket, now)
    raise typer.Exit(_SOMETHING_FOUND if report.unjudged else 0)


@contextmanager
def _recording(path: Path | None) -> Iterator[Callable[[Finding], object]]:
    """A function that writes each finding as a line of JSON, in ASCII; it does nothing without a file."""
    if path is None:
        yield lambda _: None
        return
    try:
        file = path.open("x", encoding="ascii")
    except OSError as error:
        raise CommandError(f"{path} can't be created ({error.strerror}); name a file that does not exist.") from error
    with file:
        yield lambda finding: file.write(f"{json.dumps(finding.to_document())}\n")


def _verdicts_since(deployment: Deployment, now: datetime) -> str | None:
    """Verdicts of objects modified before this may have expired."""
    days = deployment.verdict_retention_days
    return None if days is None else iso(now - timedelta(days=days))


def _listed(
    connection: Connection, deployment: Deployment, prefixes: list[str], manifest: Path | None
) -> Iterator[ListedObject]:
    if manifest is None:
        return list_objects(connection.client("s3"), deployment.upload_bucket, prefixes)
    taken = Inventory(manifest)
    if taken.bucket != deployment.upload_bucket:
        raise CommandError(
            f"{manifest} is an inventory of {taken.bucket}, but {deployment.name} watches {deployment.upload_bucket}; "
            "name an inventory of that bucket, or another deployment with --deployment."
        )
    return taken.objects(prefixes)


def _show(out: Output, report: ReconciliationReport, bucket: str, now: datetime) -> None:
    table = out.table(f"Current objects of {bucket}", "Lane", "Standing", "Objects")
    for (lane, standing), count in sorted(report.standings.items()):
        style = "" if standing in (ObjectStanding.DECIDED, ObjectStanding.EXPIRED) else "yellow"
        table.add_row(printable(lane), standing.value, f"{count:,}", style=style)
    if report.standings:
        out.show(table)
    left_out = {"outside every lane": report.outside, "too young": report.young, "before --since": report.old}
    skipped = [f"{count:,} {why}" for why, count in left_out.items() if count]
    out.say(f"{report.listed:,} listed{', of them ' + ', '.join(skipped) + ' and not looked up' if skipped else ''}.")
    if report.standings and not report.without_verdict:
        who = "All others have their verdict" if skipped else "All have their verdict"
        out.say(f"{who}{', or it has expired' if report.of(ObjectStanding.EXPIRED) else ''}.", style="green")
    for finding in report.examples:
        claimed = (
            f" in batch {finding.batch_id} since {out.when(finding.claimed_at, now)}"
            if finding.batch_id and finding.claimed_at
            else ""
        )
        out.say(f"  {finding.listed.key}, of {out.when(finding.listed.modified_at, now)}: {finding.standing}{claimed}")
    if report.without_verdict > len(report.examples):
        out.say(f"  ... and {report.without_verdict - len(report.examples):,} more (all: --report)")
    for standing, advice in _ADVICE.items():
        if count := report.of(standing):
            since = ""
            if standing is ObjectStanding.PENDING and report.pending_since:
                since = f" (since {out.when(report.pending_since, now)})"
            out.say(f"- {count:,} {standing}{since}: {advice}.", style="yellow")
