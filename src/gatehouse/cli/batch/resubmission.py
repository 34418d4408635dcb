"""Resubmits uploads: puts them into the queue of their current lane, so that another batch analyzes them again.

The message names the batch that left an upload FAILED or PENDING. The batcher takes it from that batch and from no
other, so that sending it twice does no harm.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from gatehouse.aws.queue_sender import MessageNotSentError, QueueSender
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.cli.progress import Countdown
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.upload_event import readmission_message

#: Messages between two progress reports.
_AT_A_TIME = 100


class Held(Protocol):
    """An upload, and the batch that it is taken from."""

    @property
    def upload(self) -> Upload:
        """The upload."""

    @property
    def batch_id(self) -> str:
        """The batch that left it FAILED or PENDING."""


_Held = TypeVar("_Held", bound=Held)


@dataclass(slots=True)
class Resubmission(Generic[_Held]):
    """Uploads to resubmit.

    Attributes:
        by_lane: the uploads by their current lane.
        unowned: the uploads that no longer match any lane.
        sent: the uploads that SQS accepted, by lane.
        refused: the number of uploads that SQS refused.
    """

    lanes: DeployedLanes
    by_lane: defaultdict[str, list[_Held]] = field(default_factory=lambda: defaultdict(list))
    unowned: list[_Held] = field(default_factory=list)
    sent: defaultdict[str, list[_Held]] = field(default_factory=lambda: defaultdict(list))
    refused: int = 0

    @property
    def count(self) -> int:
        """The number of uploads to send."""
        return sum(map(len, self.by_lane.values()))

    def add(self, held: _Held) -> None:
        """Add an upload to its current lane."""
        owner = self.lanes.owner(held.upload.key, held.upload.size)
        (self.unowned if owner is None else self.by_lane[owner]).append(held)

    def send(self, queues: Mapping[str, QueueSender], tell: Callable[[str], None] = lambda _: None) -> None:
        """Put all uploads into their lanes' queues. `sent` is up to date even if this raises.

        Raises:
            ClientError: a call to SQS failed.
        """
        countdown = Countdown(self.count)
        for lane, uploads in self.by_lane.items():
            for start in range(0, len(uploads), _AT_A_TIME):
                self._send(queues[lane], lane, uploads[start : start + _AT_A_TIME])
                sent = sum(map(len, self.sent.values()))
                tell(f"Put back {sent:,} of {self.count:,}{countdown.after(sent)}")

    def _send(self, queue: QueueSender, lane: str, some: list[_Held]) -> None:
        refused: frozenset[int] = frozenset()
        try:
            queue.send(readmission_message(held.upload, resubmit_of=held.batch_id) for held in some)
        except MessageNotSentError as error:
            refused = error.refused
        self.refused += len(refused)
        if taken := [held for n, held in enumerate(some) if n not in refused]:
            self.sent[lane] += taken
