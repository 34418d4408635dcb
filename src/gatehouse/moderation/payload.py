"""How much an execution carries from one state to the next."""

import json
from typing import Final

#: Input, output and task result of a state, in bytes (Step Functions Developer Guide, "Quotas"). What is larger ends an
#: execution with `States.DataLimitExceeded`, which no state can catch or try again (concepts-error-handling.html).
MAX_PAYLOAD_BYTES: Final = 262_144

#: What comes with an object's text when a state reads it: S3's answer, without the text.
_HEADERS_BYTES = 8192


class PayloadTooLargeError(ValueError):
    """An object that the workflow could not read."""


def check_readable(key: str, text: str) -> None:
    """Refuse an object that is too large for a state to read, before an execution depends on it.

    Raises:
        PayloadTooLargeError: it is.
    """
    size = len(json.dumps(text, ensure_ascii=False).encode())
    if size > MAX_PAYLOAD_BYTES - _HEADERS_BYTES:
        free = MAX_PAYLOAD_BYTES - _HEADERS_BYTES
        raise PayloadTooLargeError(f"{key} takes {size} bytes as a task's result, a workflow reads {free} at most")
