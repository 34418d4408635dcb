"""`policy apply`: activates a policy file without a deploy, and judges stored uploads again by it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from gatehouse.cli.aws.verdict_table import Selection
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.invocation import Invocation, Yes, about_deployment
from gatehouse.cli.output import Output
from gatehouse.cli.policy.apply_run import ApplyRun
from gatehouse.cli.policy.policy_source import short
from gatehouse.cli.policy.replay_run import LeftAlone, ReplayEnding, Report
from gatehouse.cli.progress import progress
from gatehouse.cli.since import parse_since
from gatehouse.moderation.policy.policy import Policy

CLOCK = Clock()

_INTERRUPTED = 130  # as a shell reports a command that Ctrl-C ended
_EXIT = {
    ReplayEnding.COMPLETE: 0,
    ReplayEnding.OVERTAKEN: 1,
    ReplayEnding.STILL_PENDING: 3,
}


@about_deployment
def apply(
    invocation: Invocation,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy file, YAML or JSON.")],
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Judge again only uploads since: 12h, 30d, or an ISO date (UTC).", show_default="all"
        ),
    ] = None,
    publish: Annotated[
        bool,
        typer.Option(
            "--publish",
            help="Publish a flag for each change, whatever its new status. Decide this before the first run: a later "
            "run does not announce earlier changes.",
        ),
    ] = False,
    yes: Yes = False,
    segments: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Parts of the table read at once.")] = 8,
    wait: Annotated[float, typer.Option(min=0, metavar="MINUTES", help="Longest wait for running analyses.")] = 15.0,
) -> None:
    """Activate a policy within a minute, and judge stored uploads again by their labels.

    No image is analyzed again. People's decisions are not changed. You can run the command again at any time: finished
    work is not repeated. Exits with 3 if uploads are still being analyzed at the end of the wait; then run it again
    later.
    """
    from gatehouse.configuration.policies import compile_policy

    out = invocation.out
    out.ensure_answerable(yes=yes)
    selection = Selection(parse_since(since, CLOCK.now()) if since else None)
    policy = compile_policy(file)
    found = invocation.deployment.at_rest()
    run = ApplyRun.of(policy, file, invocation.connection, found, CLOCK)
    out.tell(run.intention)
    if not yes:
        out.confirm()
        run.check_unmoved()
    try:
        run.make_active(out.tell)
        with progress(out.progress, first="Judging again") as tell:
            report = run.judge_again(selection, segments=segments, wait_seconds=wait * 60, publish=publish, tell=tell)
    except KeyboardInterrupt:
        out.tell("Interrupted. Finished work is kept; run the same command again to continue.")
        raise typer.Exit(_INTERRUPTED) from None
    out.document({"policy": policy.reference.to_document(), **report.to_document()})
    _show(out, policy, report)
    for sentence in _advice(policy, found.name, report):
        out.tell(sentence)
    raise typer.Exit(_EXIT[report.ending])


def _show(out: Output, policy: Policy, report: Report) -> None:
    table = out.table(
        f"{policy.name} {policy.version} ({short(policy.hash)})", "Outcome", "Uploads", sentences={"Outcome"}
    )
    for outcome, count in _rows(report):
        table.add_row(outcome, f"{count:,}")
    out.show(table)


def _rows(report: Report) -> Iterator[tuple[str, int]]:
    yield "looked at", report.looked_at
    for (before, after), count in sorted(report.changed.items()):
        yield f"changed from {before} to {after}", count
    rest = {
        "unchanged": report.unchanged,
        "decided by this version already": report.current,
        "kept: the analysis lacks labels that this policy judges (min_confidence)": report.unknowable,
        "kept: the approval could not be confirmed, because the object changed or is gone": report.unconfirmed,
        "kept: not approved, because the lane's adapter did not answer": report.adapter_ignored,
        **{f"left alone: {why}": report.left_alone[why] for why in LeftAlone},
        "left alone: unreadable": report.unreadable,
        "changed, and announced to subscribers": report.announced,
        "awaited: were being analyzed": report.awaited,
        "still being analyzed": report.still_pending,
        "looked at again, because somebody else decided at the same time": report.lost_races,
    }
    yield from ((outcome, count) for outcome, count in rest.items() if count)


def _advice(policy: Policy, deployment: str, report: Report) -> Iterator[str]:
    if report.ending is ReplayEnding.OVERTAKEN:
        yield (
            f"The pointer of {policy.name} was moved, or {deployment} was deployed, while this ran, so another version "
            f"may be active now: see `{COMMAND} policy status`, and run the command again if this is the version you "
            "want."
        )
    if report.still_pending:
        yield (
            f"Uploads still being analyzed: {report.still_pending:,}. They may end under the old version; run the "
            "same command again later."
        )
