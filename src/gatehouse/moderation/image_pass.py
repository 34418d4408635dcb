"""Passes of the image engine over a batch: which uploads each pass analyzes, when, and with how many attempts.

A straggler is an upload for which every call failed: service errors, timeouts, a missing permission. It does not delay
others: its batch settles without it, and later passes try it again with growing pauses, for about an hour in all. The
last pass's failure is final.
"""

from enum import StrEnum

from gatehouse.moderation.batch import batch_prefix, uploads_key
from gatehouse.moderation.lane import Priority

#: Seconds before each pass over stragglers.
_PAUSES = (60, 120, 240, 480, 960, 1920)

#: Fewer passes for a backfill, which runs only a few batches at a time, so that none of them waits for long.
_BACKFILL_PASSES = 3

#: Failed calls for one image before it is left for the next pass: nine in all.
_TRIES, _STRAGGLER_TRIES = 3, 1


class ImagePass(StrEnum):
    """A pass. The value is its name in files and messages."""

    FIRST = "first"  # all uploads
    LEFTOVERS = "leftovers"  # those without a definite answer from bulk
    STRAGGLERS_1 = "stragglers-1"  # those for which every call so far failed
    STRAGGLERS_2 = "stragglers-2"
    STRAGGLERS_3 = "stragglers-3"
    STRAGGLERS_4 = "stragglers-4"
    STRAGGLERS_5 = "stragglers-5"
    STRAGGLERS_6 = "stragglers-6"

    @property
    def is_of_stragglers(self) -> bool:
        """Whether it retries uploads for which every call failed."""
        return self in _STRAGGLERS

    @property
    def pause_seconds(self) -> int:
        """Seconds to wait before the pass starts."""
        return _PAUSES[_STRAGGLERS.index(self)] if self.is_of_stragglers else 0

    @property
    def tries(self) -> int:
        """Failed calls for an image before it is left for the next pass."""
        return _STRAGGLER_TRIES if self.is_of_stragglers else _TRIES

    def index_key(self, batch_id: str) -> str:
        """Key, in the work bucket, of the index that lists the pass's uploads."""
        return uploads_key(batch_id) if self is ImagePass.FIRST else f"{batch_prefix(batch_id)}{self}.jsonl"

    def next_for_stragglers(self, priority: Priority) -> "ImagePass | None":
        """The pass that retries this one's stragglers; None if this one's failures are final."""
        done = _STRAGGLERS.index(self) + 1 if self.is_of_stragglers else 0
        passes = _BACKFILL_PASSES if priority is Priority.BACKFILL else len(_STRAGGLERS)
        return _STRAGGLERS[done] if done < passes else None


_STRAGGLERS = tuple(each for each in ImagePass if each not in (ImagePass.FIRST, ImagePass.LEFTOVERS))
