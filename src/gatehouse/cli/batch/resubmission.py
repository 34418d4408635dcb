"""Uploads on their way back into the queue of the lane that takes them now, for another batch to begin anew with them.

The message names the batch that left an upload FAILED or PENDING. The batcher takes it from that batch and from no
other, so that sending it twice does no harm.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from gatehouse.aws.ingest_queue import IngestQueue, MessageNotSentError
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.upload_event import readmission_message

#: Messages between two looks at how far it is.
_AT_A_TIME = 100


class Held(Protocol):
    """An upload and the batch it is to be taken from."""

    @property
    def upload(self) -> Upload:
        """The upload."""

    @property
    def batch_id(self) -> str:
        """The batch that left it FAILED or PENDING."""


_Held = TypeVar("_Held", bound=Held)


@dataclass(slots=True)
class Resubmission(Generic[_Held]):
    """Uploads to be resubmitted.

    Attributes:
        by_lane: those that a lane takes now, by that lane.
        unowned: those that no lane takes any more.
        sent: those that SQS took, by lane.
        refused: how many SQS refused.
    """

    lanes: DeployedLanes
    by_lane: defaultdict[str, list[_Held]] = field(default_factory=lambda: defaultdict(list))
    unowned: list[_Held] = field(default_factory=list)
    sent: defaultdict[str, list[_Held]] = field(default_factory=lambda: defaultdict(list))
    refused: int = 0

    @property
    def count(self) -> int:
        """How many there are to send."""
        return sum(map(len, self.by_lane.values()))

    def add(self, held: _Held) -> None:
        """Find the lane of an upload."""
        owner = self.lanes.owner(held.upload.key, held.upload.size)
        (self.unowned if owner is None else self.by_lane[owner]).append(held)

    def send(self, queues: Mapping[str, IngestQueue], tell: Callable[[str], None] = lambda _: None) -> None:
        """Put all of them into their lanes' queues. What was sent is known also when this raises.

        Raises:
            ClientError: SQS did not answer, or not us.
        """
        for lane, uploads in self.by_lane.items():
            for start in range(0, len(uploads), _AT_A_TIME):
                self._send(queues[lane], lane, uploads[start : start + _AT_A_TIME])
                tell(f"Put back {sum(map(len, self.sent.values())):,} of {self.count:,}")

    def _send(self, queue: IngestQueue, lane: str, some: list[_Held]) -> None:
        refused: frozenset[int] = frozenset()
        try:
            queue.send(readmission_message(held.upload, resubmit_of=held.batch_id) for held in some)
        except MessageNotSentError as error:
            refused = error.refused
        self.refused += len(refused)
        if taken := [held for n, held in enumerate(some) if n not in refused]:
            self.sent[lane] += taken
