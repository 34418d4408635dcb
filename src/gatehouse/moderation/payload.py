"""The limit on the data that an execution passes between states."""

import json
from typing import Final

#: Maximum size of a state's input, output and task result, in bytes (Step Functions Developer Guide, "Quotas"). More
#: fails the execution with `States.DataLimitExceeded`, which a state can neither catch nor retry
#: (concepts-error-handling.html).
MAX_PAYLOAD_BYTES: Final = 262_144

#: Space for the rest of S3's response when a state reads an object.
_HEADERS_BYTES = 8192


class PayloadTooLargeError(ValueError):
    """An object is too large for the workflow to read."""


def check_readable(key: str, text: str) -> None:
    """Refuse an object that is too large for a state to read, before an execution depends on it.

    Raises:
        PayloadTooLargeError: it is.
    """
    size = len(json.dumps(text, ensure_ascii=False).encode())
    if size > MAX_PAYLOAD_BYTES - _HEADERS_BYTES:
        free = MAX_PAYLOAD_BYTES - _HEADERS_BYTES
        raise PayloadTooLargeError(f"{key} takes {size} bytes as a task's result; a workflow reads {free} at most")
