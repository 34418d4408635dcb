"""Sentences about differences between a policy's file, pointer and verdicts, and what to do about them."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatehouse.cli.aws.policy_parameters import StoredPointer, UnreadablePointer
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.policy.explanation_report import policy_words
from gatehouse.cli.policy.policy_source import short
from gatehouse.cli.policy.recent_verdicts import RecentVerdicts, VerdictGroup
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer, PolicyVersion


@dataclass(frozen=True, slots=True)
class PolicyInUse:
    """A policy that lanes use: its local file, and its pointer in the deployment.

    Attributes:
        file: the path of its file, even if that does not exist.
        written: the policy in the file; None if there is none, or it can't be read.
        mistake: why the file can't be read, or None.
        stored: its pointer, or None if it could not be read.
    """

    name: str
    lanes: tuple[str, ...]
    file: Path
    written: Policy | None
    mistake: str | None
    stored: StoredPointer | None

    @property
    def pointer(self) -> PolicyPointer | None:
        """The active version, if that could be read."""
        return self.stored.pointer if self.stored else None


@dataclass(frozen=True, slots=True)
class PolicyStanding:
    """Verdicts of one policy, compared with the policy that is active for them.

    Attributes:
        would_change: how many of them the active policy would change; None if that is unknown.
        problem: why it is unknown, although the active policy is known; else None.
    """

    group: VerdictGroup
    active: PolicyPointer | None
    would_change: int | None
    problem: str | None = None

    @property
    def is_active(self) -> bool | None:
        """Whether the policy that decided them is the active one; None if that is unknown."""
        return None if self.active is None else self.active.hash == self.group.policy.hash


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference.

    Attributes:
        kind: `pointer_unreadable`, `pointer_missing`, `file_mistake`, `file_not_active`, `live_change`,
            `verdicts_would_change` or `verdicts_not_compared`.
        policy: name of the policy it is about.
        text: a sentence about the difference and what to do.
    """

    kind: str
    policy: str
    text: str

    def to_document(self) -> dict[str, str]:
        """For scripts."""
        return {"kind": self.kind, "policy": self.policy, "text": self.text}


def drifts(
    policies: Sequence[PolicyInUse],
    unreadable: Sequence[UnreadablePointer],
    recent: RecentVerdicts,
    standings: Sequence[PolicyStanding],
) -> Iterator[Drift]:
    """All differences; the ones that stop uploads come first."""
    yield from _pointers(policies, unreadable)
    for policy in policies:
        yield from _file(policy)
    commands = {policy.name: _apply_active(policy) for policy in policies}
    for standing in standings:
        yield from _verdicts(standing, recent.looked_at, commands)


def _pointers(policies: Sequence[PolicyInUse], unreadable: Sequence[UnreadablePointer]) -> Iterator[Drift]:
    written = {policy.name: policy.written for policy in policies}
    for pointer in unreadable:
        policy = written.get(pointer.policy)
        value = shlex.quote(PolicyPointer.to_shipped(policy).to_text()) if policy else "POINTER"
        where = "" if policy else f', where POINTER is \'{{"hash": ..., "name": "{pointer.policy}", "version": ...}}\''
        name = shlex.quote(pointer.parameter)
        command = f"aws ssm put-parameter --type String --overwrite --name {name} --value {value}"
        yield Drift(
            "pointer_unreadable",
            pointer.policy,
            f"The pointer of {pointer.policy}, {pointer.parameter}, can't be read: {pointer.problem}. Until it can, "
            f"uploads wait in the queues of its lanes. Write it as a deploy does: `{command}`{where}; then `make "
            "deploy`.",
        )
    known = {pointer.policy for pointer in unreadable}
    for in_use in policies:
        if in_use.stored is None and in_use.name not in known:
            text = f"No parameter points to {in_use.name}, although {_lanes(in_use)} uses it: run `make deploy`."
            yield Drift("pointer_missing", in_use.name, text)


def _file(policy: PolicyInUse) -> Iterator[Drift]:
    if policy.mistake:
        yield Drift("file_mistake", policy.name, f"{policy.mistake}; it can't be compared with the active version.")
    pointer, written, file = policy.pointer, policy.written, policy.file
    if pointer is None:
        return
    try_it = f"`{COMMAND} policy diff {policy.name} {file}` shows what it would change"
    apply = f"`{COMMAND} policy apply {file}`"
    if pointer.is_live:
        shipped = f"version {pointer.shipped.version} ({short(pointer.shipped.hash)})"
        live = f"A live change activated {_words(pointer.name, pointer)}; the deployed version is {shipped}."
        if written is None:
            advice = "A deploy keeps the change, unless the policy's file has changed."
        elif written.hash == pointer.hash:
            advice = f"{file} is the same as the change: the next `make deploy` makes it the deployed version."
        elif written.hash == pointer.shipped.hash:
            advice = (
                f"{file} is still the deployed version, so a deploy keeps the change. Write the change into the file "
                f"to make it permanent; {apply} reverts it."
            )
        else:
            advice = (
                f"{file} is neither of them (it is version {written.version}, {short(written.hash)}), so the next "
                f"`make deploy` replaces the change. {try_it}; {apply} activates it now."
            )
        yield Drift("live_change", policy.name, f"{live} {advice}")
    elif written is not None and written.hash != pointer.hash:
        rename = " Write another version into the file first." if written.version == pointer.version else ""
        yield Drift(
            "file_not_active",
            policy.name,
            f"{file} is version {written.version} ({short(written.hash)}), but {_words(pointer.name, pointer)} is "
            f"active.{rename} {try_it}; {apply} or `make deploy` activates it.",
        )


def _verdicts(standing: PolicyStanding, looked_at: int, apply: Mapping[str, str]) -> Iterator[Drift]:
    group, active = standing.group, standing.active
    if active is None or standing.is_active:
        return
    newest = f"of the {looked_at} newest flagged verdicts"
    given, now = policy_words(group.policy), f"{_words(active.name, active)}, which is active for them"
    if standing.would_change:
        yield Drift(
            "verdicts_would_change",
            group.governed_by,
            f"{standing.would_change} {newest}, given by {given}, would change under {now}: "
            f"{apply[group.governed_by]} judges them again.",
        )
    elif standing.problem:
        yield Drift(
            "verdicts_not_compared",
            group.governed_by,
            f"{group.count} {newest} were given by {given}. Whether they would change under {now}, is unknown: "
            f"{standing.problem}",
        )


def _apply_active(policy: PolicyInUse) -> str:
    """The command that judges again by the active version."""
    if policy.written and policy.pointer and policy.written.hash == policy.pointer.hash:
        return f"`{COMMAND} policy apply {policy.file}`"
    return f"`{COMMAND} policy apply FILE`, with the file of that version,"


def _words(name: str, version: PolicyPointer | PolicyVersion) -> str:
    return f"{name} version {version.version} ({short(version.hash)})"


def _lanes(policy: PolicyInUse) -> str:
    return f"lane {policy.lanes[0]}" if len(policy.lanes) == 1 else f"each of the lanes {', '.join(policy.lanes)}"
