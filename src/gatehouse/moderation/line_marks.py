"""Where the lines of an index begin, so that a chunk's worker need not read all lines before its own.

The marks are metadata of the index's object. S3 takes 2 KB of them (S3 User Guide, UsingMetadata.html): so there is one
for each of a hundred stretches, and a few lines before a chunk's first are read for nothing.
"""

from dataclasses import dataclass
from itertools import accumulate

#: Stretches that an index is divided into. An offset has eight digits at most.
_STRETCHES = 100


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes of an index: from `start` to before `end`, None for its end. The first of them begin line `line`."""

    line: int
    start: int
    end: int | None

    @property
    def range(self) -> str:
        """The value of the header Range."""
        return f"bytes={self.start}-{'' if self.end is None else self.end - 1}"


@dataclass(frozen=True, slots=True)
class LineMarks:
    """The offsets, in bytes, of every `step`-th line of an index, from its first."""

    step: int
    offsets: tuple[int, ...]

    @classmethod
    def of(cls, index: bytes) -> "LineMarks":
        """The marks of an index."""
        lengths = [len(line) for line in index.split(b"\n")[:-1]]
        step = max(1, -(-len(lengths) // _STRETCHES))
        begins = [0, *accumulate(length + 1 for length in lengths)][: len(lengths)]
        return cls(step, tuple(begins[::step]))

    def to_text(self) -> str:
        """The metadata's value."""
        return " ".join(map(str, (self.step, *self.offsets)))

    @classmethod
    def parse(cls, text: str) -> "LineMarks":
        """Read the metadata's value.

        Raises:
            ValueError: it is not ours.
        """
        step, *offsets = map(int, text.split())
        return cls(step, tuple(offsets))

    def around(self, first: int, size: int) -> Stretch:
        """The least bytes that hold these lines."""
        begin, end = first // self.step, -(-(first + size) // self.step)
        if begin >= len(self.offsets):
            raise ValueError(f"an index of {len(self.offsets)} times {self.step} lines has no line {first}")
        return Stretch(begin * self.step, self.offsets[begin], self.offsets[end] if end < len(self.offsets) else None)
