"""What was done and would have been charged, and how calls were answered, for tests to look at."""

import threading
from collections import Counter
from typing import Any


class Counters:
    """Counts jobs and images. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs_started = 0
        self._images_analyzed: Counter[str] = Counter()
        self._renditions_analyzed: Counter[str] = Counter()
        self._calls: dict[str, Counter[str]] = {}

    def count_job(self) -> None:
        """A job was accepted."""
        with self._lock:
            self._jobs_started += 1

    def count_image(self, source_ref: str) -> None:
        """An image in S3 got an answer, from a job or from DetectModerationLabels; AWS charges for exactly these."""
        with self._lock:
            self._images_analyzed[source_ref] += 1

    def count_rendition(self, source: str) -> None:
        """Bytes that say what they are a rendition of got an answer; AWS charges for these, too."""
        with self._lock:
            self._renditions_analyzed[source] += 1

    def count_call(self, operation: str, answer: str) -> None:
        """A call was answered: with `OK`, or with an error of this name."""
        with self._lock:
            self._calls.setdefault(operation, Counter())[answer] += 1

    def document(self) -> dict[str, Any]:
        """What was counted.

        `{"jobs_started": n, "images_analyzed": {"s3://bucket/key": n}, "renditions_analyzed": {"s3://bucket/key <frame>
        <background>": n}, "calls": {operation: {answer: n}}}`.
        """
        with self._lock:
            return {
                "jobs_started": self._jobs_started,
                "images_analyzed": dict(self._images_analyzed),
                "renditions_analyzed": dict(self._renditions_analyzed),
                "calls": {operation: dict(answers) for operation, answers in self._calls.items()},
            }
