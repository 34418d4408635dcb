"""Batch calls that fail in part.

The service gets the request without some of its entries. The answer is changed to report those as failed (SNS API
reference, PublishBatch; SQS API reference, SendMessageBatch; EventBridge API reference, PutEvents) or unprocessed
(DynamoDB API reference, BatchGetItem, `UnprocessedKeys`).
"""

import contextlib
import contextvars
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode

_MESSAGE = "Injected fault."
_SNS = "http://sns.amazonaws.com/doc/2010-03-31/"
_PUBLISH_ENTRY = "PublishBatchRequestEntries.member."
_NOTHING_PUBLISHED = (
    f'<PublishBatchResponse xmlns="{_SNS}"><PublishBatchResult><Successful/><Failed/></PublishBatchResult>'
    "<ResponseMetadata><RequestId>none</RequestId></ResponseMetadata></PublishBatchResponse>"
).encode()


@dataclass(frozen=True, slots=True)
class PartialFailure:
    """A batch call with some failing entries.

    Attributes:
        request: the body without them; None if no entries are left.
        nothing_done: the body of the answer if no entries are left.
        with_failures: adds the failures to the body of a successful answer.
    """

    request: bytes | None
    nothing_done: bytes
    with_failures: Callable[[bytes], bytes]


_current: contextvars.ContextVar[PartialFailure | None] = contextvars.ContextVar(
    "gatehouse_partial_failure", default=None
)


@contextlib.contextmanager
def failing_in_part(failure: PartialFailure) -> Iterator[None]:
    """While the block runs, the current request fails in part."""
    token = _current.set(failure)
    try:
        yield
    finally:
        _current.reset(token)


def current_failure() -> PartialFailure | None:
    """How the current request fails in part; None if it does not."""
    return _current.get()


def partial_failure(names: Collection[str], body: bytes, positions: Collection[int], code: str) -> PartialFailure:
    """Split a batch call; the entries at `positions` (from 0) fail with `code`. Positions out of range are ignored."""
    if "sns:PublishBatch" in names:
        return _of_publish_batch(body, positions, code)
    if "sqs:SendMessageBatch" in names:
        return _of_send_message_batch(body, positions, code)
    if "events:PutEvents" in names:
        return _of_put_events(body, positions, code)
    return _of_batch_get_item(body, positions)


def _of_publish_batch(body: bytes, positions: Collection[int], code: str) -> PartialFailure:
    fields: dict[str, str] = {}
    entries: dict[int, dict[str, str]] = {}
    for name, value in parse_qsl(body.decode(), keep_blank_values=True):
        if name.startswith(_PUBLISH_ENTRY):
            number, _, field = name.removeprefix(_PUBLISH_ENTRY).partition(".")
            entries.setdefault(int(number), {})[field] = value
        else:
            fields[name] = value
    ordered = [entries[number] for number in sorted(entries)]
    kept, failed = _split(ordered, positions)
    for place, entry in enumerate(kept, start=1):
        fields |= {f"{_PUBLISH_ENTRY}{place}.{field}": value for field, value in entry.items()}
    request = urlencode(fields).encode() if kept else None
    ids = [entry["Id"] for entry in failed]
    return PartialFailure(request, _NOTHING_PUBLISHED, partial(_with_failed_publications, ids, code))


def _with_failed_publications(ids: Collection[str], code: str, answer: bytes) -> bytes:
    ElementTree.register_namespace("", _SNS)
    document = ElementTree.fromstring(answer)  # noqa: S314 - written by our own SNS
    failures = document.find(f".//{{{_SNS}}}Failed")
    if failures is None:
        raise ValueError("ministack's answer to PublishBatch has no Failed element; adapt localcloud/faults.")
    for identifier in ids:
        member = ElementTree.SubElement(failures, f"{{{_SNS}}}member")
        failure = {"Id": identifier, "Code": code, "Message": _MESSAGE, "SenderFault": "false"}
        for name, value in failure.items():
            ElementTree.SubElement(member, f"{{{_SNS}}}{name}").text = value
    return ElementTree.tostring(document)


def _of_send_message_batch(body: bytes, positions: Collection[int], code: str) -> PartialFailure:
    document = json.loads(body)
    kept, failed = _split(document["Entries"], positions)
    failures = [{"Id": entry["Id"], "Code": code, "Message": _MESSAGE, "SenderFault": False} for entry in failed]

    def with_failures(answer: bytes) -> bytes:
        answered = json.loads(answer)
        return json.dumps({**answered, "Failed": [*answered.get("Failed", []), *failures]}).encode()

    request = json.dumps({**document, "Entries": kept}).encode() if kept else None
    return PartialFailure(request, b'{"Successful": []}', with_failures)


def _of_put_events(body: bytes, positions: Collection[int], code: str) -> PartialFailure:
    """The answer has an entry for each entry of the request, in the same order."""
    document = json.loads(body)
    count = len(document["Entries"])
    kept, _ = _split(document["Entries"], positions)

    def with_failures(answer: bytes) -> bytes:
        made = iter(json.loads(answer)["Entries"])
        failure = {"ErrorCode": code, "ErrorMessage": _MESSAGE}
        entries = [failure if position in positions else next(made) for position in range(count)]
        failed = sum("ErrorCode" in entry for entry in entries)
        return json.dumps({"FailedEntryCount": failed, "Entries": entries}).encode()

    request = json.dumps({**document, "Entries": kept}).encode() if kept else None
    return PartialFailure(request, b'{"FailedEntryCount": 0, "Entries": []}', with_failures)


def _of_batch_get_item(body: bytes, positions: Collection[int]) -> PartialFailure:
    """Positions are counted through all tables in the order of the request."""
    document = json.loads(body)
    kept: dict[str, Any] = {}
    unprocessed: dict[str, Any] = {}
    first = 0
    for table, asked in document["RequestItems"].items():
        keys, failed = _split(asked["Keys"], {position - first for position in positions})
        first += len(asked["Keys"])
        if keys:
            kept[table] = {**asked, "Keys": keys}
        if failed:
            unprocessed[table] = {**asked, "Keys": failed}

    def with_failures(answer: bytes) -> bytes:
        answered = json.loads(answer)
        return json.dumps({**answered, "UnprocessedKeys": {**answered["UnprocessedKeys"], **unprocessed}}).encode()

    request = json.dumps({**document, "RequestItems": kept}).encode() if kept else None
    return PartialFailure(request, b'{"Responses": {}, "UnprocessedKeys": {}}', with_failures)


def _split(entries: list[Any], positions: Collection[int]) -> tuple[list[Any], list[Any]]:
    """The entries that are not at `positions`, and those that are."""
    kept = [entry for position, entry in enumerate(entries) if position not in positions]
    return kept, [entry for position, entry in enumerate(entries) if position in positions]
