"""Sees verdicts change without a revision: looks at the table again and again while a run goes on."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from gatehouse.moderation.status import FINAL
from gatehouse.moderation.verdict_item import BATCH_ID, OBJECT, REVISION, STATUS, VERSION

_PAUSE_SECONDS = 0.3
#: Looks take this part of the time at most: a scan of thousands of verdicts keeps the cloud from its work.
_DUTY = 0.1


class Watch:
    """Samples the verdict table in the background, for as long as its block runs.

    Args:
        read: gives the table's items.
    """

    def __init__(self, read: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        self._read = read
        self._final: dict[tuple[str, str], tuple[int, tuple[str, str, str]]] = {}
        self._changed: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="watch", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def seen(self) -> int:
        """How many final verdicts have been seen."""
        return len(self._final)

    def look(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Compare items with what was seen before: each other status, time or batch needs a higher revision."""
        with self._lock:
            for item in items:
                identity = item[OBJECT], item[VERSION]
                now = item[STATUS], item.get("decided_at", ""), item[BATCH_ID]
                revision = int(item.get(REVISION, 0))
                seen, before = self._final.get(identity, (revision, now))
                if before != now and (revision <= seen or before[2] != now[2]):
                    self._changed.append((item["key"], f"{item['key']} was {before} and became {now}"))
                if item[STATUS] in FINAL:
                    self._final[identity] = revision, now

    def changed(self, prefixes: str | tuple[str, ...] = "") -> list[str]:
        """What has changed under the prefixes, a sentence each."""
        with self._lock:
            return [sentence for key, sentence in self._changed if key.startswith(prefixes)]

    def _sample(self) -> None:
        pause = _PAUSE_SECONDS
        while not self._ended.wait(pause):
            began = time.monotonic()
            self.look(self._read())
            pause = max(_PAUSE_SECONDS, (time.monotonic() - began) / _DUTY)
