"""Mappings of a table's stream read, filter, batch, retry and discard records as Lambda's pollers do.

AWS: a mapping reads a shard in order. A record that no filter matches is skipped and costs no invocation; the others
are added to the batch, which is sent at the first of `BatchSize` records, 6 MB and, after the first of them,
`MaximumBatchingWindowInSeconds` (invocation-eventfiltering.html, services-dynamodb-eventsourcemapping.html). While a
batch fails, the records behind it wait; `stream_batches` decides what is retried. A batch whose attempts are used up,
or whose records are older than `MaximumRecordAgeInSeconds` or the stream's 24 hours, is discarded: the on-failure
destination gets its position, and the mapping continues. An invocation that is throttled uses up no attempt
(services-dynamodb-errors.html). The pollers use the function's role (see `stream_mappings`).
ministack 1.5.33: no window, no payload limit, no partial responses, no bisecting, and no limit on retries except the
age; one mapping's slow function delays all others; `numeric` matches DynamoDB's numbers, and `anything-but` matches
absent fields; the role's permissions are not checked.

The local cloud's time: the window, the pauses between attempts (1 s, doubling up to a minute; AWS does not document
them) and `MaximumRecordAgeInSeconds` are scaled, the 24 hours are not. A stream has one shard, and
`ParallelizationFactor` is 1.

Replaces `lambda_svc._poll_dynamodb_streams`, which runs after a write to a table with a stream and once a second. A
batch runs on its own thread, which ends when nothing is due.
"""

import json
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ministack.core.concurrency import esm_wake, spawn_background
from ministack.core.responses import _request_account_id, _request_region
from ministack.services import dynamodb, dynamodb_streams, lambda_svc, sqs

from localcloud.patches import clock, pollers, stream_mappings
from localcloud.patches.queue_batching import PAYLOAD_LIMIT
from localcloud.patches.seam import Seam, check
from localcloud.patches.stream_batches import Batch, Record, RetryRules, discarded_record, first_failed
from localcloud.patches.stream_filters import compiled

_DYNAMODB = "ministack.services.dynamodb"
_LAMBDA = "ministack.services.lambda_svc"
SEAMS = (
    *stream_mappings.SEAMS,
    Seam("ministack.core.concurrency", "spawn_background"),
    Seam("ministack.core.responses", "_request_account_id"),
    Seam("ministack.core.responses", "_request_region"),
    Seam(_DYNAMODB, "_tables"),
    Seam(_DYNAMODB, "_next_stream_seq", ()),
    Seam(_DYNAMODB, "stream_live_records", ("table_name", "account_id", "region")),
    Seam(_DYNAMODB, "stream_start_position", ("table_name", "account_id", "region")),
    Seam(_DYNAMODB, "closed_stream", ("stream_arn",)),
    Seam("ministack.services.dynamodb_streams", "_DEFAULT_SHARD_ID"),
    Seam(_LAMBDA, "_poll_dynamodb_streams", ()),
    Seam(_LAMBDA, "_iter_all_esms", ()),
    Seam(_LAMBDA, "_dynamodb_stream_positions"),
    Seam(_LAMBDA, "_execute_function", ("func", "event")),
    Seam("ministack.services.sqs", "_queue_by_arn"),
    Seam("ministack.services.sqs", "_queue_url", ("name",)),
    Seam("ministack.services.sqs", "_act_send_message", ("data", "qurl")),
)

_RETENTION = 24 * 60 * 60.0
_LONGEST_PAUSE = 60.0
_READ_AT_ONCE = 1000
_log = logging.getLogger("gatehouse.batching")


@dataclass(slots=True)
class _Reader:
    """A mapping's position in its stream.

    Attributes:
        position: of the next record to read.
        gathered: matching records for the next batch.
        size: their size in bytes.
        is_full: whether they must be sent immediately.
        closes_at: when they are sent regardless of their number (`time.time()`).
        batches: batches to send before them, in order.
        rests_until: nothing is sent before this time.
        is_busy: whether a thread is sending.
    """

    position: int
    gathered: list[Record] = field(default_factory=list)
    size: int = 0
    is_full: bool = False
    closes_at: float | None = None
    batches: list[Batch] = field(default_factory=list)
    rests_until: float = 0.0
    is_busy: bool = False


# By the mapping's id. Only the poller uses a reader, and while it is busy, only the sending thread.
_readers: dict[str, _Reader] = {}


