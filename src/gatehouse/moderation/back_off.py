"""The pause before the items that a response left unprocessed are sent again. botocore retries failed calls itself."""

import random

_LONGEST_SECONDS = 5.0


def pause_seconds(attempt: int, first: float) -> float:
    """Seconds before the next attempt: random, up to a limit that doubles each time (full jitter).

    Args:
        attempt: how many attempts came before the one that just failed.
        first: the limit after the first attempt, in seconds.
    """
    return random.uniform(0, min(first * 2**attempt, _LONGEST_SECONDS))  # noqa: S311 - jitter, not a secret
