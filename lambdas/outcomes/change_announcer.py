"""Announces changes after a first verdict: publishes their flags, and sends their events.

Whoever changes an item writes with the change whether it is to be announced. What the stream delivers twice is
published twice, under the same id. Lambda delivers a record whose flag was refused again, and those after it. An item
that can't be read, as somebody else's code wrote it, would be no better the next time: it is named in the failure
queue, from which it can be announced once it, or this code, is mended.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from gatehouse.aws.verdict_stream import ItemChange, UnreadableRecord
from gatehouse.contracts.unreadable_change import UnreadableChange
from gatehouse.moderation.document import MISSHAPEN, whole
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.flag_publisher import FlagPublisher
from gatehouse.moderation.moment import iso
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_events import Announcement, DeadLetters, VerdictEvents
from gatehouse.moderation.verdict_item import CHANGE, OBJECT, REVISION, STATUS, VERSION, verdict_from_item

#: Seconds that an invocation may spend on a slow bus: a third of its timeout.
_BUS_SECONDS = 20.0


@dataclass(slots=True)
class Announced:
    """The outcome of an invocation.

    Attributes:
        verdicts: whose flags were published.
        refused: position of a record -> why its flag is not out. They are to be delivered again.
        unreadable: position of a record that can't be read -> what is known of it.
        events: those of the changes; None if no events are sent.
    """

    verdicts: list[Verdict] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    unreadable: dict[int, UnreadableChange] = field(default_factory=dict)
    events: Announcement | None = None

    def milliseconds(self, now: datetime) -> list[float]:
        """The time from each change to its flag."""
        return [(now - _moment(verdict.decided_at)).total_seconds() * 1000 for verdict in self.verdicts]


@dataclass(frozen=True, slots=True)
class ChangeAnnouncer:
    """Announces changes to the flag topic's subscribers, and on the bus.

    Attributes:
        failures: keeps messages about changes that can't be read.
    """

    flags: FlagPublisher
    failures: DeadLetters
    events: VerdictEvents | None = None

    def announce(self, changes: Sequence[ItemChange | UnreadableRecord]) -> Announced:
        """Publish what is to be announced, in the stream's order. Safe to repeat.

        Raises:
            ClientError: the topic refused a whole call. Deliver all records again.
            MessageNotSentError: a queue refused what it was to keep. Likewise.
        """
        announced = Announced()
        verdicts = dict(_to_announce(changes, announced.unreadable))
        positions = iter(verdicts)
        for sent in self.flags.publish(map(Flag.of, verdicts.values())):
            for n, position in enumerate(islice(positions, sent.flags)):
                if n in sent.refused:
                    announced.refused[position] = str(sent.error)
                else:
                    announced.verdicts.append(verdicts[position])
        for position in positions:
            announced.refused[position] = "the flags before it were all refused"
        if announced.unreadable:
            self.failures.send(change.to_text() for change in announced.unreadable.values())
        # What is delivered again has its events then.
        first_refused = min(announced.refused, default=len(changes))
        done = [verdict for position, verdict in verdicts.items() if position < first_refused]
        if self.events and done:
            announced.events = self.events.begin(_BUS_SECONDS)
            announced.events.announce([Flag.of(verdict) for verdict in done])
        return announced


def _to_announce(
    changes: Sequence[ItemChange | UnreadableRecord], unreadable: dict[int, UnreadableChange]
) -> Iterator[tuple[int, Verdict]]:
    """The verdicts of changes that must be announced, with their positions."""
    for position, change in enumerate(changes):
        if isinstance(change, UnreadableRecord):
            unreadable[position] = UnreadableChange(change.object, change.version, change.problem)
            continue
        after = change.after
        if after is None:
            continue
        try:
            if not _is_revised(change.before, after):
                continue
            verdict = verdict_from_item(after)
            if verdict.change and verdict.change.announce:
                _moment(verdict.decided_at)  # a malformed time would fail the whole invocation later
                yield position, verdict
        except MISSHAPEN as error:
            unreadable[position] = UnreadableChange(after[OBJECT], after[VERSION], repr(error))


def _is_revised(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> bool:
    """Whether a write made a new revision. A review claim, for example, does not change the verdict.

    Raises:
        ValueError, TypeError: the item can't be read, or its status changed without a new revision.
    """
    if CHANGE not in after:
        return False
    if before is None:
        return True
    revision = _revision(after)
    try:
        if _revision(before) != revision:
            return True
    except MISSHAPEN:
        return True  # what could not be read is now mended
    for name in (STATUS, "decided_at", "decided_by"):
        if before.get(name) != after.get(name):
            raise ValueError(f"its {name} changed, and its revision is {revision} as before")
    return False


def _revision(item: Mapping[str, Any]) -> int:
    return whole(item.get(REVISION, 0))


def _moment(text: str) -> datetime:
    """Parse an item's time.

    Raises:
        ValueError: it is none, or is written in another form, and would be sorted wrong.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or iso(moment) != text:
        raise ValueError(f"{text!r} is not written as {iso(moment.replace(tzinfo=UTC))}")
    return moment
