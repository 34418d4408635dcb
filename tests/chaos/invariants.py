"""What must hold after a run, whatever was injected, as readable sentences: I1 to I5, I7, I11 and I12 of
docs/architecture.md."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gatehouse.moderation.flag import FIRST_VERDICT, flag_id
from gatehouse.moderation.status import FINAL, FLAGGED, Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import HISTORY, STATUS, VERSION, verdict_from_item
from tests.chaos.ledger import Ledger

#: Sentences of one sort that are spelled out; a broken run would have thousands.
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Observed:
    """What was found once a run had ended, of the keys it used.

    Attributes:
        items: verdict items.
        flags: the bodies of flagged uploads' flags, as often as they came.
        announced: the bodies of changes' flags, as often as they came.
        given_up: changes that the failure queue names.
        events: the documents of events that came, or that are kept because no bus took them.
        waiting: where something waits still -> how much of it: ingest and chunk queues, undelivered events, running
            executions.
        dead_letters: messages in the lanes' dead-letter queues.
        analyzed: key -> how often it was analyzed.
        stored: key and version id of every version in the watched bucket.
        open: those of them that the gate lets everybody read; None without a gate.
        changed: verdicts that were seen final during the run, and then seen otherwise: one sentence each.
        unstruck: faults that were armed and did not strike.
    """

    items: Sequence[Mapping[str, Any]] = ()
    flags: Sequence[Mapping[str, Any]] = ()
    announced: Sequence[Mapping[str, Any]] = ()
    given_up: Sequence[Verdict] = ()
    events: Sequence[Mapping[str, Any]] = ()
    waiting: Mapping[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    analyzed: Mapping[str, int] = field(default_factory=dict)
    stored: frozenset[tuple[str, str]] = frozenset()
    open: frozenset[tuple[str, str]] | None = None
    changed: Sequence[str] = ()
    unstruck: Sequence[str] = ()


def violations(ledger: Ledger, observed: Observed) -> list[str]:
    """Every invariant that does not hold, one sentence for each finding; none if all hold."""
    checks: dict[str, Iterable[str]] = {
        "I1": one_final_verdict_each(ledger, observed),
        "I2": [*newest_on_top(ledger, observed), *observed.changed],
        "I3": _right_verdicts(ledger, observed),
        "I4": _paid_once(ledger, observed),
        "I5": _flags_and_verdicts_agree(observed),
        "events": _every_verdict_announced(observed),
        "I7": only_uploads_stored(ledger, observed),
        "I12": gate_follows(observed),
        "I11": [*_acts_stand(ledger, observed), *_changes_told(ledger, observed)],
        "no strike": observed.unstruck,
    }
    return [sentence for name, found in checks.items() for sentence in shortened(name, list(found))]


def shortened(name: str, sentences: list[str]) -> Iterator[str]:
    """The first of the sentences about an invariant, and how many more there are."""
    yield from (f"{name}: {sentence}" for sentence in sentences[:_SHOWN])
    if len(sentences) > _SHOWN:
        yield f"{name}: and {len(sentences) - _SHOWN} more"


def gate_follows(observed: Observed) -> Iterator[str]:
    """I12, once everything is quiet: what is approved is open, and nothing else."""
    if observed.open is None:
        return
    statuses = {(item["key"], item.get("version_id")): item[STATUS] for item in observed.items}
    for version in sorted(observed.stored):
        status = statuses.get(version)
        if (status == Status.APPROVED) != (version in observed.open):
            yield f"{version[0]} ({version[1]}) is {status}, and {'open' if version in observed.open else 'closed'}"


def one_final_verdict_each(ledger: Ledger, observed: Observed) -> Iterator[str]:
    """I1."""
    items = Counter((item["key"], item.get("version_id")) for item in observed.items)
    for entry in ledger:
        count = items.pop((entry.key, entry.version_id), 0)
        if count != 1:
            yield f"{entry.key} ({entry.version_id}) has {count} verdicts"
    for (key, version_id), count in items.items():
        yield f"{key} ({version_id}) was never uploaded and has {count} verdicts"
    for item in observed.items:
        if item[STATUS] not in FINAL:
            yield f"{item['key']} is {item[STATUS]} in batch {item['batch_id']}"
    for place, count in observed.waiting.items():
        if count:
            yield f"{count} left in {place}"
    if observed.dead_letters != ledger.dead_letters:
        yield f"{observed.dead_letters} dead letters instead of {ledger.dead_letters}"


def newest_on_top(ledger: Ledger, observed: Observed) -> Iterator[str]:
    """The first part of I2."""
    newest = ledger.newest
    top: dict[str, Mapping[str, Any]] = {}
    for item in observed.items:
        if item["key"] not in top or item[VERSION] > top[item["key"]][VERSION]:
            top[item["key"]] = item
    for key, item in top.items():
        if item.get("version_id") != newest.get(key):
            yield f"the newest verdict of {key} is not its newest upload's"


def _right_verdicts(ledger: Ledger, observed: Observed) -> Iterator[str]:
    approved = Counter(item["key"] for item in observed.items if _first_status(item) == Status.APPROVED)
    for item in observed.items:
        entry = ledger.find(item["key"], item.get("version_id"))
        if entry is None or item[STATUS] not in FINAL:
            continue  # told under I1
        error = item.get("error", {})
        right = ledger.right_statuses(entry, item.get("engine"), error.get("code"))
        status = _first_status(item)
        if status not in right:
            because = f" ({error['code']}: {error['message'][:80]})" if error else ""
            yield f"{entry.key} is {entry.kind} and became {status}{because}, not {' or '.join(sorted(right))}"
    for key, count in approved.items():
        if observed.analyzed.get(key, 0) < count:
            yield f"{key} has {count} approvals and {observed.analyzed.get(key, 0)} analyses"


def _paid_once(ledger: Ledger, observed: Observed) -> Iterator[str]:
    paid = ledger.paid_uploads()
    again = {key: count - paid[key] for key, count in observed.analyzed.items() if count > paid[key]}
    if sum(again.values()) > ledger.paid_again:
        most = max(again, key=lambda key: again[key])
        yield (
            f"{sum(again.values())} analyses too many where the faults justify {ledger.paid_again}; "
            f"{most} was analyzed {observed.analyzed[most]} times"
        )


def _flags_and_verdicts_agree(observed: Observed) -> Iterator[str]:
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    told: dict[tuple[str, str], set[str]] = defaultdict(set)
    for flag in observed.flags:
        identity = flag["object"]["key"], flag["version"]
        if flag["cause"] == FIRST_VERDICT:
            ids[identity].add(flag["id"])
            told[identity].add(flag["status"])
    for item in observed.items:
        identity = item["key"], item[VERSION]
        found, statuses = ids.pop(identity, set()), told[identity]
        status = _first_status(item)
        if status not in FLAGGED:
            if found:
                yield f"{item['key']} is {status} and was flagged as {' and '.join(sorted(statuses))}"
            continue
        expected = flag_id(replace(verdict_from_item(item), status=status, change=None))
        if expected not in found:
            yield f"{item['key']} is {status} and no flag with its id came"
        if len(found) > 1:
            yield f"{item['key']} was flagged under {len(found)} ids"
    for key, _ in ids:
        yield f"{key} was flagged and has no verdict"


def _every_verdict_announced(observed: Observed) -> Iterator[str]:
    """Each final verdict has an event with its id, sent or kept, and none is about what nobody uploaded."""
    found = {event["id"] for event in observed.events}
    for item in observed.items:
        if item[STATUS] in FINAL and flag_id(verdict_from_item(item)) not in found:
            yield f"{item['key']} is {item[STATUS]} and no event with its id came or is kept"
    known = {(item["key"], item[VERSION]) for item in observed.items}
    for key, version in {(event["object"]["key"], event["version"]) for event in observed.events} - known:
        yield f"{key} ({version}) was announced and has no verdict"


def _acts_stand(ledger: Ledger, observed: Observed) -> Iterator[str]:
    """Each item is what the last act made of it; acts that were refused left nothing."""
    changes = _by_identity(ledger.changes)
    refused = {entry for verdict in ledger.undone for entry in verdict.history[-1:]}
    for item in observed.items:
        made = changes.pop((item["key"], item[VERSION]), [])
        if item[STATUS] not in FINAL:
            continue  # told under I1
        verdict = verdict_from_item(item)
        if [change.revision for change in made] != list(range(1, len(made) + 1)):
            yield f"{item['key']} was acted on under the revisions {[change.revision for change in made]}"
        if made and verdict != made[-1]:
            left_by, number = made[-1].decided_by, made[-1].revision
            yield f"{item['key']} is at revision {verdict.revision}, not as {left_by} left it at {number}"
        if not made and verdict.revision:
            yield f"{item['key']} has revision {verdict.revision} and nobody acted on it"
        if left := refused & set(verdict.history):
            yield f"{item['key']} has {len(left)} entries of acts that were refused"
    for key, _ in changes:
        yield f"{key} was acted on and has no verdict"


def _changes_told(ledger: Ledger, observed: Observed) -> Iterator[str]:
    """Each change has its flag, or the failure queue names it; and nothing else was announced."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for flag in observed.announced:
        found[flag["object"]["key"], flag["version"]].add(flag["id"])
    given_up = {flag_id(verdict) for verdict in observed.given_up}
    if len(given_up) != ledger.given_up:
        yield f"{len(given_up)} changes given up instead of {ledger.given_up}"
    for identity, changes in _by_identity(ledger.changes).items():
        ids = {flag_id(change): change for change in changes}
        told = found.pop(identity, set())
        for missing in ids.keys() - told - given_up:
            yield f"{identity[0]} changed to {ids[missing].status} at revision {ids[missing].revision} and no flag came"
        if told - ids.keys():
            yield f"{identity[0]} has flags of {len(told - ids.keys())} changes that nobody made"
    for key, _ in found:
        yield f"{key} has flags of changes and nobody acted on it"


def _by_identity(verdicts: Iterable[Verdict]) -> dict[tuple[str, str], list[Verdict]]:
    found: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        found[verdict.upload.key, verdict.upload.version].append(verdict)
    return found


def _first_status(item: Mapping[str, Any]) -> Status:
    """The status that an item had before people acted on it."""
    history = item.get(HISTORY)
    return Status(history[0]["from"] if history else item[STATUS])


def only_uploads_stored(ledger: Ledger, observed: Observed) -> Iterator[str]:
    """I7."""
    for key, version_id in sorted(observed.stored):
        if ledger.find(key, version_id) is None:
            yield f"{key} ({version_id}) is in the watched bucket and nobody uploaded it"
