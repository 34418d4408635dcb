"""Rate quotas: requests per second for an operation, per account and Region."""

import threading
import time
from collections.abc import Callable

from localcloud.rekognition.caller import Caller
from localcloud.rekognition.errors import RATE_EXCEEDED, ErrorName, ServiceError


class RateLimit:
    """A token bucket for each operation, account and Region that holds one second's worth of requests. Thread safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str, str], tuple[float, float]] = {}  # tokens, and when they were counted

    def take(self, operation: str, caller: Caller, rate: float | None) -> None:
        """Let a request pass. `rate` is the operation's quota as it is now; None if it has none.

        Raises:
            ServiceError: ProvisionedThroughputExceededException if the operation's rate is used up.
        """
        if rate is None:
            return
        capacity = max(rate, 1.0)
        bucket = (operation, caller.account, caller.region)
        with self._lock:
            now = self._clock()
            tokens, counted = self._buckets.get(bucket, (capacity, now))
            tokens = min(capacity, tokens + (now - counted) * rate)
            allowed = tokens >= 1.0
            self._buckets[bucket] = (tokens - 1.0 if allowed else tokens, now)
        if not allowed:
            raise ServiceError(ErrorName.PROVISIONED_THROUGHPUT_EXCEEDED, RATE_EXCEEDED)
