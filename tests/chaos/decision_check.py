"""What must hold after a run of decisions, as readable sentences: each item has one history, and subscribers know it.

The flags are looked at as a subscriber to all of them sees them; every final verdict and every change has one. So the
chain of an item's revisions is known from its first verdict on, also where no history is kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gatehouse.moderation.change import Cause, Change
from gatehouse.moderation.flag import flag_id
from gatehouse.moderation.person import is_person
from gatehouse.moderation.status import FINAL, Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import STATUS, VERSION, verdict_from_item
from tests.chaos.decision_plan import MILDER, STANDARD, STRICTER, judged
from tests.chaos.invariants import Observed, newest_on_top, one_final_verdict_each, only_uploads_stored, shortened
from tests.chaos.ledger import Entry, Ledger
from tests.chaos.reviewer import Hold

_Identity = tuple[str, str]
_Flag = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a run, beside what `Observed` has. In its `announced` are all flags, in order of arrival.

    Attributes:
        done: what acts that were acknowledged made of verdicts.
        refused: what acts that were refused would have made of them.
        policies: the versions by which a verdict that no person decided may have been judged last.
        holds: review claims that were written, those of one upload in the order they were written.
    """

    observed: Observed
    done: Sequence[Verdict] = ()
    refused: Sequence[Verdict] = ()
    policies: Sequence[str] = (MILDER,)
    holds: Sequence[Hold] = ()
    _flags: dict[_Identity, dict[int, list[_Flag]]] = field(default_factory=dict)

    def flags(self) -> Mapping[_Identity, Mapping[int, list[_Flag]]]:
        """Object and version of an upload -> revision -> its flags."""
        if not self._flags:
            for flag in self.observed.announced:
                self._flags.setdefault(_told(flag), {}).setdefault(flag["revision"], []).append(flag)
        return self._flags


def followed(flags: Iterable[_Flag]) -> dict[_Identity, _Flag]:
    """What a subscriber holds who keeps for each upload the flag of the highest revision, the last one of several."""
    kept: dict[_Identity, _Flag] = {}
    for flag in flags:
        before = kept.get(_told(flag))
        if before is None or flag["revision"] >= before["revision"]:
            kept[_told(flag)] = flag
    return kept


def holds_the_table(flags: Iterable[_Flag], items: Iterable[Mapping[str, Any]]) -> bool:
    """Whether such a subscriber knows what the table has."""
    return next(_subscriber_follows(flags, items), None) is None


def violations(ledger: Ledger, decided: Decided) -> list[str]:
    """Everything that does not hold, one sentence for each finding; none if all holds."""
    observed = decided.observed
    verdicts = [verdict_from_item(item) for item in observed.items if item[STATUS] in FINAL]
    checks: dict[str, Iterable[str]] = {
        "I1": one_final_verdict_each(ledger, observed),
        "I2": [*newest_on_top(ledger, observed), *observed.changed],
        "I3": _right_bytes(ledger, decided, verdicts),
        "I7": only_uploads_stored(ledger, observed),
        "history": _histories(decided, verdicts),
        "acts": _acts(decided, verdicts),
        "flags": _flags_of_revisions(decided, verdicts),
        "events": _events_of_flags(observed),
        "holds": _holds_kept(decided, verdicts),
        "subscriber": _subscriber_follows(observed.announced, observed.items),
        "given up": (f"{verdict.upload.object} at revision {verdict.revision}" for verdict in observed.given_up),
    }
    return [sentence for name, found in checks.items() for sentence in shortened(name, list(found))]


def _right_bytes(ledger: Ledger, decided: Decided, verdicts: Iterable[Verdict]) -> Iterator[str]:
    """What no person decided is as one of the policies judges the upload's own bytes."""
    for verdict in verdicts:
        upload = verdict.upload
        entry = ledger.find(upload.key, upload.version_id)
        if entry is None or is_person(verdict.decided_by):
            continue
        right = _right_statuses(ledger, entry, verdict, decided.policies)
        if verdict.status not in right:
            yield f"{upload.key} is {entry.kind} and became {verdict.status}, not {' or '.join(sorted(right))}"


