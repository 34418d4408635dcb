"""`reconcile`: which objects of the bucket have no verdict."""

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
        "their batches are under way, wait for their turn, or have stopped and are got going by the sweeper; "
        f"`{COMMAND} batch show` of one that is hours old says which, and what to do"
    ),
    ObjectStanding.UNKNOWN: (
        f"their events wait in a lane's queue or a dead-letter queue (`{COMMAND} queue list`), or never came: were "
        "EventBridge notifications of the bucket on (they take about five minutes to start), and this lane deployed, "
        "when they were uploaded? "
        f"`{COMMAND} upload-again` has them moderated, each by its key, or all by `--report`"
    ),
    ObjectStanding.OTHER_VERSION: "their verdicts are about other bytes under the same key; do as for unknown ones",
    ObjectStanding.EXPIRED: (
        f"older than `verdict_retention_days`: their verdicts have expired, if they had one. `{COMMAND} upload-again` "
        "has them moderated again, and paid for again"
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
        int, typer.Option(min=0, metavar="MINUTES", help="Leave out younger objects: they may be on their way.")
    ] = 60,
    inventory: Annotated[
        Path | None,
        typer.Option(
            metavar="MANIFEST",
            help="Take the objects from a downloaded S3 Inventory (CSV), by its manifest.json, and list nothing.",
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
    """Compare the uploads bucket with the verdict table, and report current objects that have no verdict of their own.

    Lists what the lanes watch and looks every object up. It changes nothing and asks Rekognition nothing, so it can
    neither pay nor overwrite. Exits with 3 if something has no verdict and nobody is working on it.
    """
    out, connection = invocation.out, invocation.connection
    now = CLOCK.now()
    oldest = parse_since(since, now) if since else None
    found = invocation.deployment
    lanes = DeployedLanes.find(connection, found)
    prefixes = outermost((prefix for lane in lanes.lanes for prefix in lane.prefixes), within=prefix)
    if not prefixes:
        raise CommandError(f"No lane watches keys that start with {prefix}; leave out --prefix, or choose another.")
    with progress(out.progress) as tell, _recording(report_file) as record:
        comparison = BucketReconciliation(
            found.upload_bucket,
            lanes,
            OperatorsVerdictTable.of(connection, found, PARALLEL_QUERIES),
            since=oldest,
            until=iso(now - timedelta(minutes=min_age)),
            verdicts_since=_verdicts_since(found, now),
            examples=examples,
            record=record,
            tell=tell,
        )
        report = comparison.compare(_listed(connection, found, prefixes, inventory))
    out.document({"bucket": found.upload_bucket, "prefix": prefix, "since": oldest, **report.to_document()})
    _show(out, report, found.upload_bucket)
    raise typer.Exit(_SOMETHING_FOUND if report.unjudged else 0)


@contextmanager
def _recording(path: Path | None) -> Iterator[Callable[[Finding], object]]:
    """What writes each finding as a line of JSON, in ASCII; nothing where no file is asked for."""
    if path is None:
        yield lambda _: None
        return
    try:
        file = path.open("x", encoding="ascii")
    except OSError as error:
        raise CommandError(f"{path} can't be made ({error.strerror}); name a file that does not exist yet.") from error
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
            f"{manifest} is an inventory of {taken.bucket}, and {deployment.name} watches {deployment.upload_bucket}; "
            "name that bucket's, or another deployment with --deployment."
        )
    return taken.objects(prefixes)


def _show(out: Output, report: ReconciliationReport, bucket: str) -> None:
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
        who = "Every other one has its verdict" if skipped else "Every one has its verdict"
        out.say(f"{who}{', or its verdict has expired' if report.of(ObjectStanding.EXPIRED) else ''}.", style="green")
    for finding in report.examples:
        claimed = f" in batch {finding.batch_id} since {finding.claimed_at}" if finding.batch_id else ""
        out.say(f"  {finding.listed.key}, of {finding.listed.modified_at}: {finding.standing}{claimed}")
    if report.without_verdict > len(report.examples):
        out.say(f"  ... and {report.without_verdict - len(report.examples):,} more (all: --report)")
    for standing, advice in _ADVICE.items():
        if count := report.of(standing):
            since = f" (since {report.pending_since})" if standing is ObjectStanding.PENDING else ""
            out.say(f"- {count:,} {standing}{since}: {advice}.", style="yellow")
