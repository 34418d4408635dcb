"""`policy apply`: make a policy file the active version, without a deploy, and judge stored uploads again by it."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from gatehouse.aws.flag_topic import FlagTopic
from gatehouse.aws.upload_bucket import PARALLEL_LOOKS, UploadBucket
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.connection import Connection, DeploymentName, EndpointUrl, Profile, Region
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.errors import CommandError
from gatehouse.cli.output import Format, Output, OutputFormat
from gatehouse.cli.policy.policy_documents import PolicyDocuments
from gatehouse.cli.policy.policy_pointers import FOLLOWED_AFTER, PolicyPointers, StoredPointer
from gatehouse.cli.policy.policy_source import short
from gatehouse.cli.policy.replay_run import PARALLEL_WRITES, Ending, ReplayRun, Report
from gatehouse.cli.progress import progress
from gatehouse.cli.since import parse_since
from gatehouse.cli.verdict_store import Selection, VerdictStore
from gatehouse.moderation.flag_publisher import FlagPublisher
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer, PolicyVersion

CLOCK = Clock()

_SHOWN_AFTER = 10.0  # seconds; a pointer that was moved shows it at once, nearly always
_INTERRUPTED = 130  # as a shell reports a command that Ctrl-C ended
_EXIT = {Ending.COMPLETE: 0, Ending.FLAGS_REFUSED: 1, Ending.OVERTAKEN: 1, Ending.STILL_PENDING: 3}


def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy's file, YAML or JSON.")],
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Judge only uploads since: 12h, 30d, or an ISO date (UTC).", show_default="all"
        ),
    ] = None,
    publish: Annotated[
        bool,
        typer.Option(
            "--publish",
            help="Send flags for what changes, before it changes. Decide before the first run: what is changed already "
            "is not told by a later one.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    segments: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Parts of the table read at once.")] = 8,
    wait: Annotated[float, typer.Option(min=0, metavar="MINUTES", help="Longest wait for analyses under way.")] = 15.0,
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    deployment: DeploymentName = None,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Make a policy active within a minute, and judge stored uploads again by their labels.

    No image is analysed again. Decisions of people are never touched. It may be run again at any time: what is done is
    done. Exits with 3 if uploads are still being analysed at the end of the wait; then run it again later.
    """
    from gatehouse.configuration.policies import compile_policy

    out = Output.of(output)
    connection = Connection(profile, region, endpoint_url)
    selection = Selection(parse_since(since, CLOCK.now()) if since else None)
    policy = compile_policy(file)
    found = Deployment.find(connection, deployment).at_rest()
    pointers = PolicyPointers(connection.client("ssm"), found.policy_parameters)
    stored = _pointer(pointers, policy, found)
    if stored.pointer.hash != policy.hash:
        _check_version(policy, [*pointers.history(stored), stored.pointer], file)
    _check_thresholds(policy, found)
    out.tell(_intention(policy, stored, found))
    if not yes:
        out.confirm()
        found.still(connection)
        shown, stored = stored, _pointer(pointers, policy, found)
        if stored.version != shown.version:
            raise CommandError(f"The pointer of {policy.name} was moved in the meantime; run the same command again.")
    try:
        recorded = PolicyDocuments(connection.client("s3"), found.work_bucket).record(policy)
        if stored.pointer.hash != policy.hash:
            stored = _moved(pointers, policy, stored, found)
        _wait_for_functions(stored, recorded or stored.now, found.functions_deployed(connection), out.tell)
        with progress(out.progress) as tell:
            run = ReplayRun(
                policy,
                policy_name_for=found.policy_name_for,
                store=VerdictStore(
                    connection.client("dynamodb", connections=segments + PARALLEL_WRITES),
                    found.verdict_table,
                    CLOCK.pause,
                ),
                uploads=UploadBucket(
                    connection.client("s3", connections=PARALLEL_LOOKS), finds_animations=found.animation_check
                ),
                flags=FlagPublisher(FlagTopic(connection.client("sns"), found.flag_topic_arn), CLOCK.pause)
                if publish
                else None,
                notified=found.notified,
                is_active=lambda: (
                    _is_active(pointers, policy, stored) and Deployment.find(connection, found.name) == found
                ),
                clock=CLOCK,
                tell=tell,
            )
            report = run.run(selection, segments=segments, wait_seconds=wait * 60)
    except KeyboardInterrupt:
        out.tell("Interrupted. What is done stays done; run the same command again to go on with the rest.")
        raise typer.Exit(_INTERRUPTED) from None
    out.document({"policy": policy.reference.to_document(), **report.to_document()})
    _show(out, policy, report)
    for sentence in _advice(policy, found.name, report):
        out.tell(sentence)
    raise typer.Exit(_EXIT[report.ending])


def _pointer(pointers: PolicyPointers, policy: Policy, deployment: Deployment) -> StoredPointer:
    found, unreadable = pointers.look()
    if policy.name in found:
        return found[policy.name]
    for broken in unreadable:
        if broken.parameter == deployment.policy_parameters.get(policy.name):
            raise CommandError(
                f"The pointer of {policy.name} can't be read ({broken.parameter}: {broken.problem}); "
                f"`{COMMAND} policy status` says how to mend it."
            )
    raise CommandError(
        f"No lane of {deployment.name} has a policy named {policy.name}; those in use are "
        f"{', '.join(deployment.policies)}. Change the name in the file, or give a lane this policy in gatehouse.yaml "
        "and deploy."
    )


