"""Calls to DynamoDB that are made again while a table is read faster than it may be."""

import random
from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import ClientError

_Answer = TypeVar("_Answer")

#: Answers to a table or index that is read faster than it may be (developer guide, Error handling with DynamoDB).
_CODES = frozenset({"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"})
#: How often a call is made before it is given up.
TRIES = 8
_LONGEST_PAUSE_SECONDS = 5.0


def is_throttled(error: ClientError, tries: int) -> bool:
    """Whether the call may be made again after `tries` tries."""
    return error.response["Error"]["Code"] in _CODES and tries < TRIES


def pause_seconds(tries: int) -> float:
    """Seconds to wait: boto3 has tried some times by itself, within a second or two."""
    return random.uniform(0.8, 1) * min(0.5 * 2.0 ** (tries - 1), _LONGEST_PAUSE_SECONDS)  # noqa: S311


def patiently(call: Callable[[], _Answer], pause: Callable[[float], None]) -> _Answer:
    """What `call` returns, once it is not throttled.

    Raises:
        ClientError: it was throttled again and again, or failed otherwise.
    """
    tries = 1
    while True:
        try:
            return call()
        except ClientError as error:
            if not is_throttled(error, tries):
                raise
        pause(pause_seconds(tries))
        tries += 1
