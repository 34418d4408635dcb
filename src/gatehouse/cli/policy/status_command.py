"""`policy status`: shows the active policies, and differences between files, pointers and recent verdicts."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from gatehouse.aws.upload_bucket import PARALLEL_LOOKS, UploadBucket
from gatehouse.cli.aws.policy_parameters import FOLLOWED_AFTER, OperatorsPolicyParameters, StoredPointer
from gatehouse.cli.aws.verdict_table import DAYS, MOST, PARALLEL_QUERIES, OperatorsVerdictTable
from gatehouse.cli.connection import Connection
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.output import Output
from gatehouse.cli.policy.drift import Drift, PolicyInUse, PolicyStanding, drifts
from gatehouse.cli.policy.policy_in_use import policy_in_use
from gatehouse.cli.policy.policy_source import POLICIES_FOLDER, short, sources_of
from gatehouse.cli.policy.recent_verdicts import RecentVerdicts, VerdictGroup
from gatehouse.console import printable
from gatehouse.moderation.moment import iso
from gatehouse.moderation.policy.policy import Policy

_NOT_COUNTED = "Approvals are not in the index that is used here, so they are not counted."
_PREFIXES_SHOWN = 3
_UNCHANGED = "A verdict that the active version would not change still names the version that decided it."


@about_deployment
def status(invocation: Invocation) -> None:
    """Show which policies are active, and how ./policies, the deployment and recent verdicts differ.

    Makes at most a few hundred calls, however many uploads there are, and changes nothing.
    """
    out, connection, found = invocation.out, invocation.connection, invocation.deployment
    pointers, unreadable = OperatorsPolicyParameters(connection.client("ssm"), found.policy_parameters).look()
    policies = [policy_in_use(name, found, pointers.get(name)) for name in found.policies]
    # By AWS's clock, where it gave the time.
    now = next((stored.now for stored in pointers.values()), datetime.now(UTC))
    recent = _recent(connection, found, now)
    active = cache(sources_of(invocation).active)
    uploads = UploadBucket(connection.client("s3", connections=PARALLEL_LOOKS), finds_animations=found.animation_check)
    standings = [_standing(group, pointers.get(group.governed_by), active, uploads) for group in recent.groups]
    differences = list(drifts(policies, unreadable, recent, standings))
    out.document(_document(found, policies, recent, standings, differences))
    _show_policies(out, policies, found)
    _show_recent(out, recent, standings)
    out.say()
    if not differences:
        out.say(_agreement(policies, recent), style="green")
    for difference in differences:
        out.say(f"- {difference.text}", style="yellow")
    if absent := [policy.name for policy in policies if not policy.written and not policy.mistake]:
        out.say(
            f"Not compared, because there is no file in ./{POLICIES_FOLDER}: {', '.join(absent)}. Run this command "
            "beside that folder."
        )


def _recent(connection: Connection, deployment: Deployment, now: datetime) -> RecentVerdicts:
    table = OperatorsVerdictTable.of(connection, deployment, PARALLEL_QUERIES)
    pages = table.read(table.newest_flagged(now.date()))
    return RecentVerdicts.of((item for page in pages for item in page), deployment.policy_name_for)


def _standing(
    group: VerdictGroup, stored: StoredPointer | None, active: Callable[[StoredPointer], Policy], uploads: UploadBucket
) -> PolicyStanding:
    if stored is None:
        return PolicyStanding(group, None, None)
    if stored.pointer.hash == group.policy.hash:
        return PolicyStanding(group, stored.pointer, 0)
    from botocore.exceptions import ClientError

    try:
        would_change = group.changed_by(active(stored), uploads)
    except (CommandError, ClientError) as error:  # the rest is shown anyway
        return PolicyStanding(group, stored.pointer, None, str(error))
    return PolicyStanding(group, stored.pointer, would_change)


def _show_policies(out: Output, policies: list[PolicyInUse], deployment: Deployment) -> None:
    columns = ("Policy", "Lanes", "File", "Deployed", "Active", "Since")
    table = out.table("Policies in use", *columns, sentences={"Lanes", "Since"})
    for policy in policies:
        written, pointer, stored = policy.written, policy.pointer, policy.stored
        file = f"{written.version} ({short(written.hash)})" if written else "has a mistake" if policy.mistake else "-"
        deployed = f"{pointer.shipped.version} ({short(pointer.shipped.hash)})" if pointer else "?"
        active = f"{pointer.version} ({short(pointer.hash)}), {_by(policy)}" if pointer else "?"
        lanes = ", ".join(_lanes(policy.name, deployment))
        cells = (policy.name, lanes, file, deployed, active, _since(stored) if stored else "?")
        table.add_row(*(printable(cell) for cell in cells))
    out.show(table)


def _lanes(policy: str, deployment: Deployment) -> Iterator[str]:
    """The lanes of a policy, with prefixes if it judges only some keys of a lane."""
    for name, lane in sorted(deployment.lanes.items()):
        if lane.policy == policy:
            yield name
        prefixes = [prefix for prefix, override in lane.policy_overrides if override == policy]
        if prefixes:
            rest = len(prefixes) - _PREFIXES_SHOWN
            shown = " ".join(prefixes[:_PREFIXES_SHOWN])
            yield f"{name}: {shown}{f' and {rest} more' if rest > 0 else ''}"


def _by(policy: PolicyInUse) -> str:
    return "live" if policy.pointer and policy.pointer.is_live else "deployed"


def _since(stored: StoredPointer) -> str:
    seconds = (stored.now - stored.modified).total_seconds()
    recent = seconds < FOLLOWED_AFTER
    return f"{_time(stored)}{'; functions follow within a minute' if recent else ''}"


def _time(stored: StoredPointer) -> str:
    return f"{stored.modified:%Y-%m-%dT%H:%M:%S}Z"


def _agreement(policies: Sequence[PolicyInUse], recent: RecentVerdicts) -> str:
    """A sentence that nothing differs, naming what was compared."""
    compared = {"files": any(policy.written for policy in policies), "these verdicts": recent.looked_at > 0}
    others = " and ".join(name for name, there_are in compared.items() if there_are)
    return f"No drift: {others} agree with the pointers." if others else "No drift: only the pointers could be read."


def _show_recent(out: Output, recent: RecentVerdicts, standings: list[PolicyStanding]) -> None:
    out.say()
    if not recent.looked_at:
        out.say(f"No upload was flagged in the last {DAYS} days. {_NOT_COUNTED}")
        return
    title = f"The newest flagged verdicts of the last {DAYS} days, {MOST} at most"
    table = out.table(title, "Policy", "Version", "Verdicts", "Newest", "Active for them", "Would change")
    for standing in standings:
        group, policy = standing.group, standing.group.policy
        version = f"{policy.version} ({short(policy.hash)})"
        active = {True: "yes", False: "no", None: "?"}[standing.is_active]
        would_change = "?" if standing.would_change is None else str(standing.would_change)
        cells = (policy.name, version, str(group.count), group.newest, active, would_change)
        table.add_row(*(printable(cell) for cell in cells))
    out.show(table)
    if any(standing.is_active is False and standing.would_change is not None for standing in standings):
        out.say(_UNCHANGED)
    if recent.by_people:
        out.say(f"People decided {recent.by_people} more of them; no policy changes these.")
    out.say(_NOT_COUNTED)


def _document(
    deployment: Deployment,
    policies: list[PolicyInUse],
    recent: RecentVerdicts,
    standings: list[PolicyStanding],
    differences: list[Drift],
) -> dict[str, Any]:
    return {
        "deployment": deployment.name,
        "policies": [_policy_document(policy) for policy in policies],
        "recent_verdicts": {
            "days": DAYS,
            "looked_at": recent.looked_at,
            "decided_by_people": recent.by_people,
            "by_policy": [
                {
                    **standing.group.policy.to_document(),
                    "governed_by": standing.group.governed_by,
                    "verdicts": standing.group.count,
                    "newest": standing.group.newest,
                    "active": standing.is_active,
                    "would_change": standing.would_change,
                }
                for standing in standings
            ],
        },
        "drift": [difference.to_document() for difference in differences],
    }


def _policy_document(policy: PolicyInUse) -> dict[str, Any]:
    written, stored, pointer = policy.written, policy.stored, policy.pointer
    return {
        "name": policy.name,
        "lanes": list(policy.lanes),
        "file": {
            "path": str(policy.file),
            "version": written.version if written else None,
            "hash": written.hash if written else None,
            "error": policy.mistake,
        },
        "parameter": stored.parameter if stored else None,
        "deployed": {"version": pointer.shipped.version, "hash": pointer.shipped.hash} if pointer else None,
        "active": {
            "version": pointer.version,
            "hash": pointer.hash,
            "live": pointer.is_live,
            "since": iso(stored.modified),
        }
        if pointer and stored
        else None,
    }
