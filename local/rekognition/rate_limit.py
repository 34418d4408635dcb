"""Rate quotas: requests per second for an operation, per account and Region."""

import threading
import time
from collections.abc import Callable, Mapping

from local.rekognition.caller import Caller
from local.rekognition.errors import RATE_EXCEEDED, ErrorName, ServiceError


class RateLimit:
    """A token bucket for each operation, account and Region that holds one second's worth of requests. Thread safe."""

    def __init__(self, requests_per_second: Mapping[str, float], clock: Callable[[], float] = time.monotonic) -> None:
        self._rates = requests_per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str, str], tuple[float, float]] = {}  # tokens, and when they were counted

    def take(self, operation: str, caller: Caller) -> None:
        """Let a request pass.

        Raises:
            ServiceError: ProvisionedThroughputExceededException if the operation's rate is used up.
        """
        rate = self._rates.get(operation)
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
