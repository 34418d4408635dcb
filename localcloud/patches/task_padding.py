"""A task's result can be padded, for armed faults.

AWS: the size of a service's answers is not specified, and may change. `task_results` describes the limit.
ministack 1.5.33: never pads answers.

Wraps `stepfunctions._invoke_resource`, inside of `task_results`, so that the limit for results applies to it.
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
    """Pad results on request."""
    check(SEAMS)
    invoke = stepfunctions._invoke_resource

    def invoke_resource(resource: str, input_data: Any) -> Any:
        size = _size.get()
        _size.set(0)  # an execution that the task starts is not padded
        result = invoke(resource, input_data)
        return padded(result, size) if size else result

    stepfunctions._invoke_resource = invoke_resource


@contextlib.contextmanager
def padded_to(size: int) -> Iterator[None]:
    """While the block runs, the result of the called task has at least this number of bytes."""
    token = _size.set(size)
    try:
        yield
    finally:
        _size.reset(token)


def padded(result: Any, size: int) -> Any:
    """A result with an additional member, so that its JSON has `size` bytes, or more if it was already that large."""
    members = result if isinstance(result, dict) else {"Result": result}
    bare = json.dumps({**members, _MEMBER: ""}, ensure_ascii=False)
    return {**members, _MEMBER: "x" * (size - len(bare.encode()))}
