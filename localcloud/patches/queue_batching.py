"""SQS event source mappings batch like Lambda's pollers.

AWS: a mapping invokes its function at the first of: `MaximumBatchingWindowInSeconds` after the first message,
`BatchSize` messages, or 6 MB of payload. Its pollers use the function's role, which needs `sqs:ReceiveMessage` and
`sqs:DeleteMessage`. Messages of a failed invocation, and those reported in `batchItemFailures`, are delivered again
when their visibility timeout, counted from their receipt, is over. A response that names a message which is not in the
batch, or that is not a partial batch response, fails the whole batch.
ministack 1.5.33: at most 10 messages a batch, no window, no payload limit, no permissions; wrong entries in a partial
batch response count as handled. (It does support `MaximumConcurrency`, filters and dead-letter queues.)

The local cloud's time: the window and the visibility timeout are scaled. A queue's visibility timeout must be six
times its function's timeout on AWS, so a crash would be visible only after minutes. Simply scaled, it could end while
the function still runs, in real time. So messages are not visible while their invocation runs, and are delivered again
after the scaled timeout, or when the invocation ends if that is later. A timeout that a function sets for a message of
its batch with ChangeMessageVisibility replaces the queue's, is scaled in the same way and counts from that call. Other
consumers of a queue, and other queues, get the visibility timeout unscaled.

Replaces `sqs._receive_messages_for_esm` and `lambda_svc._run_sqs_batch`, wraps the two ChangeMessageVisibility calls of
`sqs._HANDLERS`.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ministack.services import lambda_svc, sqs

from localcloud.patches import clock, pollers, task_tokens
from localcloud.patches.seam import Seam, check

SEAMS = (
    *pollers.SEAMS,
    Seam("ministack.services.sqs", "_receive_messages_for_esm", ("queue_url", "max_number")),
    Seam("ministack.services.sqs", "_collect_msgs", ("q", "max_n", "vis_timeout")),
    Seam("ministack.services.sqs", "_dlq_sweep", ("q",)),
    Seam("ministack.services.sqs", "_expire_retained", ("q",)),
    Seam("ministack.services.sqs", "_get_q", ("url", "action")),
    Seam("ministack.services.sqs", "_queues_lock"),
    Seam("ministack.services.sqs", "_Err"),
    Seam("ministack.services.lambda_svc", "_poll_sqs", ()),
    Seam("ministack.services.lambda_svc", "_esms"),
    Seam("ministack.services.lambda_svc", "_esm_inflight"),
    Seam("ministack.services.sqs", "_HANDLERS"),
    Seam("ministack.services.sqs", "_delete_messages_for_esm", ("queue_url", "receipt_handles")),
    Seam("ministack.services.lambda_svc", "_execute_function", ("func", "event")),
    Seam(
        "ministack.services.lambda_svc",
        "_run_sqs_batch",
        ("esm", "func_rec", "event", "batch", "queue_url", "queue_name"),
    ),
)

PAYLOAD_LIMIT = 6 * 1024 * 1024  # bytes of a synchronous invocation; Lambda quotas
# Size of an event's record without the body: ids, a receipt handle of about 350 characters, attributes, ARN, names.
RECORD_OVERHEAD = 850

# Searching a queue takes time in proportion to its length, and every SendMessage wakes the poller.
_LOOK_AGAIN_AFTER = 200
_IN_FLIGHT = 10**9  # seconds; until the invocation ends
_POLLER_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


@dataclass(slots=True)
class _Window:
    """A batch that is being gathered.

    Attributes:
        closes_at: when the batch is sent regardless of its size (`time.time()`).
        looked_at_length: the queue's length when it was last searched.
    """

    closes_at: float
    looked_at_length: int


_windows: dict[str, _Window] = {}
# Receipt handle of a message that a running function has -> when it becomes visible again, if that was changed.
_changed: dict[str, float | None] = {}
_log = logging.getLogger("gatehouse.batching")


def install() -> None:
    """Batch as Lambda's pollers do."""
    check(SEAMS)
    change, change_batch = sqs._HANDLERS["ChangeMessageVisibility"], sqs._HANDLERS["ChangeMessageVisibilityBatch"]

    def change_visibility(data: dict[str, Any], qurl: str) -> Any:
        return change(_kept_invisible(data), qurl)

    def change_visibility_batch(data: dict[str, Any], qurl: str) -> Any:
        return change_batch({**data, "Entries": [_kept_invisible(entry) for entry in data.get("Entries", [])]}, qurl)

    sqs._receive_messages_for_esm = _receive
    sqs._HANDLERS["ChangeMessageVisibility"] = change_visibility
    sqs._HANDLERS["ChangeMessageVisibilityBatch"] = change_visibility_batch
    lambda_svc._run_sqs_batch = _run_batch


