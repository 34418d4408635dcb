"""`gate check`: whether the gate does what it is for, and what to do where it does not."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Annotated, Any, Final

import typer
from botocore.exceptions import ClientError

from gatehouse.aws.version_tags import VersionTags
from gatehouse.cli.aws.backup_roles import BackupRoles
from gatehouse.cli.aws.outcomes import OutcomesFunction
from gatehouse.cli.aws.verdict_table import PARALLEL_QUERIES, OperatorsVerdictTable
from gatehouse.cli.aws.version_listing import OperatorsVersionListing
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.doctor.finding import Finding, Health
from gatehouse.cli.doctor.finding_report import show_finding
from gatehouse.cli.gate.bulk_probe import BulkProbe
from gatehouse.cli.gate.deployed_gate import with_gate
from gatehouse.cli.gate.gate_comparison import (
    ComparisonPlace,
    GateComparison,
    GateReport,
    GateStanding,
)
from gatehouse.cli.gate.gate_probes import GateProbes
from gatehouse.cli.gate.gate_settings import GateSettingsChecks
from gatehouse.cli.gate.protection import Protection
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.output import Output
from gatehouse.cli.paste import Paste
from gatehouse.cli.progress import progress
from gatehouse.contracts.list_price import LIST_PRICE
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.moment import iso

CLOCK = Clock()

_SOMETHING_WRONG: Final = 3

#: What no repair puts right.
_FOR_SOMEBODY: Final = (GateStanding.UNMODERATED, GateStanding.OUTSIDE, GateStanding.UNKNOWN)

_MEANINGS: Final = {
    GateStanding.LIT: "approved, and readable",
    GateStanding.CLOSED: "not approved, and closed",
    GateStanding.DARK: "approved, and CLOSED",
    GateStanding.EXPOSED: "not approved, and READABLE",
    GateStanding.FORGED: "without a verdict, and tagged",
    GateStanding.UNMARKED: "blocked and not marked so, or marked and not blocked",
    GateStanding.UNMODERATED: "closed for want of a verdict",
    GateStanding.OUTSIDE: "closed for good: no lane takes it",
    GateStanding.OLD: "older versions without a verdict, closed should they become current",
    GateStanding.YOUNG: "too new to have a verdict",
    GateStanding.OPEN: "readable by gate.open_prefixes",
    GateStanding.UNKNOWN: "could not be looked at",
}
_ADVICE: Final = {
    GateStanding.DARK: f"`{COMMAND} gate check --repair` has it tagged",
    GateStanding.EXPOSED: f"`{COMMAND} gate check --repair` closes it",
    GateStanding.FORGED: f"`{COMMAND} gate check --repair` closes it; `{COMMAND} moderate start` gives it a verdict",
    GateStanding.UNMARKED: f"`{COMMAND} gate check --repair` has it tagged",
    GateStanding.UNMODERATED: f"`{COMMAND} moderate start` gives it a verdict",
    GateStanding.OUTSIDE: "extend a lane to it; a prefix in gate.open_prefixes opens every key that begins so",
}


@about_deployment
def check(
    invocation: Invocation,
    repair: Annotated[
        bool, typer.Option("--repair", help="Have Outcomes put right what differs between tags and verdicts.")
    ] = False,
    probe: Annotated[
        bool, typer.Option("--probe/--no-probe", help="Upload a picture to each lane, and try to get around the gate.")
    ] = True,
    bulk: Annotated[
        bool,
        typer.Option(
            "--bulk/--no-bulk", help="Also have a picture analyzed by a media analysis job, which takes minutes."
        ),
    ] = True,
    restart: Annotated[
        bool, typer.Option("--restart", help="Do not go on where a comparison was interrupted.")
    ] = False,
    min_age: Annotated[
        int, typer.Option(min=0, metavar="MINUTES", help="Versions younger than this may be without a verdict.")
    ] = 60,
    examples: Annotated[int, typer.Option(min=0, metavar="N", help="Versions to show of each kind.")] = 5,
) -> None:
    """Check the gate: the bucket's policy and versioning, each version's tag against its verdict, and as the caller.

    The comparison reads the tags of every version (one request each) and its verdict. It may be interrupted, and goes
    on where it was. Probes upload a picture to each lane, which costs an analysis, or two where bulk may be used, and
    delete it with its verdict. Exits with 3 if something is wrong, was wrong and is being repaired, or waits for a
    verdict.
    """
    out, connection = invocation.out, invocation.connection
    deployment = with_gate(invocation.deployment)
    client = connection.client("s3", connections=PARALLEL_QUERIES)
    table = OperatorsVerdictTable.of(connection, deployment, PARALLEL_QUERIES)
    lanes = DeployedLanes.find(connection, deployment)
    report = GateReport()
    now, paste = CLOCK.now(), Paste(connection, invocation.deployment_name)
    probes = _probes(invocation, deployment, client, lanes, table, paste, bulk=bulk) if probe else None
    place = ComparisonPlace(client, deployment.work_bucket, deployment.gate, repairs=repair)
    behind = _go_on(out, place, report, restart=restart)
    with progress(out.progress) as tell:
        settings = GateSettingsChecks(
            client,
            BackupRoles(connection.client("backup"), deployment.flag_topic_arn.split(":")[1]),
            Protection(client, deployment.work_bucket, deployment.updated[0]),
            deployment,
            paste,
            now,
        )
        findings = list(settings.findings())
        comparison = GateComparison(
            bucket=deployment.upload_bucket,
            gate=deployment.gate,
            lanes=lanes,
            table=table,
            tags=VersionTags(client),
            outcomes=OutcomesFunction(connection.client("lambda"), deployment.outcomes) if repair else None,
            place=place,
            until=iso(now - timedelta(minutes=min_age)),
            now=iso(now),
            examples=examples,
            tell=tell,
        )
        comparison.compare(OperatorsVersionListing(client).all(deployment.upload_bucket, "", behind), report)
        if probes:
            findings += _probed(probes, tell)
    out.document({**report.to_document(), "findings": [finding.to_document() for finding in findings]})
    _show(out, findings, report, repaired=repair)
    is_dark = report.standings[GateStanding.UNMODERATED] or report.standings[GateStanding.UNKNOWN]
    if report.wrong or is_dark or any(finding.health is Health.BROKEN for finding in findings):
        raise typer.Exit(_SOMETHING_WRONG)


def _probes(
    invocation: Invocation,
    deployment: Deployment,
    client: Any,
    lanes: DeployedLanes,
    table: OperatorsVerdictTable,
    paste: Paste,
    *,
    bulk: bool,
) -> GateProbes:
    """The probes, after it was said what they cost."""
    out, connection = invocation.out, invocation.connection
    in_bulk = [lane for lane in lanes.lanes if Engine.BULK in lane.engine.candidates]
    jobs = BulkProbe.of(connection, deployment, CLOCK) if bulk and in_bulk else None
    if jobs and (closed := jobs.closed_because()):
        out.tell(f"No media analysis job is tried. {closed}")
        jobs = None
    images = len(lanes.lanes) + sum(lane.engine is Engine.AUTO for lane in in_bulk if jobs)
    out.tell(f"Probes: {images} pictures are analyzed, for {images * LIST_PRICE:.3f} USD.")
    if jobs:
        names = ", ".join(lane.name for lane in in_bulk)
        out.tell(f"Of {names} a media analysis job is tried, which takes some minutes each; --no-bulk leaves it out.")
    signer = connection.client("s3", signature="s3v4")
    return GateProbes(client, signer, deployment.upload_bucket, deployment.gate, lanes, table, jobs, CLOCK, paste)


def _probed(probes: GateProbes, tell: Callable[[str], None]) -> Iterator[Finding]:
    """What probes find, until S3 answers something that nobody expected."""
    try:
        yield from probes.findings(tell)
    except (ClientError, OSError) as error:
        yield Finding("gate-probe", Health.UNKNOWN, f"The probes could not go on: {error}.")


def _go_on(out: Output, place: ComparisonPlace, report: GateReport, *, restart: bool) -> str:
    """The key behind which to compare, with what was counted up to there in the report; empty for the beginning."""
    found = None if restart else place.read()
    if found is None:
        return ""
    behind, counted = found
    report.standings.update(counted)
    out.tell(f"Going on behind {behind}, with {counted.total():,} versions compared before; --restart begins anew.")
    return behind


def _show(out: Output, findings: list[Finding], report: GateReport, *, repaired: bool) -> None:
    for finding in findings:
        show_finding(out, finding)
    table = out.table("Versions in the bucket", "versions", "what they are", sentences=("what they are",))
    for standing, meaning in _MEANINGS.items():
        if count := report.standings[standing]:
            table.add_row(f"{count:,}", meaning)
    out.show(table)
    for standing, found in report.examples.items():
        if repaired and standing not in _FOR_SOMEBODY:
            continue
        out.say(f"{_MEANINGS[standing]}: {_ADVICE[standing]}. For example:")
        for version in (each.version for each in found):
            out.say(f"  {version.key}  {version.version_id or ''}".rstrip())
    if repaired:
        out.say(f"Asked for, or closed: {report.repaired:,}. Run the same command again in a minute.", style="green")
