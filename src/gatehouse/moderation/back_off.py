"""How long to wait before what an answer left out is asked for again. Failed calls are botocore's to repeat."""

import random

_LONGEST_SECONDS = 5.0


def pause_seconds(attempt: int, first: float) -> float:
    """Seconds before the next try, up to twice as long each time; at random, so that competitors spread out.

    Args:
        attempt: how many tries came before the one that has just failed.
        first: seconds after the first try, at most.
    """
    return random.uniform(0, min(first * 2**attempt, _LONGEST_SECONDS))  # noqa: S311 - jitter, not a secret
