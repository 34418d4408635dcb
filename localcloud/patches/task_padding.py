"""A task's result can be padded, which an armed fault asks for.

AWS: how much a service answers is its own affair, and may change. What comes of too much: see `task_results`.
ministack 1.5.33: answers with what it has.

Wraps `stepfunctions._invoke_resource`, inside of `task_results`: the limit that holds forevery result has to see it.
"""

import contextlib
import contextvars
import json
from collections.abc import Iterator
from typing import Any

from ministack.services import stepfunctions

from localcloud.patches.seam import Seam, check

SEAMS = (Seam("ministack.services.stepfunctions", "_invoke_resource", ("resource", "input_data")),)

_MEMBER = "Padding"

_size: contextvars.ContextVar[int] = contextvars.ContextVar("gatehouse_task_padding", default=0)


def install() -> None:
    """Pad the results that are to be padded."""
    check(SEAMS)
    invoke = stepfunctions._invoke_resource

    def invoke_resource(resource: str, input_data: Any) -> Any:
        size = _size.get()
        _size.set(0)  # an execution that the task starts has results of its own
        result = invoke(resource, input_data)
        return padded(result, size) if size else result

    stepfunctions._invoke_resource = invoke_resource


@contextlib.contextmanager
def padded_to(size: int) -> Iterator[None]:
    """While the block runs, the result of the task that is called has at least so many bytes."""
    token = _size.set(size)
    try:
        yield
    finally:
        _size.reset(token)


def padded(result: Any, size: int) -> Any:
    """A result with one member more, so that its JSON has `size` bytes; or more, if it had as many already."""
    members = result if isinstance(result, dict) else {"Result": result}
    bare = json.dumps({**members, _MEMBER: ""}, ensure_ascii=False)
    return {**members, _MEMBER: "x" * (size - len(bare.encode()))}
