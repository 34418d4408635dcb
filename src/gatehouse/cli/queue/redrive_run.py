"""Sends dead letters to their destination again, and then deletes them.

Uploads go into the queue of their current lane, events to the bus, changes to Outcomes. A run that is killed in between
leaves a message in both places. That is harmless, and so is another run: a batcher recognizes an upload that has a
verdict or is being analyzed, and a flag or an event keeps its id.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from gatehouse.aws.event_bus import EventBus
from gatehouse.aws.queue_sender import MessageNotSentError, QueueSender
from gatehouse.cli.queue.dead_letters import DeadLetter, DeadLetterInspection, QueueKind, StuckReason, go_through
from gatehouse.cli.queue.given_up_changes import ChangeRedrive
from gatehouse.cli.queue.message_queue import Look, MessageQueue
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.flag_publisher import FlagPublisher


@dataclass(frozen=True, slots=True)
class DeadLetterSelection:
    """Selects messages to put back; the default is all that can be put back.

    Attributes:
        reasons: only those with one of these reasons; empty for any.
        prefix: only those about keys that start with this.
    """

    reasons: frozenset[StuckReason] = frozenset()
    prefix: str = ""

    def takes(self, letter: DeadLetter) -> bool:
        """Whether a message is selected. A message that can't be read has no key, so a prefix excludes it."""
        if self.reasons and letter.reason not in self.reasons:
            return False
        return not self.prefix or (letter.upload is not None and letter.upload.key.startswith(self.prefix))


@dataclass(slots=True)
class RedriveReport:
    """What a run did, or would have done.

    Attributes:
        looked_at: messages received.
        put_back: messages put back, by lane (empty for the bus and Outcomes) and reason.
        refused: messages that SQS, the bus or Outcomes did not accept; they stay in their queue.
        undeleted: messages that were put back, but that SQS did not delete from their queue.
        in_flight: messages that somebody else holds, in queues where no message could be received.
        kept: messages that stay in the queues, by reason.
    """

    looked_at: int = 0
    put_back: Counter[tuple[str, StuckReason]] = field(default_factory=Counter)
    refused: int = 0
    undeleted: int = 0
    in_flight: int = 0
    kept: Counter[StuckReason] = field(default_factory=Counter)

    def to_document(self) -> dict[str, Any]:
        """The report for scripts."""
        return {
            "looked_at": self.looked_at,
            "put_back": [
                {"lane": lane or None, "reason": reason.value, "count": count}
                for (lane, reason), count in sorted(self.put_back.items())
            ],
            "refused": self.refused,
            "undeleted": self.undeleted,
            "in_flight": self.in_flight,
            "kept": {reason.value: count for reason, count in sorted(self.kept.items())},
        }


@dataclass(slots=True)
class RedriveRun:
    """A run over some dead-letter queues.

    Attributes:
        ingest: the queue of each lane, by the lane's name.
        bus: the destination of events; None if there is none.
        changes: announces changes that were given up.
        limit: the maximum number of messages to put back; None for all.
        dry_run: change nothing, and report what would be done.
        before_deleting: called before each deletion; raises if messages may have been sent to the wrong lane.
        tell: shows a sentence about the progress.
    """

    inspection: DeadLetterInspection
    ingest: Mapping[str, QueueSender]
    bus: EventBus | None
    changes: ChangeRedrive
    selection: DeadLetterSelection
    limit: int | None
    dry_run: bool
    before_deleting: Callable[[], object]
    tell: Callable[[str], None]
    report: RedriveReport = field(default_factory=RedriveReport)

    def drain(self, queue: MessageQueue, kind: QueueKind) -> None:
        """Put back the selected messages of one queue. At the end, the others become visible again.

        Raises:
            ClientError: a call failed. Messages that were put back before it stay put back.
        """
        go_through(queue, partial(self.inspection.inspect, kind=kind), self._handle, self.report, self._left)

    def _left(self) -> int | None:
        return None if self.limit is None else self.limit - self.report.put_back.total()

    def _handle(self, look: Look, letters: Sequence[DeadLetter]) -> None:
        selected = [letter for letter in letters if self.selection.takes(letter)]
        going = [letter for letter in selected if letter.may_go_back][: self._left()]
        sent = self._send(going)
        if sent and not self.dry_run:
            self.before_deleting()
            self.report.undeleted += len(look.delete(letter.message for letter in sent))
        gone = {letter.message.message_id for letter in sent}
        self.report.kept += Counter(letter.reason for letter in letters if letter.message.message_id not in gone)
        self.tell(f"Looked at {self.report.looked_at:,}, put back {self.report.put_back.total():,}")

    def _send(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        """Send messages to their destinations; returns those that arrived, and counts them as put back."""
        by_way: defaultdict[tuple[str, bool], list[DeadLetter]] = defaultdict(list)
        for letter in letters:
            by_way[letter.owner, letter.reason is StuckReason.GIVEN_UP].append(letter)
        sent: list[DeadLetter] = []
        for (owner, is_change), some in by_way.items():
            if self.dry_run:
                taken: Sequence[DeadLetter] = some
            else:
                taken = self._announce_changes(some) if is_change else self._put(owner, some)
            self.report.put_back += Counter((owner, letter.reason) for letter in taken)
            sent += taken
        return sent

    def _announce_changes(self, letters: Sequence[DeadLetter]) -> Sequence[DeadLetter]:
        """Returns those whose changes are announced now."""
        announced = self.changes.announce([letter.message.body for letter in letters])
        taken = [letter for letter, is_announced in zip(letters, announced, strict=True) if is_announced]
        self.report.refused += len(letters) - len(taken)
        return taken

    def _put(self, owner: str, letters: Sequence[DeadLetter]) -> Sequence[DeadLetter]:
        """Send messages to a lane's queue; returns those that SQS accepted."""
        if not owner:
            return self._announce(letters)
        try:
            self.ingest[owner].send(letter.message.body for letter in letters)
        except MessageNotSentError as error:
            self.report.refused += len(error.refused)
            return [letter for n, letter in enumerate(letters) if n not in error.refused]
        return letters

    def _announce(self, letters: Sequence[DeadLetter]) -> Sequence[DeadLetter]:
        """Send events to the bus; returns the messages that it accepted."""
        taken: list[DeadLetter] = []
        if self.bus is not None and self.bus.is_open():
            waiting = iter(letters)
            for sent in FlagPublisher(self.bus).publish(_event(letter) for letter in letters):
                taken += [letter for n, letter in enumerate(islice(waiting, sent.flags)) if n not in sent.refused]
        self.report.refused += len(letters) - len(taken)
        return taken


def _event(letter: DeadLetter) -> Flag:
    return Flag(letter.message.message_id, letter.message.body, {})
