"""A share that was counted on some of many, and how far off it may be."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

#: Standard deviations of the normal distribution that hold 95% of it.
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `of`, with the 95% confidence interval of Wilson (1927), which also holds for few and for extremes."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share, 0-1; None of nothing."""
        return self.count / self.of if self.of else None

    @property
    def low(self) -> float:
        """The lower end of the interval; 0 of nothing."""
        return self._ends()[0]

    @property
    def high(self) -> float:
        """The upper end of the interval; 1 of nothing."""
        return self._ends()[1]

    def to_document(self) -> dict[str, Any]:
        """The share for scripts."""
        return {"count": self.count, "of": self.of, "share": self.value, "low": self.low, "high": self.high}

    def _ends(self) -> tuple[float, float]:
        if not self.of:
            return 0.0, 1.0
        n, share, square = self.of, self.count / self.of, _Z * _Z
        middle = share + square / (2 * n)
        reach = _Z * sqrt(share * (1 - share) / n + square / (4 * n * n))
        scale = 1 + square / n
        low, high = (middle - reach) / scale, (middle + reach) / scale
        # Exact at the ends, where the formula has only a rounding error.
        return (0.0 if not self.count else max(0.0, low)), (1.0 if self.count == n else min(1.0, high))