def _right_statuses(ledger: Ledger, entry: Entry, verdict: Verdict, policies: Sequence[str]) -> set[Status]:
    """A job reads what is current: what it says of newer bytes may stand for older ones, unless that approves them."""
    right = {judged(policy, entry.kind) for policy in policies}
    if verdict.failure and verdict.failure.code in ledger.failing.get(entry.key, frozenset()):
        right.add(Status.FAILED)
    newer = list(ledger.newer(entry))
    if newer and verdict.engine is not None and not verdict.engine.names_versions:
        kinds = {entry.kind, *(one.kind for one in newer)}
        right |= {judged(policy, kind) for policy in (STANDARD, STRICTER, MILDER) for kind in kinds} - {Status.APPROVED}
    return right


def _histories(decided: Decided, verdicts: Iterable[Verdict]) -> Iterator[str]:
    """Each entry goes on from where the revision before it was, and the last one is what stands.

    No policy decides again what a person has acted on.
    """
    flags = decided.flags()
    for verdict in verdicts:
        key, history = verdict.upload.key, verdict.history
        told = flags.get(verdict.upload.identity, {})
        first = verdict.revision - len(history) + 1
        if history and first < 1:
            yield f"{key} has {len(history)} entries and revision {verdict.revision}"
            continue
        for revision, entry in enumerate(history, start=first):
            before = told.get(revision - 1, [])
            if entry.before not in {flag["status"] for flag in before}:
                yield f"{key} came from {entry.before} at revision {revision}, and was not that before"
            if entry.since not in {flag["decided_at"] for flag in before}:
                yield f"{key} came from what was decided at {entry.since} at revision {revision}, and nothing was"
            said = (entry.cause, entry.after, entry.at, entry.by)
            for flag in told.get(revision, []):
                if (flag["cause"], flag["status"], flag["decided_at"], flag["decided_by"]) != said:
                    yield f"{key} was told as {flag['status']} at revision {revision}, and its history has {said}"
        if machines := {entry.by for entry in history if not is_person(entry.by)}:
            yield f"{key} was decided by a person and then by {' and '.join(sorted(machines))}"
        if history and (history[-1].after, history[-1].at, history[-1].by) != (
            *(verdict.status, verdict.decided_at, verdict.decided_by),
        ):
            yield f"{key} is {verdict.status} by {verdict.decided_by}, and its history ends with {history[-1].after}"
        if not history and (is_person(verdict.decided_by) or verdict.decision):
            yield f"{key} was decided by {verdict.decided_by} and has no history"


