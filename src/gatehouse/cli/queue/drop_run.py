"""Deletes dead letters that can't be processed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from gatehouse.cli.queue.dead_letters import DeadLetter, DeadLetterInspection, QueueKind, StuckReason, go_through
from gatehouse.cli.queue.message_queue import Look, MessageQueue


class Droppable(StrEnum):
    """Reasons for which a message can be dropped. An unreadable one can't: it is about an upload."""

    MALFORMED = StuckReason.MALFORMED.value
    NO_LANE = StuckReason.NO_LANE.value


@dataclass(slots=True)
class DropReport:
    """What a run did, or would have done.

    Attributes:
        looked_at: messages received.
        dropped: messages deleted.
        undeleted: messages that SQS did not delete; they stay in their queue.
        in_flight: messages that somebody else holds, in queues where no message could be received.
    """

    looked_at: int = 0
    dropped: int = 0
    undeleted: int = 0
    in_flight: int = 0

    def to_document(self) -> dict[str, Any]:
        """The report for scripts."""
        return {
            "looked_at": self.looked_at,
            "dropped": self.dropped,
            "undeleted": self.undeleted,
            "in_flight": self.in_flight,
        }


@dataclass(slots=True)
class DropRun:
    """A run over some dead-letter queues.

    Attributes:
        limit: the maximum number of messages to drop; None for all.
        dry_run: change nothing, and report what would be done.
        before_deleting: called before each deletion; raises if the reasons may be out of date.
        tell: shows a sentence about the progress.
    """

    inspection: DeadLetterInspection
    reason: Droppable
    limit: int | None
    dry_run: bool
    before_deleting: Callable[[], object]
    tell: Callable[[str], None]
    report: DropReport = field(default_factory=DropReport)

    def drain(self, queue: MessageQueue, kind: QueueKind) -> None:
        """Drop one queue's messages with this reason. At the end, the others become visible again.

        Raises:
            ClientError: a call failed. Messages that were dropped before it stay dropped.
        """
        go_through(queue, partial(self.inspection.inspect, kind=kind), self._handle, self.report, self._left)

    def _handle(self, look: Look, letters: Sequence[DeadLetter]) -> None:
        doomed = [letter.message for letter in letters if letter.reason.value == self.reason.value][: self._left()]
        refused = 0
        if doomed and not self.dry_run:
            self.before_deleting()
            refused = len(look.delete(doomed))
        self.report.undeleted += refused
        self.report.dropped += len(doomed) - refused
        self.tell(f"Looked at {self.report.looked_at:,}, dropped {self.report.dropped:,}")

    def _left(self) -> int | None:
        return None if self.limit is None else self.limit - self.report.dropped
