"""Passes of the image engine over a batch: which uploads it goes through, when, and how often it asks about each.

A straggler is an upload that only failed calls came back for: errors of the service, answers that never came, a
permission that is missing. One of them holds up nobody: its batch settles without it, and it is asked about again in
later passes, with growing pauses, about an hour in all. What still fails then is its answer.
"""

from enum import StrEnum

from gatehouse.moderation.batch import batch_prefix, uploads_key
from gatehouse.moderation.lane import Priority

#: Seconds before each pass over stragglers.
_PAUSES = (60, 120, 240, 480, 960, 1920)

#: A backfill has few batches under way at a time, so none of them waits for long.
_BACKFILL_PASSES = 3

#: Failed calls about one image before it is left for the next pass. So one costs nine of them in all.
_TRIES, _STRAGGLER_TRIES = 3, 1


class ImagePass(StrEnum):
    """A pass, by the name that its files and messages carry."""

    FIRST = "first"  # all uploads
    LEFTOVERS = "leftovers"  # those that bulk gave no definite answer for
    STRAGGLERS_1 = "stragglers-1"  # those that only failed calls came back for, time and again
    STRAGGLERS_2 = "stragglers-2"
    STRAGGLERS_3 = "stragglers-3"
    STRAGGLERS_4 = "stragglers-4"
    STRAGGLERS_5 = "stragglers-5"
    STRAGGLERS_6 = "stragglers-6"

    @property
    def is_of_stragglers(self) -> bool:
        """Whether it asks again about what only failed calls came back for."""
        return self in _STRAGGLERS

    @property
    def pause_seconds(self) -> int:
        """How long to wait before it."""
        return _PAUSES[_STRAGGLERS.index(self)] if self.is_of_stragglers else 0

    @property
    def tries(self) -> int:
        """Failed calls about an image before it is left for the next pass."""
        return _STRAGGLER_TRIES if self.is_of_stragglers else _TRIES

    def index_key(self, batch_id: str) -> str:
        """Key of the index, in the work bucket, that lists the pass's uploads."""
        return uploads_key(batch_id) if self is ImagePass.FIRST else f"{batch_prefix(batch_id)}{self}.jsonl"

    def next_for_stragglers(self, priority: Priority) -> "ImagePass | None":
        """The pass that goes through this one's stragglers; None if what failed in this one is the answer."""
        done = _STRAGGLERS.index(self) + 1 if self.is_of_stragglers else 0
        passes = _BACKFILL_PASSES if priority is Priority.BACKFILL else len(_STRAGGLERS)
        return _STRAGGLERS[done] if done < passes else None


_STRAGGLERS = tuple(each for each in ImagePass if each not in (ImagePass.FIRST, ImagePass.LEFTOVERS))
