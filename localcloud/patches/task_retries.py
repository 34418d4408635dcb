"""Retry pauses of Step Functions use all fields of the retrier.

AWS: the n-th pause is IntervalSeconds * BackoffRate^n, at most MaxDelaySeconds; with `JitterStrategy: FULL` it is
random between 0 and that. `States.ALL` does not match `States.DataLimitExceeded` and `States.Runtime`.
ministack 1.5.33: supports neither MaxDelaySeconds nor JitterStrategy, caps every pause at 60 s, and matches everything.

Replaces `stepfunctions._find_matching_retrier` and `_error_matches`. ministack gets the retrier and then pauses itself:
the replacement pauses before it returns the retrier, and sets its interval to zero.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from ministack.services import stepfunctions

from localcloud.patches.execution_loop import pause
from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.services.stepfunctions", "_find_matching_retrier", ("retriers", "error", "retry_counts")),
    Seam("ministack.services.stepfunctions", "_error_matches", ("error_equals", "error")),
)

_UNCATCHABLE = ("States.DataLimitExceeded", "States.Runtime")


def install() -> None:
    """Retry as the retriers specify."""
    check(SEAMS)
    find = stepfunctions._find_matching_retrier
    matches = stepfunctions._error_matches

    def error_matches(error_equals: Sequence[str], error: str) -> bool:
        if error in _UNCATCHABLE and error not in error_equals:
            return False
        return bool(matches(error_equals, error))

    def find_matching_retrier(
        retriers: Sequence[Mapping[str, Any]], error: str, retry_counts: Mapping[int, int]
    ) -> tuple[Mapping[str, Any] | None, int]:
        retrier, index = find(retriers, error, retry_counts)
        if retrier is None:
            return None, -1
        pause(_delay(retrier, retry_counts.get(index, 0)))
        return {**retrier, "IntervalSeconds": 0}, index

    stepfunctions._error_matches = error_matches
    stepfunctions._find_matching_retrier = find_matching_retrier


def _delay(retrier: Mapping[str, Any], retries: int) -> float:
    """The pause before the next attempt, in AWS's seconds."""
    delay = float(retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** retries)
    delay = min(delay, retrier.get("MaxDelaySeconds", delay))
    return random.uniform(0, delay) if retrier.get("JitterStrategy") == "FULL" else delay  # noqa: S311