def install() -> None:
    """Read streams as Lambda's pollers do."""
    check(SEAMS)
    lambda_svc._poll_dynamodb_streams = _poll


def deliver(function: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """Invoke a function with a batch. Every delivery goes through here."""
    result: dict[str, Any] = lambda_svc._execute_function(function, event)
    return result


def _poll() -> bool:
    """Process all mappings of streams; returns whether a batch was sent."""
    has_sent = False
    known = set()
    for account, region, mapping in lambda_svc._iter_all_esms():
        known.add(mapping["UUID"])
        if not stream_mappings.is_of_stream(mapping.get("EventSourceArn", "")):
            continue
        account_token, region_token = _request_account_id.set(account), _request_region.set(region)
        try:
            has_sent = _look(mapping) or has_sent
        finally:
            _request_account_id.reset(account_token)
            _request_region.reset(region_token)
    for ended in [each for each, reader in _readers.items() if each not in known and not reader.is_busy]:
        del _readers[ended]
    return has_sent


def _look(mapping: dict[str, Any]) -> bool:
    """Start sending a mapping's next batch, if it is due."""
    reader = _readers.get(mapping["UUID"])
    if reader is None:
        # ministack stores the position at which the mapping started.
        position = lambda_svc._dynamodb_stream_positions.get(mapping["UUID"])
        if position is None:
            return False
        reader = _readers[mapping["UUID"]] = _Reader(position)
    if reader.is_busy or not _prepare(mapping, reader):
        return False
    reader.is_busy = True
    spawn_background(_send_all, mapping, reader, thread_name="gatehouse-stream")
    return True


def _send_all(mapping: dict[str, Any], reader: _Reader) -> None:
    """Send batches until none is due."""
    try:
        while mapping["UUID"] in lambda_svc._esms and _prepare(mapping, reader):
            _send(mapping, reader)
    except Exception:
        _rest(reader, 1.0)
        raise
    finally:
        reader.is_busy = False
        esm_wake.set()


def _prepare(mapping: dict[str, Any], reader: _Reader) -> bool:
    """Read further, unless batches wait; returns whether a batch is due now."""
    now = time.time()
    if not mapping.get("Enabled", True) or now < reader.rests_until:
        return False
    if not reader.batches:
        _gather(mapping, reader)
        if not reader.gathered or not (reader.is_full or reader.closes_at is None or now >= reader.closes_at):
            return False
        reader.batches = [Batch(tuple(reader.gathered))]
        reader.gathered, reader.size, reader.is_full, reader.closes_at = [], 0, False, None
    return True


def _gather(mapping: dict[str, Any], reader: _Reader) -> None:
    """Read new records, up to a full batch."""
    matches = [compiled(pattern) for pattern in stream_mappings.patterns(mapping)]
    while not reader.is_full:
        reader.position, records = _records(mapping["EventSourceArn"], reader.position)
        if not records or not _may_read(mapping, reader):
            return
        for record in records:
            if not matches or any(match(record) for match in matches):
                size = len(json.dumps(record))
                if reader.gathered and reader.size + size > PAYLOAD_LIMIT:
                    reader.is_full = True
                    break
                _add(mapping, reader, record, size)
            reader.position += 1
            if reader.is_full:
                break


def _add(mapping: Mapping[str, Any], reader: _Reader, record: Record, size: int) -> None:
    window = clock.scaled(int(mapping.get("MaximumBatchingWindowInSeconds") or 0))
    if not reader.gathered and window:
        reader.closes_at = time.time() + window
        pollers.wake_after(window)
    reader.gathered.append(record)
    reader.size += size
    reader.is_full = len(reader.gathered) >= int(mapping["BatchSize"])


def _records(stream: str, position: int) -> tuple[int, list[Record]]:
    """Records of a stream from a position, or from the oldest one available; and their position.

    A stream that was turned off, or whose table was deleted, is still readable (Streams.html: for 24 hours).
    """
    table_name = stream.split("/")[1]
    table = dynamodb._tables.get(table_name) or {}
    if table.get("LatestStreamArn") == stream and (table.get("StreamSpecification") or {}).get("StreamEnabled"):
        live = dynamodb.stream_live_records(table_name)
        start = dynamodb.stream_start_position(table_name)
    else:
        closed = dynamodb.closed_stream(stream) or {"records": [], "trimmed": position}
        live, start = closed["records"], closed["trimmed"]
    position = max(position, start)
    return position, live[position - start : position - start + _READ_AT_ONCE]


def _may_read(mapping: dict[str, Any], reader: _Reader) -> bool:
    """Whether the function's role can read the stream. If not, the mapping's last result says so; it retries later."""
    if lambda_svc._functions.get(mapping["FunctionName"]) is None:
        problem = "The function does not exist."
    elif pollers.denied_action(mapping, stream_mappings.POLLER_ACTIONS, mapping["EventSourceArn"]):
        problem = "The function's execution role does not have permissions to read the stream."
    else:
        return True
    mapping["LastProcessingResult"] = f"PROBLEM: {problem}"
    _rest(reader, 1.0)
    return False


def _send(mapping: dict[str, Any], reader: _Reader) -> None:
    """Send the next batch, or discard its expired records."""
    batch = reader.batches[0]
    function, configuration = lambda_svc._get_func_record_for_qualifier(
        mapping["FunctionName"], mapping.get("Qualifier")
    )
    if function is None:
        mapping["LastProcessingResult"] = "PROBLEM: The function does not exist."
        _rest(reader, 1.0)
        return
    expired = _count_expired(mapping, batch)
    if expired:
        kept = Batch(batch.records[expired:], batch.invocations, batch.failures)
        reader.batches[:1] = [kept] if kept.records else []
        old = Batch(batch.records[:expired], batch.invocations, batch.failures)
        _discard(mapping, configuration, old, "RecordAgeExceeded", has_error=bool(batch.failures))
        return
    result = deliver(function, {"Records": list(batch.records)})
    if result.get("throttle"):
        mapping["LastProcessingResult"] = "PROBLEM: Function call failed"
        _rest(reader, 1.0)
        return
    has_error = bool(result.get("error"))
    failed: int | None = None
    if has_error:
        failed = 0
        _log.warning("%s failed with a batch of a stream: %s", mapping["FunctionName"], result.get("body"))
    elif "ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or []):
        failed = first_failed(result.get("body"), batch)
    if failed is None:
        mapping["LastProcessingResult"] = "OK"
        del reader.batches[0]
        return
    mapping["LastProcessingResult"] = "PROBLEM: Function call failed"
    rules = RetryRules.of(mapping)
    left = rules.after_failure(batch, failed)
    if rules.is_exhausted(left[0]):
        del reader.batches[0]
        _discard(mapping, configuration, left[0], "RetryAttemptsExhausted", has_error=has_error)
        return
    reader.batches[:1] = left
    _rest(reader, min(2.0 ** left[0].failures, _LONGEST_PAUSE))


def _count_expired(mapping: Mapping[str, Any], batch: Batch) -> int:
    """The number of records at a batch's beginning that are too old to be sent."""
    most = int(mapping.get("MaximumRecordAgeInSeconds", -1))
    longest = _RETENTION if most < 0 else min(clock.scaled(most), _RETENTION)
    oldest = time.time() - longest
    return sum(_written_at(record) < oldest for record in batch.records)


def _written_at(record: Record) -> float:
    """When a record was written. `ApproximateCreationDateTime` has whole seconds, too coarse for a scaled age."""
    return int(record["dynamodb"]["SequenceNumber"][:20]) / 1000


def _discard(
    mapping: dict[str, Any], configuration: Mapping[str, Any], batch: Batch, condition: str, *, has_error: bool
) -> None:
    """Discard a batch, and send a message to the on-failure queue if the function's role is allowed to."""
    queue = stream_mappings.failure_queue(mapping)
    if queue is None:
        return
    if sqs._queue_by_arn(queue) is None or pollers.denied_action(mapping, ("sqs:SendMessage",), queue):
        mapping["LastProcessingResult"] = "PROBLEM: The on-failure destination can't be reached"
        return
    record = discarded_record(
        batch,
        condition=condition,
        request_id=str(uuid.uuid4()),
        function_arn=mapping["FunctionArn"],
        version=str(configuration.get("Version", "$LATEST")),
        stream_arn=mapping["EventSourceArn"],
        shard_id=dynamodb_streams._DEFAULT_SHARD_ID,
        has_error=has_error,
    )
    url = sqs._queue_url(queue.rsplit(":", 1)[-1])
    sqs._act_send_message({"QueueUrl": url, "MessageBody": json.dumps(record)}, url)


def _rest(reader: _Reader, seconds: float) -> None:
    pause = clock.scaled(seconds)
    reader.rests_until = time.time() + pause
    pollers.wake_after(pause)
