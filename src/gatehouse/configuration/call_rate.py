"""How the account's calls of DetectModerationLabels are shared out: by priority, worker and chunk."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gatehouse.moderation.lane import Priority

#: AWS's default quota (General Reference, Amazon Rekognition endpoints and quotas).
DEFAULT_CALLS_PER_SECOND = 5
LARGE_REGION_CALLS_PER_SECOND = 50
LARGE_REGIONS = ("us-east-1", "us-west-2", "eu-west-1")

#: A worker that makes few calls a second spends little of its time on the last answers of a chunk, when it makes none.
_CALLS_PER_WORKER = 5

#: Iterations of an inline Map under way at a time at most (Step Functions Developer Guide, state-map-inline.html).
_MAX_CHUNKS_UNDER_WAY = 40

#: An event source mapping's MaximumConcurrency is 2 at least (Lambda API reference, ScalingConfig). More workers than a
#: batch has chunks under way would idle.
_WORKERS = (2, _MAX_CHUNKS_UNDER_WAY)

#: A chunk has to be done well within a run of the Analyzer, which makes calls for 85 of its 120 seconds.
_CHUNK_SECONDS = 70
MAX_CHUNK = 100

#: Uploads in a chunk at least, where a batch has so many: each chunk costs a few calls of its own, and eight of the
#: 25,000 events that an execution may have.
LEAST_CHUNK = 25


@dataclass(frozen=True, slots=True)
class CallRate:
    """The part of a quota that the lanes of one priority may use.

    Attributes:
        calls_per_second: of all workers together.
    """

    calls_per_second: float

    @property
    def workers(self) -> int:
        """Analyzers that run at the same time at most."""
        least, most = _WORKERS
        return max(least, min(most, math.ceil(self.calls_per_second / _CALLS_PER_WORKER)))

    @property
    def chunks_under_way(self) -> int:
        """Chunks of one batch that wait for a worker or are with one: enough that no worker waits for the next.

        No more, because a batch that comes later finds these before its own in the queue.
        """
        return min(_MAX_CHUNKS_UNDER_WAY, self.workers + 2)

    @property
    def calls_per_worker(self) -> float:
        """Calls a second of one worker."""
        return math.floor(self.calls_per_second / self.workers * 1e6) / 1e6

    @property
    def chunk_size(self) -> int:
        """Uploads in a chunk at most."""
        return min(MAX_CHUNK, math.floor(self.calls_per_worker * _CHUNK_SECONDS))

    @property
    def is_enough(self) -> bool:
        """Whether a worker can have a whole chunk done in a run."""
        return self.chunk_size >= LEAST_CHUNK


def share_of(priority: Priority, shares: Mapping[Priority, int], used: Iterable[Priority]) -> float:
    """The part (0-1) of the quota that a priority has, where those nobody uses are shared out among the others."""
    return shares[priority] / sum(shares[other] for other in set(used))
