"""Sends what was counted, never far ahead of what is judged, and counts what became of it."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from gatehouse.aws.queue_sender import QueueSender
from gatehouse.cli.aws.verdict_table import PARALLEL_QUERIES, OperatorsVerdictTable
from gatehouse.cli.moderate.count_run import known_of
from gatehouse.cli.moderate.moderation import Moderation, Phase
from gatehouse.cli.moderate.moderation_files import ModerationFiles, MovedError
from gatehouse.cli.queue.message_queue import MessageQueue
from gatehouse.moderation.listed_version import ListedVersion
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload_event import parse_event

#: Parts that are sent ahead of the oldest one with an object that has not ended: enough to keep the backfill busy for
#: minutes. A pause lets these come to their end.
LEAD = 20

#: Seconds between two looks at the oldest part.
POLL_SECONDS = 10.0

#: Seconds after which an object without an item has been dropped, if its queue is empty: longer than a batcher's window
#: and timeout, and the minute by which SQS's counts are late.
DROPPED_AFTER = 600.0


@dataclass(slots=True)
class _Part:
    """A part that was sent: objects of it that have not ended, with their lanes."""

    open: list[tuple[str, ListedVersion]]
    sent_at: float


@dataclass(slots=True)
class SendRun:
    """Goes on with a moderation that was counted.

    Attributes:
        table: with a connection for each of `PARALLEL_QUERIES` threads.
        senders, queues: of each lane's backfill queue, by the lane's name.
        tell: shows a sentence about the progress.
        pause: waits the given number of seconds.
        monotonic: seconds of a clock.
    """

    files: ModerationFiles
    table: OperatorsVerdictTable
    senders: Mapping[str, QueueSender]
    queues: Mapping[str, MessageQueue]
    tell: Callable[[str], None]
    pause: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    _under_way: deque[_Part] = field(default_factory=deque)
    _began: tuple[float, int] | None = None
    _counted_until: float = 0.0

    def run(self, moderation: Moderation) -> None:
        """Send and watch until everything has ended.

        Raises:
            MovedError: another command paused, canceled or took over.
            MessageNotSentError: SQS refused messages; they are sent again by the next run.
            ClientError: a call failed.
        """
        self._counted_until = self.monotonic()
        self._began = (self._counted_until, moderation.done)
        for n in range(moderation.ended, moderation.sent):
            self._under_way.append(_Part(_objects(self.files.read_part(moderation, n)), self.monotonic()))
        with ThreadPoolExecutor(PARALLEL_QUERIES) as threads:
            while moderation.ended < moderation.parts:
                while moderation.sent < moderation.parts and len(self._under_way) < LEAD:
                    self._send(moderation)
                self._look(moderation, threads)
        moderation.phase = Phase.FINISHED
        self._save(moderation)
        self.files.drop_parts(moderation)

    def _send(self, moderation: Moderation) -> None:
        """Send a part, then write down that it was sent. What is sent twice is recognized."""
        lines = self.files.read_part(moderation, moderation.sent)
        by_lane: dict[str, list[str]] = {}
        for line in lines:
            by_lane.setdefault(line["lane"], []).append(line["message"])
        for lane, messages in by_lane.items():
            self.senders[lane].send(messages)
        self._under_way.append(_Part(_objects(lines), self.monotonic()))
        moderation.sent += 1
        self._save(moderation)

    def _look(self, moderation: Moderation, threads: ThreadPoolExecutor) -> None:
        """Look at the oldest part, and wait if it has objects that have not ended.

        As long as the first of them has not, nobody asks about the others.
        """
        part = self._under_way[0]
        if part.open and not self._ended(moderation, part, 1, threads):
            self._say(moderation)
            self.pause(POLL_SECONDS)
            self._check_phase(moderation)
            return
        self._ended(moderation, part, len(part.open), threads)
        if part.open:
            return
        self._under_way.popleft()
        moderation.ended += 1
        self._save(moderation)
        self._say(moderation)

    def _ended(self, moderation: Moderation, part: _Part, first: int, threads: ThreadPoolExecutor) -> bool:
        """Look at the first objects of a part; count those that ended. Returns whether any did."""
        some, rest = part.open[:first], part.open[first:]
        left = []
        empty = self._empty_queues(part)
        statuses = threads.map(lambda entry: known_of(self.table, entry[1]).status, some)
        for (lane, listed), status in zip(some, statuses, strict=True):
            if status is None and lane in empty:
                moderation.end_without(listed.key)
            elif status in (None, Status.PENDING.value):
                left.append((lane, listed))
            else:
                moderation.statuses[str(status)] += 1
        part.open = left + rest
        return len(left) < len(some)

    def _empty_queues(self, part: _Part) -> set[str]:
        """Lanes whose queue is empty so long after the part was sent that its objects have been seen to."""
        if self.monotonic() - part.sent_at <= DROPPED_AFTER:
            return set()
        return {lane for lane in {lane for lane, _ in part.open} if self.queues[lane].counts().total == 0}

    def _check_phase(self, moderation: Moderation) -> None:
        """Stop where another command has written the state.

        Raises:
            MovedError: it has.
        """
        current = self.files.read()
        if current is None or (current.phase, current.holder) != (moderation.phase, moderation.holder):
            raise MovedError

    def _save(self, moderation: Moderation) -> None:
        now = self.monotonic()
        moderation.running_seconds += now - self._counted_until
        self._counted_until = now
        self.files.save(moderation)

    def _say(self, moderation: Moderation) -> None:
        assert self._began, "it runs"  # noqa: S101 - narrows the type
        began, done_before = self._began
        seconds, done = self.monotonic() - began, moderation.done - done_before
        left = moderation.objects - moderation.done
        rate = done / seconds if seconds > 0 else 0.0
        speed = f", {rate:,.1f} a second, about {duration(left / rate)} left" if rate else ""
        self.tell(f"Moderating: {moderation.done:,} of {moderation.objects:,}{speed}")


def _objects(lines: Iterable[Mapping[str, str]]) -> list[tuple[str, ListedVersion]]:
    """The objects of a part, with their lanes."""
    found = [(line["lane"], parse_event(line["message"])) for line in lines]
    return [(lane, listed) for lane, listed in found if isinstance(listed, ListedVersion)]


def duration(seconds: float) -> str:
    """A time in its two largest units."""
    minutes = max(1, round(seconds / 60))
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
