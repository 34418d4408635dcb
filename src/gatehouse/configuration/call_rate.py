"""How the account's DetectModerationLabels calls are divided: by priority, worker and chunk."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gatehouse.moderation.lane import Priority

#: AWS's default quotas (General Reference, Amazon Rekognition endpoints and quotas).
DEFAULT_CALLS_PER_SECOND = 5
LARGE_REGION_CALLS_PER_SECOND = 50
LARGE_REGIONS = ("us-east-1", "us-west-2", "eu-west-1")

#: Calls a second per worker. A worker is paid for the seconds between its calls: at this rate 40 ms an image, however
#: long Rekognition takes. More would need more memory and threads, and save little.
_CALLS_PER_WORKER = 25

#: Maximum concurrency of an inline Map (Step Functions Developer Guide, state-map-inline.html).
_MAX_CHUNKS_UNDER_WAY = 40

#: Limits of the number of workers. An event source mapping's MaximumConcurrency is at least 2 (Lambda API reference,
#: ScalingConfig). More workers than a batch has chunks in progress would be idle.
_WORKERS = (2, _MAX_CHUNKS_UNDER_WAY)

#: Seconds of calls in a chunk. A worker makes no calls while it waits for a chunk's last answers and for the next
#: chunk; so that this costs little of the rate, a chunk takes many times as long. But what comes later waits for it.
_CHUNK_SECONDS = 20

#: With few calls a second chunks take longer, because an execution's history limits their number.
SLOW_CHUNK = 100

#: A chunk must finish well within a run of the Analyzer, which makes calls for 85 of its 120 seconds.
_LONGEST_CHUNK_SECONDS = 70

#: The largest chunk there is, at the full rate of a worker.
MAX_CHUNK = _CHUNK_SECONDS * _CALLS_PER_WORKER

#: Uploads that a chunk must be able to hold, because each takes eight of the 25,000 events that an execution can have.
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
        return min(_MAX_CHUNKS_UNDER_WAY, self.workers + 1)

    @property
    def calls_per_worker(self) -> float:
        """Calls a second for one worker."""
        return math.floor(self.calls_per_second / self.workers * 1e6) / 1e6

    @property
    def chunk_size(self) -> int:
        """The maximum number of uploads in a chunk."""
        size = max(SLOW_CHUNK, self.calls_per_worker * _CHUNK_SECONDS)
        return math.floor(min(MAX_CHUNK, size, self.calls_per_worker * _LONGEST_CHUNK_SECONDS))

    @property
    def least_chunk(self) -> int:
        """The minimum number of uploads in a chunk, if the batch has that many: what a worker has done in a second.

        Each chunk costs a few calls, so a smaller one is not worth the time that it saves.
        """
        return min(LEAST_CHUNK, math.ceil(self.calls_per_worker))

    @property
    def is_enough(self) -> bool:
        """Whether a worker can finish a whole chunk in one run."""
        return self.chunk_size >= LEAST_CHUNK


def share_of(priority: Priority, shares: Mapping[Priority, int], used: Iterable[Priority]) -> float:
    """A priority's part (0-1) of the quota. The shares of unused priorities are divided among the others."""
    return shares[priority] / sum(shares[other] for other in set(used))