def _moved(pointers: PolicyPointers, policy: Policy, stored: StoredPointer, deployment: Deployment) -> StoredPointer:
    """The pointer after it was moved to `policy`. What is read right after a write may be what was there before."""
    version = pointers.move(stored, stored.pointer.moved_to(policy))
    if version != stored.version + 1:
        raise CommandError(
            f"Somebody else moved the pointer of {policy.name} at the same time, and {policy.version} took its place: "
            f"see `{COMMAND} policy status`, and run the command again for the version you want."
        )
    moved = CLOCK.moment()
    while (stored := _pointer(pointers, policy, deployment)).version < version:
        if CLOCK.seconds_since(moved) > _SHOWN_AFTER:
            raise CommandError(
                f"The pointer of {policy.name} was moved, and does not show it yet; run the same command again."
            )
        CLOCK.pause(1)
    return stored


def _check_version(policy: Policy, pointers: Iterable[PolicyPointer], file: Path) -> None:
    """A version that was ever active stays what it is: verdicts name it."""
    taken: dict[str, set[str]] = {}
    for pointer in pointers:
        for version in (pointer.shipped, PolicyVersion(pointer.version, pointer.hash)):
            taken.setdefault(version.version, set()).add(version.hash)
    if others := sorted(taken.get(policy.version, set()) - {policy.hash}):
        free = _next_version(policy.version)
        while free in taken:
            free = _next_version(free)
        raise CommandError(
            f"{file}: version {policy.version} of {policy.name} exists with another content "
            f'({short(others[0])}); write version: "{free}".'
        )


def _check_thresholds(policy: Policy, deployment: Deployment) -> None:
    lowest = policy.lowest_threshold
    for lane, min_confidence in sorted(deployment.min_confidence_for(policy.name).items()):
        if lowest < min_confidence:
            raise CommandError(
                f"{policy.name} {policy.version} has a threshold at {lowest:g}, and lane {lane} asks Rekognition for "
                f"labels from {min_confidence:g} only; set its min_confidence to {lowest:g} or less in gatehouse.yaml "
                "and deploy first."
            )


def _intention(policy: Policy, stored: StoredPointer, deployment: Deployment) -> str:
    lanes = ", ".join(sorted(deployment.min_confidence_for(policy.name)))
    new = f"{policy.version} ({short(policy.hash)})"
    if stored.pointer.hash == policy.hash:
        return f"{policy.name} {new} is active already (lanes: {lanes}). Uploads it has not decided are judged again."
    old = f"{stored.pointer.version} ({short(stored.pointer.hash)})"
    if policy.hash == stored.pointer.shipped.hash:
        new = f"{new}, which was deployed,"
    return (
        f"{policy.name} goes from version {old} to version {new} in {deployment.name} (lanes: {lanes}), and stored "
        "uploads are judged again."
    )


def _wait_for_functions(
    stored: StoredPointer, recorded: datetime, deployed: datetime | None, tell: Callable[[str], None]
) -> None:
    """Until no function goes by what was there before the pointer was last changed, or before the last deploy.

    Nor by what it ships, as it does while it can't find the document of the version that was deployed.
    """
    changed = [stored.modified, recorded]
    if deployed:
        changed.append(deployed)
    left = FOLLOWED_AFTER - (stored.now - max(changed)).total_seconds()
    if left > 0:
        tell(f"Waiting {left:.0f} s until every function follows. Ctrl-C is safe: run the same command again to go on.")
        CLOCK.pause(left)


def _is_active(pointers: PolicyPointers, policy: Policy, stored: StoredPointer) -> bool:
    """Whether the pointer is as it was: moved away and back, uploads may have been judged in between."""
    now = pointers.look()[0].get(policy.name)
    return now is not None and (now.pointer.hash, now.version) == (policy.hash, stored.version)


def _next_version(version: str) -> str:
    number = re.fullmatch(r"(.*?)(\d+)", version)
    return f"{number[1]}{int(number[2]) + 1:0{len(number[2])}}" if number else f"{version}-2"


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
        "kept: labels this policy asks about were never asked for (min_confidence)": report.unknowable,
        "kept: the approval could not be confirmed, as the object changed or is gone": report.unconfirmed,
        "kept: not approved, as the adapter asked for did not answer": report.adapter_ignored,
        "kept, though the policy is milder: the flag was refused": report.refused,
        "left alone: under another policy, decided by a person, or without labels": report.left_alone,
        "left alone: not readable": report.unreadable,
        "flags published": report.published,
        "changed, not published: the flag was refused": report.unpublished,
        "awaited: were being analysed": report.awaited,
        "still being analysed": report.still_pending,
        "looked at again, as somebody else decided meanwhile": report.lost_races,
    }
    yield from ((outcome, count) for outcome, count in rest.items() if count)


def _advice(policy: Policy, deployment: str, report: Report) -> Iterator[str]:
    if report.ending is Ending.OVERTAKEN:
        yield (
            f"The pointer of {policy.name} was moved, or {deployment} deployed, while this ran, so another version "
            f"may be active by now: see `{COMMAND} policy status`, and run the command again if this is the "
            "version you want."
        )
    if report.unpublished:
        yield (
            f"SNS refused the flags of uploads that were changed all the same, as their new status is stricter: "
            f"{report.unpublished:,}. Subscribers were not told of them, and no later run tells them: do so by other "
            "means."
        )
    if report.refused:
        yield (
            f"SNS refused the flags of uploads that stay as they are, as their new status would be milder: "
            f"{report.refused:,}; run the same command again when the topic takes flags."
        )
    if report.still_pending:
        yield (
            f"Uploads still being analysed: {report.still_pending:,}. They may end under the old version; run the "
            "same command again later."
        )
