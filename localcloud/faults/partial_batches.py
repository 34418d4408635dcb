"""Batch calls can fail in part.

AWS: PublishBatch, SendMessageBatch, PutEvents and BatchGetItem answer 200 and name the entries that failed.
ministack 1.5.33: does all or nothing, unless an entry is malformed.

Wraps the entries of SNS, SQS, EventBridge and DynamoDB in `app.SERVICE_HANDLERS`: there, a request that an armed fault
strikes has passed the checks of its signature and permissions, and can be changed.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ministack import app

from localcloud.faults.partial_failures import current_failure
from localcloud.patches.seam import Seam, check

SEAMS = (Seam("ministack.app", "SERVICE_HANDLERS"),)

_Handler = Callable[[str, str, dict[str, str], Any, Any], Awaitable[tuple[int, dict[str, str], Any]]]


def install() -> None:
    """Let batch calls fail in part."""
    check(SEAMS)
    for service in ("sns", "sqs", "events", "dynamodb"):
        app.SERVICE_HANDLERS[service] = partial(_handle, app.SERVICE_HANDLERS[service])


async def _handle(
    handler: _Handler, method: str, path: str, headers: dict[str, str], body: Any, query_params: Any
) -> tuple[int, dict[str, str], Any]:
    failure = current_failure()
    if failure is None:
        return await handler(method, path, headers, body, query_params)
    if failure.request is None:
        return 200, {"Content-Type": headers.get("content-type", "")}, failure.with_failures(failure.nothing_done)
    status, answered, answer = await handler(method, path, headers, failure.request, query_params)
    if status != 200:
        return status, answered, answer
    stale = ("content-length", "x-amz-crc32")
    kept = {name: value for name, value in answered.items() if name.lower() not in stale}
    return status, kept, failure.with_failures(answer if isinstance(answer, bytes) else answer.encode())
