"""Makes armed faults strike EventBridge's deliveries (`localcloud.faults.delivery_fault`).

Wraps `eventbridge._invoke_target`, outside of the patch `event_delivery`: a repeated delivery is checked twice.
"""

import contextvars
import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from ministack.services import eventbridge

from localcloud.faults import armed, deliveries
from localcloud.faults.delivery_fault import Origin
from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.services.eventbridge", "_invoke_target", ("target", "event", "rule", "view")),
    Seam("ministack.services.eventbridge", "_pattern_event_view", ("event",)),
)


def install() -> None:
    """Let faults decide when, how many times and in which order an event is delivered."""
    check(SEAMS)
    deliver = eventbridge._invoke_target

    def invoke_target(target: Mapping[str, Any], event: Mapping[str, Any], rule: Mapping[str, Any], view: Any) -> None:
        fault = armed.at_delivery(partial(_text, event, view), Origin.EVENTS) if armed.are_there() else None
        if fault is None:
            deliver(target, event, rule, view)
        else:
            # The context has the event's account and region.
            run = contextvars.copy_context().run
            deliveries.strike(fault, partial(run, deliver, target, event, rule, view), armed.is_armed)

    eventbridge._invoke_target = invoke_target


def _text(event: Mapping[str, Any], view: Any) -> str:
    """An event as it is delivered."""
    return json.dumps((view or eventbridge._pattern_event_view(event)).event_with_detail(), ensure_ascii=False)
