"""What must hold after a run, whatever was injected: I1 to I5 and I7 of docs/architecture.md, as readable sentences."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gatehouse.moderation.flag import flag_id
from gatehouse.moderation.status import FINAL, FLAGGED, Status
from gatehouse.moderation.verdict_item import STATUS, VERSION, verdict_from_item
from tests.chaos.ledger import Ledger

#: Sentences of one sort that are spelled out; a broken run would have thousands.
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Observed:
    """What was found once a run had ended, of the keys it used.

    Attributes:
        items: verdict items.
        flags: the flags' bodies, as often as they came.
        waiting: where something waits still -> how much of it: ingest and chunk queues, undelivered events, running
            executions.
        dead_letters: messages in the lanes' dead-letter queues.
        analyzed: key -> how often it was analyzed.
        stored: key and version id of every version in the watched bucket.
        changed: verdicts that were seen final during the run, and then seen otherwise: one sentence each.
        unstruck: faults that were armed and did not strike.
    """

    items: Sequence[Mapping[str, Any]] = ()
    flags: Sequence[Mapping[str, Any]] = ()
    waiting: Mapping[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    analyzed: Mapping[str, int] = field(default_factory=dict)
    stored: frozenset[tuple[str, str]] = frozenset()
    changed: Sequence[str] = ()
    unstruck: Sequence[str] = ()


def violations(ledger: Ledger, observed: Observed) -> list[str]:
    """Every invariant that does not hold, one sentence for each finding; none if all hold."""
    checks: dict[str, Iterable[str]] = {
        "I1": _one_final_verdict_each(ledger, observed),
        "I2": [*_newest_on_top(ledger, observed), *observed.changed],
        "I3": _right_verdicts(ledger, observed),
        "I4": _paid_once(ledger, observed),
        "I5": _flags_and_verdicts_agree(observed),
        "I7": _only_uploads_stored(ledger, observed),
        "no strike": observed.unstruck,
    }
    return [sentence for name, found in checks.items() for sentence in _shortened(name, list(found))]


def _shortened(name: str, sentences: list[str]) -> Iterator[str]:
    yield from (f"{name}: {sentence}" for sentence in sentences[:_SHOWN])
    if len(sentences) > _SHOWN:
        yield f"{name}: and {len(sentences) - _SHOWN} more"


def _one_final_verdict_each(ledger: Ledger, observed: Observed) -> Iterator[str]:
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


def _newest_on_top(ledger: Ledger, observed: Observed) -> Iterator[str]:
    newest = ledger.newest
    top: dict[str, Mapping[str, Any]] = {}
    for item in observed.items:
        if item["key"] not in top or item[VERSION] > top[item["key"]][VERSION]:
            top[item["key"]] = item
    for key, item in top.items():
        if item.get("version_id") != newest.get(key):
            yield f"the newest verdict of {key} is not its newest upload's"


def _right_verdicts(ledger: Ledger, observed: Observed) -> Iterator[str]:
    approved = Counter(item["key"] for item in observed.items if item[STATUS] == Status.APPROVED)
    for item in observed.items:
        entry = ledger.find(item["key"], item.get("version_id"))
        if entry is None or item[STATUS] not in FINAL:
            continue  # told under I1
        error = item.get("error", {})
        right = ledger.right_statuses(entry, item.get("engine"), error.get("code"))
        if item[STATUS] not in right:
            because = f" ({error['code']}: {error['message'][:80]})" if error else ""
            yield f"{entry.key} is {entry.kind} and became {item[STATUS]}{because}, not {' or '.join(sorted(right))}"
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
        ids[identity].add(flag["id"])
        told[identity].add(flag["status"])
    for item in observed.items:
        identity = item["key"], item[VERSION]
        found, statuses = ids.pop(identity, set()), told[identity]
        if item[STATUS] not in FLAGGED:
            if found:
                yield f"{item['key']} is {item[STATUS]} and was flagged as {' and '.join(sorted(statuses))}"
            continue
        expected = flag_id(verdict_from_item(item))
        if expected not in found:
            yield f"{item['key']} is {item[STATUS]} and no flag with its id came"
        if len(found) > 1:
            yield f"{item['key']} was flagged under {len(found)} ids"
    for key, _ in ids:
        yield f"{key} was flagged and has no verdict"


def _only_uploads_stored(ledger: Ledger, observed: Observed) -> Iterator[str]:
    for key, version_id in sorted(observed.stored):
        if ledger.find(key, version_id) is None:
            yield f"{key} ({version_id}) is in the watched bucket and nobody uploaded it"
