"""How the account's DetectModerationLabels calls are divided: by priority, worker and chunk."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gatehouse.moderation.lane import Priority

#: AWS's default quotas (General Reference, Amazon Rekognition endpoints and quotas).
DEFAULT_CALLS_PER_SECOND = 5
LARGE_REGION_CALLS_PER_SECOND = 50
LARGE_REGIONS = ("us-east-1", "us-west-2", "eu-west-1")

#: Few calls a second per worker, because a worker makes no calls while it waits for the last answers of a chunk.
_CALLS_PER_WORKER = 5

#: Maximum concurrency of an inline Map (Step Functions Developer Guide, state-map-inline.html).
_MAX_CHUNKS_UNDER_WAY = 40

#: Limits of the number of workers. An event source mapping's MaximumConcurrency is at least 2 (Lambda API reference,
#: ScalingConfig). More workers than a batch has chunks in progress would be idle.
_WORKERS = (2, _MAX_CHUNKS_UNDER_WAY)

#: A chunk must finish well within a run of the Analyzer, which makes calls for 85 of its 120 seconds.
_CHUNK_SECONDS = 70
MAX_CHUNK = 100

#: Minimum number of uploads in a chunk, if the batch has that many. Each chunk costs a few calls, and eight of the
#: 25,000 events that an execution can have.
LEAST_CHUNK = 25


@dataclass(frozen=True, slots=True)
class CallRate:
    """The part of a quota that the lanes of one priority can use.

    Attributes:
        calls_per_second: for all workers together.
    """

    calls_per_second: float

    @property
    def workers(self) -> int:
        """The maximum number of Analyzers that run at the same time."""
        least, most = _WORKERS
        return max(least, min(most, math.ceil(self.calls_per_second / _CALLS_PER_WORKER)))

    @property
    def chunks_under_way(self) -> int:
        """How many chunks of one batch are queued or being analyzed: enough that no worker waits for the next one.

        Not more, because a later batch's chunks are queued behind them.
        """
        return min(_MAX_CHUNKS_UNDER_WAY, self.workers + 2)

    @property
    def calls_per_worker(self) -> float:
        """Calls a second for one worker."""
        return math.floor(self.calls_per_second / self.workers * 1e6) / 1e6

    @property
    def chunk_size(self) -> int:
        """The maximum number of uploads in a chunk."""
        return min(MAX_CHUNK, math.floor(self.calls_per_worker * _CHUNK_SECONDS))

    @property
    def is_enough(self) -> bool:
        """Whether a worker can finish a whole chunk in one run."""
        return self.chunk_size >= LEAST_CHUNK


def share_of(priority: Priority, shares: Mapping[Priority, int], used: Iterable[Priority]) -> float:
    """A priority's part (0-1) of the quota. The shares of unused priorities are divided among the others."""
    return shares[priority] / sum(shares[other] for other in set(used))