def _acts(decided: Decided, verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Acts that were acknowledged stand once, each at its revision; others left nothing."""
    histories = {verdict.upload.identity: verdict.history for verdict in verdicts}
    known: dict[_Identity, set[Any]] = defaultdict(set)
    for act in decided.done:
        identity, entry = act.upload.identity, act.history[-1]
        known[identity].add(entry)
        history, what = histories.get(identity, ()), f"{act.upload.key}: {entry.cause} {entry.note!r}"
        if history.count(entry) != 1:
            yield f"{what} was acknowledged and stands {history.count(entry)} times"
        elif history.index(entry) != len(act.history) - 1:
            yield f"{what} stands elsewhere in the history than it was written"
    for act in decided.refused:
        if act.history[-1] in histories.get(act.upload.identity, ()):
            yield f"{act.upload.key}: {act.history[-1].note!r} was refused and stands"
    for identity, history in histories.items():
        strange = [entry for entry in history if is_person(entry.by) and entry not in known[identity]]
        if strange:
            yield f"{identity[0]} has {len(strange)} entries that nobody was acknowledged"


def _flags_of_revisions(decided: Decided, verdicts: Iterable[Verdict]) -> Iterator[str]:
    """Each revision from the first verdict's to the last has one flag, with the id of what it says."""
    flags = dict(decided.flags())
    for verdict in verdicts:
        key, told = verdict.upload.key, flags.pop(verdict.upload.identity, {})
        if missing := sorted(set(range(verdict.revision + 1)) - told.keys()):
            yield f"{key} is at revision {verdict.revision} and has no flag of {missing}"
        if more := sorted(told.keys() - set(range(verdict.revision + 1))):
            yield f"{key} is at revision {verdict.revision} and has flags of {more}"
        for revisions in _of_one_id(told):
            yield f"{key} was told under one id at the revisions {revisions}"
        for revision, found in told.items():
            ids = {flag["id"] for flag in found}
            if len(ids) > 1:
                yield f"{key} was told under {len(ids)} ids at revision {revision}"
            if revision and ids != {_id(verdict, flag) for flag in found}:
                yield f"{key} was told at revision {revision} under another id than its content's"
            if any(flag["object"]["version_id"] != verdict.upload.version_id for flag in found):
                yield f"{key} was told of another version of the object"
    for uri, _ in flags:
        yield f"{uri} was told of and has no verdict"


def _events_of_flags(observed: Observed) -> Iterator[str]:
    """Each flag has an event of its id, sent or kept, and each event has a flag: both tell of every change."""
    flags = {flag["id"]: flag for flag in observed.announced}
    events = {event["id"]: event for event in observed.events}
    for name in sorted(flags.keys() - events.keys()):
        yield f"{_told(flags[name])[0]} at revision {flags[name]['revision']} has a flag, and no event came or is kept"
    for name in sorted(events.keys() - flags.keys()):
        yield f"{_told(events[name])[0]} at revision {events[name]['revision']} has an event and no flag"


def _holds_kept(decided: Decided, verdicts: Iterable[Verdict]) -> Iterator[str]:
    """Whatever a person did next to what somebody held, nobody else decided on it before the hold had ended.

    A policy's change leaves the hold; an appeal or a report ends it. Who holds an upload again holds it until the time
    written last, which may be the earlier one.
    """
    found = {verdict.upload.identity: verdict for verdict in verdicts}
    written_last = {(hold.identity, hold.by, hold.revision): hold for hold in decided.holds}
    for hold in written_last.values():
        verdict = found.get(hold.identity)
        if verdict is None:
            continue  # told under I1
        first = verdict.revision - len(verdict.history) + 1
        later = verdict.history[max(0, hold.revision + 1 - first) :]
        entry = next((entry for entry in later if is_person(entry.by)), None)
        if entry and entry.cause is Cause.DECISION and entry.by != hold.by and entry.at < hold.until:
            yield f"{verdict.upload.key} was held by {hold.by} until {hold.until}, and {entry.by} decided at {entry.at}"


def _of_one_id(told: Mapping[int, Sequence[_Flag]]) -> Iterator[list[int]]:
    """Revisions whose flags have the same id."""
    revisions: dict[str, set[int]] = defaultdict(set)
    for revision, flags in told.items():
        for flag in flags:
            revisions[flag["id"]].add(revision)
    yield from (sorted(found) for found in revisions.values() if len(found) > 1)


def _id(verdict: Verdict, flag: _Flag) -> str:
    """The id of a change that a flag tells of."""
    change = Change(Cause(flag["cause"]), announce=True)
    return flag_id(replace(verdict, status=Status(flag["status"]), revision=flag["revision"], change=change))


def _subscriber_follows(flags: Iterable[_Flag], items: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    kept = followed(flags)
    for item in items:
        flag = kept.get((item["object"], item[VERSION]))
        stands = item[STATUS], item.get("decided_by"), int(item.get("revision", 0))
        held = flag and (flag["status"], flag["decided_by"], flag["revision"])
        if held != stands:
            yield f"{item['key']} is {stands}, and a subscriber holds {held}"


def _told(flag: _Flag) -> _Identity:
    return f"s3://{flag['object']['bucket']}/{flag['object']['key']}", flag["version"]
