"""Events: what S3 says through EventBridge and SQS, and what becomes of it on its way to the table and the manifest."""

import json
from contextlib import suppress
from random import Random
from typing import Any

from gatehouse.moderation.batch import Batch, read_index, read_terms
from gatehouse.moderation.confirmation import aliases_of
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.listed_version import ListedVersion
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import VERSION_PATTERN, UnreadableUploadError, Upload
from gatehouse.moderation.upload_event import (
    MalformedMessageError,
    UploadEvent,
    listing_message,
    parse_event,
    readmission_message,
)
from gatehouse.moderation.verdict_item import claim_from_item, claim_item, verdict_item
from lambdas.batcher.messages import Messages
from localcloud.rekognition import manifest
from tests.fuzz.limits import assert_storable
from tests.fuzz.mutation import mutated_document, mutated_json
from tests.fuzz.parser import Case, Parser
from tests.unit.builders import (
    a_batch,
    a_claim,
    a_lane,
    a_listed_upload,
    a_listed_version,
    a_verdict,
    an_upload,
    event_in,
    s3_event,
)

_KEYS = (
    *(
        "cat.jpg",
        "a b+c%41.jpg",
        'say "cheese"\\.jpg',
        "two\nlines\r.jpg",
        "\u2028\x85\x00\x7f.jpg",
        "😀" * 256,
        "k" * 1024,
    ),
    *("../..//x/./y", "?#%2F", " lead", "s3://x/y", "{}", "\ufeff", "é" * 512, "tmp/private.jpg", "x.JPG"),
)
_EVENTS: tuple[dict[str, Any], ...] = (
    s3_event(an_upload()),
    s3_event(an_upload("photos/a b.jpg", version_id="3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY", bucket="b.c-d")),
    s3_event(an_upload(size=0, sequencer="f" * 40, uploaded_at="2026-11-22T11:59:30+02:00")),
    {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "uploads"},
    {**s3_event(an_upload()), "detail-type": "Object Deleted"},
    json.loads(readmission_message(an_upload(), resubmit_of="batch-1")),
    json.loads(listing_message(a_listed_version("photos/a b.jpg", version_id="3sL4kqtJlcpXroDTDmJ"))),
    json.loads(listing_message(a_listed_version(modified_at="2026-11-22T11:59:30+02:00"))),
    json.loads(readmission_message(a_listed_upload(after="f" * 40), resubmit_of="batch-1")),
    {"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "a+b.jpg"}}}]},
)
_WORDS = (
    *_KEYS,
    *_EVENTS[0],
    *_EVENTS[0]["detail"],
    "key",
    "etag",
    "sequencer",
    "version-id",
    "listed_after",
    "Object Listed",
    "gatehouse",
    "size",
    "null",
    "0055AED6DCD90281E5",
)
_LANE = a_lane(prefixes=("",), suffixes=(".jpg", ".PNG"), exclude_prefixes=("tmp/",), max_size=10**7)


def _event(random: Random) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(json.dumps(random.choice(_EVENTS)))
    stored = event.get("detail", {}).get("object")
    if stored and random.random() < 0.5:
        stored["key"] = random.choice(_KEYS)
    return event


def _draw(random: Random) -> Case:
    return mutated_json(random, _event(random), _WORDS)


def _check(case: Case) -> bool:
    assert isinstance(case, str)
    try:
        event = parse_event(case)
    except (MalformedMessageError, UnreadableUploadError):
        return False
    if isinstance(event, ListedVersion):
        assert parse_event(listing_message(event)) == event
        _assert_usable(event.after("0" * 40))
    elif event is not None:
        assert event.resubmit_of is None or "resubmit_of" in str(json.loads(case))
        _assert_usable(event.upload)
        again = UploadEvent(event.upload, is_readmitted=True, resubmit_of=event.resubmit_of)
        assert parse_event(readmission_message(event.upload, event.resubmit_of)) == again
    return True


def _assert_usable(upload: Upload) -> None:
    """Whatever an event says, what it makes can be stored, listed in a manifest and read back."""
    assert VERSION_PATTERN.fullmatch(upload.version)
    assert upload.version_id not in ("", "null"), "another way to have no version"
    claim = a_claim(upload)
    assert_storable(claim_item(claim))
    assert claim_from_item(claim_item(claim)) == claim
    for status in Status:
        if status is not Status.PENDING:
            assert_storable(verdict_item(a_verdict(status, claim), 1))
    assert len(upload.uploaded_at) == len("2026-11-22T11:59:30.000Z")
    batch = a_batch([claim])
    _assert_listed(batch, upload)
    terms = read_terms(batch.terms().encode())
    assert tuple(read_index(terms, batch.index().encode().splitlines())) == batch.uploads
    assert upload.key not in aliases_of(upload.key)


def _assert_listed(batch: Batch, upload: Upload) -> None:
    text = batch.manifest().encode()
    if not batch.uploads[0].in_manifest:
        assert text == b""
        return
    assert text.endswith(b"\n")
    assert len(text.splitlines()) == 1, "the manifest's line is not one line"
    (line,) = manifest.parse(text)
    assert isinstance(line, manifest.ImageLine)
    assert (line.bucket, line.key, line.source_ref) == (upload.bucket, upload.key, upload.object)


def _draw_records(random: Random) -> Case:
    records = [
        {"messageId": f"m{n}", "body": mutated_json(random, _event(random), _WORDS)}
        for n in range(random.randint(0, 4))
    ]
    return json.dumps(records)


def _check_records(case: Case) -> bool:
    records = json.loads(case)
    messages = Messages.read(_LANE, records)
    assert len(messages.uploads) + len(messages.listed) + messages.ignored + len(messages.malformed) == len(records)
    assert not messages.uploads.keys() & messages.malformed.keys()
    assert all(_LANE.matches(listed.key, listed.size) for listed in messages.listed.values())
    bodies = {record["messageId"]: record["body"] for record in records}
    for identity, upload in messages.uploads.items():
        assert _LANE.matches(upload.key, upload.size) or event_in(bodies[identity]).is_readmitted
    everything = {upload.identity for upload in messages.uploads.values()}
    failures = messages.response(everything)["batchItemFailures"]
    assert len(failures) + len(messages.listed) + messages.ignored == len(records), "a message is lost"
    return not messages.malformed


def _draw_lane(random: Random) -> Case:
    lane = a_lane(prefixes=("a/", "b/"), policy_overrides=(("a/x/", "test"),), adapter="arn:x", max_size=9)
    words = ("bulk", "image", "fast", "live", *lane.to_document())
    return mutated_json(random, mutated_document(random, lane.to_document(), words), words, torn=0.05)


def _check_lane(case: Case) -> bool:
    try:
        document = json.loads(case)
    except (ValueError, RecursionError):
        return False
    if not isinstance(document, dict):
        return False
    try:
        lane = Lane.from_document(document)
    except (TypeError, ValueError):
        return False
    with suppress(RecursionError):  # a lane is our template's, so nothing checks the values in its lists
        assert Lane.from_document(lane.to_document()) == lane
    return True


PARSERS = (
    Parser("upload_event.parse_event", _draw, _check, 20),
    Parser("messages.Messages.read", _draw_records, _check_records),
    Parser("lane.Lane.from_document", _draw_lane, _check_lane, 4),
)
