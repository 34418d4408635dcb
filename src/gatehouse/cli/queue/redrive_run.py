"""Putting dead letters back into the queue of the lane that takes them now: first sent, then deleted.

Whoever is killed in between leaves a message in both queues. That is harmless, and so is running it again: a batcher
recognizes an upload that has a verdict or is being analyzed.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gatehouse.aws.ingest_queue import IngestQueue, MessageNotSentError
from gatehouse.cli.queue.dead_letters import DeadLetter, DeadLetterInspection, QueueKind, StuckReason, go_through
from gatehouse.cli.queue.message_queue import Look, MessageQueue


@dataclass(frozen=True, slots=True)
class DeadLetterSelection:
    """Which messages to put back; the default is all that may go back.

    Attributes:
        reasons: for one of these reasons; empty for any.
        prefix: about keys that start with this.
    """

    reasons: frozenset[StuckReason] = frozenset()
    prefix: str = ""

    def takes(self, letter: DeadLetter) -> bool:
        """Whether this one is meant. A message that can't be read has no key, so a prefix leaves it out."""
        if self.reasons and letter.reason not in self.reasons:
            return False
        return not self.prefix or (letter.upload is not None and letter.upload.key.startswith(self.prefix))


@dataclass(slots=True)
class RedriveReport:
    """What a run did, or would have done.

    Attributes:
        looked_at: messages seen.
        put_back: by the lane whose queue they were sent to, and the reason they were there for.
        refused: messages that SQS did not take; they stay where they were.
        undeleted: messages that were put back, and that SQS did not delete where they were.
        in_flight: messages that somebody else held, of queues in which none was to be seen.
        kept: what stays in the queues, by reason.
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
                {"lane": lane, "reason": reason.value, "count": count}
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
        limit: how many messages to put back at most; None for all.
        dry_run: change nothing, and report what would be done.
        before_deleting: called each time; raises where what was sent may not have gone to the right lane.
        tell: shows a sentence about how far it is.
    """

    inspection: DeadLetterInspection
    ingest: Mapping[str, IngestQueue]
    selection: DeadLetterSelection
    limit: int | None
    dry_run: bool
    before_deleting: Callable[[], object]
    tell: Callable[[str], None]
    report: RedriveReport = field(default_factory=RedriveReport)

    def drain(self, queue: MessageQueue, kind: QueueKind) -> None:
        """Put back what is selected of one queue. Whatever stays can be received by others at the end.

        Raises:
            ClientError: what was put back until then stays so.
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
        """Returns those that are in a lane's queue now, counted as put back."""
        by_owner: defaultdict[str, list[DeadLetter]] = defaultdict(list)
        for letter in letters:
            by_owner[letter.owner].append(letter)
        sent: list[DeadLetter] = []
        for owner, some in by_owner.items():
            taken = some if self.dry_run else self._put(owner, some)
            self.report.put_back += Counter((owner, letter.reason) for letter in taken)
            sent += taken
        return sent

    def _put(self, owner: str, letters: Sequence[DeadLetter]) -> Sequence[DeadLetter]:
        """Returns those that SQS took."""
        try:
            self.ingest[owner].send(letter.message.body for letter in letters)
        except MessageNotSentError as error:
            self.report.refused += len(error.refused)
            return [letter for n, letter in enumerate(letters) if n not in error.refused]
        return letters