def _run_batch(
    esm: dict[str, Any],
    func_rec: dict[str, Any],
    event: Any,
    batch: Sequence[dict[str, Any]],
    queue_url: str,
    queue_name: str,
) -> None:
    """Invoke the function with a batch, delete the handled messages, and make the others visible again."""
    received_at = time.time()
    handles = {message["id"]: message["receipt_handle"] for message in batch}
    failed = set(handles)
    _changed.update(dict.fromkeys(handles.values()))
    try:
        with task_tokens.held(message["body"] for message in batch):
            result = lambda_svc._execute_function(func_rec, event)
        if result.get("error"):
            esm["LastProcessingResult"] = "PROBLEM: Function call failed"
            _log.warning("%s failed with a batch of %s: %s", esm["FunctionName"], queue_name, result.get("body"))
        else:
            esm["LastProcessingResult"] = "OK"
            failed = _failures(result.get("body"), set(handles)) if _reports_failures(esm) else set()
        handled = {handle for message, handle in handles.items() if message not in failed}
        sqs._delete_messages_for_esm(queue_url, handled)
    finally:
        _release(queue_url, [message for message in batch if message["id"] in failed], handles, received_at)


def _reports_failures(mapping: Mapping[str, Any]) -> bool:
    return "ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", [])


def _failures(response: Any, batch: set[str]) -> set[str]:
    """The messages that a partial batch response reports as failed; all of them if it is not such a response."""
    if response is None:
        return set()
    if not isinstance(response, dict):
        return batch
    items = response.get("batchItemFailures") or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return batch
    named = {item.get("itemIdentifier") for item in items}
    return named if named <= batch else batch


def _receive(queue_url: str, max_number: int) -> list[dict[str, Any]]:
    """The next batch of a queue's mapping; empty while it is being gathered."""
    queue = sqs._get_q(queue_url)
    length = len(queue["messages"])
    if length == 0:
        _windows.pop(queue_url, None)
        return []
    window = _windows.get(queue_url)
    now = time.time()
    if window:
        window.looked_at_length = min(window.looked_at_length, length)
    if window and now < window.closes_at and length - window.looked_at_length < min(_LOOK_AGAIN_AFTER, max_number):
        return []
    mapping = _mapping(queue["attributes"]["QueueArn"])
    if mapping is None or not _may_poll(mapping):
        return []
    with sqs._queues_lock:
        sqs._expire_retained(queue)
        sqs._dlq_sweep(queue)
        count, full = _visible(queue["messages"], max_number, now)
        seconds = clock.scaled(mapping.get("MaximumBatchingWindowInSeconds") or 0)
        if count and not full and seconds:
            if window is None:
                _windows[queue_url] = _Window(closes_at=now + seconds, looked_at_length=length)
                pollers.wake_after(seconds)
                return []
            if now < window.closes_at:
                window.looked_at_length = length
                return []
        _windows.pop(queue_url, None)
        if not count:
            return []
        messages: list[dict[str, Any]] = sqs._collect_msgs(queue, count, _IN_FLIGHT)
        return messages


def _visible(messages: Sequence[Mapping[str, Any]], max_number: int, now: float) -> tuple[int, bool]:
    """The number of messages in the next batch, and whether it is full."""
    count = size = 0
    for message in messages:
        if message.get("visible_at", 0) > now:
            continue
        size += _record_size(message["body"])
        if size > PAYLOAD_LIMIT and count:
            return count, True
        count += 1
        if count == max_number:
            return count, True
    return count, False


def _record_size(body: str) -> int:
    """Bytes of a message's record in the event; its body is a JSON string there."""
    return len(body) + body.count('"') + body.count("\\") + RECORD_OVERHEAD


def _mapping(queue_arn: str) -> dict[str, Any] | None:
    for mapping in lambda_svc._esms.values():
        if mapping.get("EventSourceArn") == queue_arn and mapping.get("Enabled", True):
            return dict(mapping)
    return None


def _may_poll(mapping: Mapping[str, Any]) -> bool:
    """Whether the function's role can read the queue. If not, the mapping's last result says so."""
    denied = pollers.denied_action(mapping, _POLLER_ACTIONS, mapping["EventSourceArn"])
    if denied:
        lambda_svc._esms[mapping["UUID"]]["LastProcessingResult"] = (
            "PROBLEM: The function's execution role does not have permissions to call "
            f"{denied.removeprefix('sqs:')} on SQS"
        )
    return denied is None


def _release(queue_url: str, batch: Sequence[dict[str, Any]], handles: Mapping[str, str], received_at: float) -> None:
    """Set the visibility timeout of an ended invocation's messages that are still in the queue."""
    with sqs._queues_lock:
        changed = {handle: _changed.pop(handle, None) for handle in handles.values()}
        try:
            queue = sqs._get_q(queue_url)
        except sqs._Err:  # deleted in the meantime
            return
        timeout = clock.scaled(int(queue["attributes"].get("VisibilityTimeout", "30")))
        now = time.time()
        come_back_at = set()
        for message in batch:
            if message["receipt_handle"] == handles[message["id"]]:
                asked = changed[message["receipt_handle"]]
                message["visible_at"] = max(now, received_at + timeout if asked is None else asked)
                come_back_at.add(message["visible_at"])
    for visible_at in come_back_at:
        pollers.wake_after(visible_at - now)


def _kept_invisible(change: dict[str, Any]) -> dict[str, Any]:
    """Adjust a change of a message's visibility: if a running function has the message, it applies after the run."""
    handle = change.get("ReceiptHandle")
    if handle not in _changed:
        return change
    _changed[handle] = time.time() + clock.scaled(int(change.get("VisibilityTimeout", 30)))
    return {**change, "VisibilityTimeout": _IN_FLIGHT}
