"""Makes armed faults strike the deliveries of streams' batches (`localcloud.faults.delivery_fault`).

AWS: a mapping "processes items at least once", so a function can get a batch twice, and late (Lambda Developer Guide,
invocation-eventsourcemapping.html).

Wraps `stream_batching.deliver`, where the shard waits for the answer.
"""

import contextvars
import json
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

from localcloud.faults import armed, deliveries
from localcloud.faults.delivery_fault import Delivery, Origin
from localcloud.patches import stream_batching
from localcloud.patches.seam import Seam, check

SEAMS = (Seam("localcloud.patches.stream_batching", "deliver", ("function", "event")),)


def install() -> None:
    """Let faults decide when and how many times a batch is delivered."""
    check(SEAMS)
    deliver = stream_batching.deliver

    def deliver_with_faults(function: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
        fault = armed.at_delivery(partial(_text, function, event), Origin.STREAM) if armed.are_there() else None
        if fault is None:
            return deliver(function, event)
        if fault.delivery is Delivery.DELAY:
            is_due = threading.Event()
            deliveries.strike(fault, is_due.set, armed.is_armed)
            is_due.wait()
            return deliver(function, event)
        answers: list[dict[str, Any]] = []
        run = contextvars.copy_context().run  # has the batch's account and region
        deliveries.strike(fault, lambda: answers.append(run(deliver, function, event)), armed.is_armed)
        return answers[0]

    stream_batching.deliver = deliver_with_faults


def _text(function: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """The text of a batch as delivered, after the name of its function."""
    name = (function.get("config") or function)["FunctionName"]
    return f"{name} {json.dumps(event, ensure_ascii=False)}"
