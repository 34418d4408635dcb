"""`status`: how the deployment does at the moment."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated

import typer

from gatehouse.cli.ago import duration_words
from gatehouse.cli.clock import Clock
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.output import Output
from gatehouse.cli.paste import Paste
from gatehouse.cli.progress import progress
from gatehouse.cli.status.deployment_status import INDEXED, DeploymentStatus, PolicyDrift, StatusLook
from gatehouse.console import printable
from gatehouse.contracts.alarm_texts import Severity
from gatehouse.moderation.moment import iso

CLOCK = Clock()

_BETWEEN_LOOKS = 10.0
#: Seconds after which somebody at a terminal sees what it is at.
_PATIENCE = 2.0


@about_deployment
def status(
    invocation: Invocation,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every ten seconds, until Ctrl-C.")] = False,
) -> None:
    """Show how the deployment does: backlogs, batches, today's verdicts, subscribers, alarms, and policies that differ.

    Takes some hundred calls however many uploads there are, and changes nothing. What may not be looked at is named,
    and the rest is shown.
    """
    out = invocation.out
    if watch and out.json:
        raise CommandError("--watch is for people; have a script run `status --output json` as often as it likes.")
    paste = Paste(invocation.connection, invocation.deployment_name)
    if not watch:
        _look(invocation, invocation.deployment, paste, clear=False)
        return
    with suppress(KeyboardInterrupt):  # that is how it ends
        deployment = invocation.deployment
        while True:
            _look(invocation, deployment, paste, clear=out.results.is_terminal)
            CLOCK.pause(_BETWEEN_LOOKS)
            deployment = Deployment.find(invocation.connection, invocation.deployment_name)


def _look(invocation: Invocation, deployment: Deployment, paste: Paste, *, clear: bool) -> None:
    out = invocation.out
    with progress(out.progress, after=_PATIENCE) as say:
        seen = StatusLook(invocation.connection, deployment).look(CLOCK.now(), say)
    if clear:
        out.results.clear()
    out.document(seen.to_document())
    _show(out, seen, paste)


def _show(out: Output, seen: DeploymentStatus, paste: Paste) -> None:
    out.say(f"{seen.name}, {seen.at}", style="bold")
    if seen.deploying:
        out.say(f"{seen.deploying} is being deployed.", style="yellow")
    _show_lanes(out, seen)
    for line, style in _lines(out, seen, paste):
        out.say(line, style)
    for what, section in (
        ("The queues", seen.queues),
        ("The age of messages", seen.ages),
        ("The batches", seen.batches),
        ("Today's verdicts", seen.indexed),
        ("Today's approvals", seen.approved),
        ("Today's spend", seen.paid),
        ("The subscribers", seen.subscribers),
        ("The alarms", seen.alarms),
        ("The policies", seen.drift),
    ):
        if section.problem:
            out.say(f"{what} could not be looked at: {section.problem}", style="yellow")


def _show_lanes(out: Output, seen: DeploymentStatus) -> None:
    if seen.queues.seen is None:
        return
    columns = ["Lane", "Waiting", "Being read", "Oldest", "Dead letters", "Undelivered"]
    if any(lane.backfill for lane in seen.queues.seen.lanes):
        columns += ["Backfill", "Backfill dead letters"]
    table = out.table("Lanes, as SQS and CloudWatch count", *columns)
    ages = seen.ages.seen
    for lane in seen.queues.seen.lanes:
        oldest = "?" if ages is None else duration_words(ages[lane.lane]) if ages[lane.lane] else "-"
        cells = (
            *(lane.lane, f"{lane.ingest.waiting:,}", f"{lane.ingest.in_flight:,}", oldest),
            *(f"{lane.dead:,}", f"{lane.undelivered:,}"),
            *((f"{lane.backfill.total:,}", f"{lane.backfill_dead:,}") if lane.backfill else ()),
        )
        table.add_row(*(printable(cell) for cell in cells), style="yellow" if any(lane.stuck) else "")
    out.show(table)


def _lines(out: Output, seen: DeploymentStatus, paste: Paste) -> Iterator[tuple[str, str]]:
    """What else was seen, in sentences with their styles."""
    if queues := seen.queues.seen:
        for lane in queues.lanes:
            for queue, count in lane.stuck:
                command = paste.gatehouse(f"queue show --lane {lane.lane} --queue {queue}")
                yield f"Lane {lane.lane} has {count:,} in its {queue} queue: `{command}` says why.", "yellow"
        if queues.changes:
            command = paste.gatehouse("queue show --queue changes")
            yield f"{queues.changes:,} changes could not be announced: `{command}`.", "yellow"
        if queues.events:
            command = paste.gatehouse("queue show --queue events")
            yield f"{queues.events:,} events were not taken by the bus: `{command}`.", "yellow"
    if batches := seen.batches.seen:
        more = "" if batches.are_all else ", and more"
        yield f"Batches: {batches.running:,} running, {batches.failed:,} failed or stopped since a day ago{more}.", ""
        if batches.failed:
            yield f"`{paste.gatehouse('batch list --since 1d')}` lists those.", "yellow"
    yield from _verdicts(seen)
    if seen.paid.seen is not None:
        yield f"Rekognition today: {seen.paid.seen:,} images, {seen.spend:,.2f} USD at list price.", ""
    if seen.subscribers.seen is not None:
        yield _subscribers(seen)
    if seen.alarms.seen is not None:
        yield from _alarms(out, seen, paste)
    if seen.drift.seen is not None:
        yield from _drift(seen.drift.seen, paste)


def _drift(seen: PolicyDrift, paste: Paste) -> Iterator[tuple[str, str]]:
    if seen.without_file:
        names = ", ".join(seen.without_file)
        yield f"Policies: ./policies has no file of {names} to compare with; run this where you deploy from.", ""
    elif not seen.drifts:
        command = paste.gatehouse("policy status")
        yield f"Policies: no drift between pointers and files; `{command}` also judges verdicts.", ""
    for drift in seen.drifts:
        yield f"- {drift.text}", "yellow"


def _verdicts(seen: DeploymentStatus) -> Iterator[tuple[str, str]]:
    if seen.indexed.seen is None and seen.approved.seen is None:
        return
    words = []
    if seen.approved.seen is not None:
        words.append(f"{seen.approved.seen:,} APPROVED")
    if indexed := seen.indexed.seen:
        words += [f"{indexed.counts[status]:,} {status}" for status in INDEXED]
        if not indexed.are_all:
            words.append("and more")
    yield f"Today (UTC): {', '.join(words)}.", ""
    yield (
        "APPROVED is what Results gave, by CloudWatch, some minutes late; the others are what stands, by the index.",
        "dim",
    )


def _subscribers(seen: DeploymentStatus) -> tuple[str, str]:
    subscribers = seen.subscribers.seen or []
    if not subscribers:
        return "Nobody subscribes to the flag topic: flags go nowhere.", "yellow"
    kinds = Counter(each.protocol if each.is_confirmed else f"{each.protocol}, unconfirmed" for each in subscribers)
    return f"Subscribers of the flag topic: {', '.join(f'{n} ({kind})' for kind, n in kinds.items())}.", ""


def _alarms(out: Output, seen: DeploymentStatus, paste: Paste) -> Iterator[tuple[str, str]]:
    alarms = seen.alarms.seen or []
    ringing = [alarm for alarm in alarms if alarm.is_ringing]
    if not alarms:
        yield "There are no alarms: the stack with them is not deployed.", "yellow"
        return
    yield f"Alarms: {len(ringing)} of {len(alarms)} ring.", ""
    for alarm in ringing:
        since = f", {out.when(iso(alarm.since), CLOCK.now())}" if alarm.since else ""
        first = f" First: `{paste.gatehouse(alarm.first_command)}`." if alarm.first_command else ""
        severity = f"{alarm.severity}: " if alarm.severity else ""
        yield (
            f"- {severity}{alarm.name}{since}: {alarm.text}{first}",
            "yellow" if alarm.severity is Severity.TICKET else "red",
        )
