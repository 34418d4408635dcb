"""Uploads, events, analyses and settings with everything in them that a test does not care about."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from gatehouse.moderation.analysis import Analysis, ContentType, Label
from gatehouse.moderation.batch import Batch, BatchTerms, BatchUpload, read_terms
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.listed_version import ListedVersion
from gatehouse.moderation.moment import iso
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.reason import PolicyReference, Reason
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import FIRST, Upload
from gatehouse.moderation.upload_event import UploadEvent, parse_event
from gatehouse.moderation.verdict import BY_POLICY, Verdict
from gatehouse.moderation.verdict_item import claim_item, verdict_item

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ADAPTER = "arn:aws:rekognition:us-east-1:000000000000:project/p/version/v/1"

#: A policy under which Violence from 50 is for a person, from 90 blocked, and Alcohol is nobody's concern.
POLICY_DOCUMENT: Mapping[str, Any] = {
    "name": "test",
    "version": "1",
    "default": {"review": 60},
    "rules": {"Violence": {"review": 50, "block": 90}, "Alcohol": "allow"},
}


def an_upload(key: str = "cat.jpg", sequencer: str = "0055AED6DCD90281E5", **fields: Any) -> Upload:
    """An upload to an unversioned bucket."""
    defaults: dict[str, Any] = {
        "bucket": "uploads",
        "version_id": None,
        "etag": "d41d8cd98f00b204e9800998ecf8427e",
        "size": 1000,
        "uploaded_at": "2026-11-22T11:59:30.000Z",
    }
    return Upload(key=key, sequencer=sequencer, **defaults | fields)


def a_listed_version(key: str = "cat.jpg", **fields: Any) -> ListedVersion:
    """An object in a listing of an unversioned bucket, of long ago."""
    defaults: dict[str, Any] = {
        "bucket": "uploads",
        "version_id": None,
        "etag": "d41d8cd98f00b204e9800998ecf8427e",
        "size": 1000,
        "modified_at": "2025-03-01T08:00:00.000Z",
    }
    return ListedVersion(key=key, **defaults | fields)


def a_listed_upload(key: str = "cat.jpg", after: str = FIRST, **fields: Any) -> Upload:
    """Such an object with its place behind an older upload, or before all."""
    listed = a_listed_version(key, **fields)
    return Upload(
        bucket=listed.bucket,
        key=listed.key,
        version_id=listed.version_id,
        etag=listed.etag,
        size=listed.size,
        sequencer=None,
        uploaded_at=listed.modified_at,
        listed_after=after,
    )


def uploads(count: int, **fields: Any) -> list[Upload]:
    """Uploads of as many objects."""
    return [an_upload(f"image-{n:05}.jpg", **fields) for n in range(count)]


def s3_event(upload: Upload) -> dict[str, Any]:
    """The EventBridge event of an upload (S3 User Guide, ev-events.html)."""
    stored: dict[str, Any] = {"key": upload.key, "size": upload.size, "etag": upload.etag}
    if upload.version_id:
        stored["version-id"] = upload.version_id
    return {
        "version": "0",
        "id": "2ee9cc15-d022-99ea-1fb8-1b1bac4850f9",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "111122223333",
        "time": upload.uploaded_at,
        "region": "us-east-1",
        "resources": [f"arn:aws:s3:::{upload.bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": upload.bucket},
            "object": stored | {"sequencer": upload.sequencer},
            "request-id": "C3D13FE58DE4C810",
            "requester": "111122223333",
            "source-ip-address": "192.0.2.1",
            "reason": "PutObject",
        },
    }


def sqs_records(bodies: Iterable[Mapping[str, Any] | str]) -> list[dict[str, Any]]:
    """An SQS event's records: documents as JSON, text as it is; their message ids are `m0`, `m1` ..."""
    return [
        {"messageId": f"m{n}", "body": body if isinstance(body, str) else json.dumps(body)}
        for n, body in enumerate(bodies)
    ]


def a_policy(rules: Mapping[str, Any] | None = None, default: Any = None) -> Policy:
    """`POLICY_DOCUMENT`, or one with these rules."""
    document = dict(POLICY_DOCUMENT)
    if rules is not None:
        document["rules"] = rules
    if default is not None:
        document["default"] = default
    return Policy.from_document(document)


def a_lane(**fields: Any) -> Lane:
    """A lane that takes every key."""
    return Lane(**{"name": "default", **fields})


def a_claim(upload: Upload | None = None, **fields: Any) -> Claim:
    """A first claim, at noon."""
    defaults: dict[str, Any] = {"batch_id": "batch-1", "claimed_at": iso(NOON), "lane": "default"}
    return Claim(upload or an_upload(), **defaults | fields)


def a_batch(claims: Sequence[Claim], lane: Lane | None = None, policy: Policy | None = None) -> Batch:
    """The batch of claims that share a batch id and a time."""
    first = claims[0]
    lane = lane or a_lane()
    policies = dict.fromkeys(lane.policies, policy or a_policy())
    return Batch.of(first.batch_id, lane, policies, first.claimed_at, claims)


def terms_and_index(batch: Batch) -> tuple[BatchTerms, list[BatchUpload]]:
    """A batch as Results sees it."""
    return read_terms(batch.terms()), list(batch.uploads)


def labels(confidences: Mapping[str, float]) -> tuple[Label, ...]:
    """Known labels as Rekognition returns them, with their parents' names and their levels."""
    return tuple(
        Label(name, taxonomy.PARENTS[name], confidence, taxonomy.level(name))
        for name, confidence in confidences.items()
    )


def content_types(confidences: Mapping[str, float]) -> tuple[ContentType, ...]:
    """What kind of image Rekognition takes it for."""
    return tuple(ContentType(name, confidence) for name, confidence in confidences.items())


def an_analysis(confidences: Mapping[str, float] | None = None, **fields: Any) -> Analysis:
    """Rekognition's answer with these known labels."""
    return Analysis(**{"labels": labels(confidences or {}), "model_version": "7.0", **fields})


def an_answer(confidences: Mapping[str, float] | None = None, adapter: str | None = None) -> dict[str, Any]:
    """DetectModerationLabels' response with these known labels."""
    answer: dict[str, Any] = {
        "ModerationLabels": [
            {
                "Name": label.name,
                "ParentName": label.parent,
                "Confidence": label.confidence,
                "TaxonomyLevel": label.level,
            }
            for label in labels(confidences or {})
        ],
        "ModerationModelVersion": "7.0",
        "ContentTypes": [],
    }
    return answer | ({"ProjectVersion": adapter} if adapter else {})


def result_line(source: str, confidences: Mapping[str, float] | None = None, adapter: str | None = None) -> str:
    """A result line for the image at `s3://bucket/key`."""
    return json.dumps({"source-ref": source, "detect-moderation-labels": an_answer(confidences, adapter)})


def a_verdict(status: Status = Status.REVIEW, claim: Claim | None = None, **fields: Any) -> Verdict:
    """A verdict on a violent image, or the failure that stands in its place."""
    held = claim or a_claim()
    decided_at = "2026-11-22T12:01:00.000Z"
    if status in (Status.UNSUPPORTED, Status.FAILED):
        return Verdict(held, status, decided_at, **{"failure": Failure("NotAnalyzed", "no result"), **fields})
    flagged = status is not Status.APPROVED
    defaults: dict[str, Any] = {
        "reasons": (_reason(status),) if flagged else (),
        "analysis": an_analysis({"Violence": 92.5} if flagged else {}),
        "policy": PolicyReference("test", "1", "0" * 64),
        "engine": Engine.BULK,
        "job_id": "job-1",
        "min_confidence": 30.0,
        "decided_by": BY_POLICY,
    }
    return Verdict(held, status, decided_at, **defaults | fields)


def event_in(body: str) -> UploadEvent:
    """The event of a message that is about an upload."""
    event = parse_event(body)
    assert isinstance(event, UploadEvent)
    return event


def upload_in(body: str) -> Upload | None:
    """The upload of a message, or None if it is about none."""
    event = parse_event(body)
    return event.upload if isinstance(event, UploadEvent) else None


def item_of(held: Verdict | Claim) -> dict[str, Any]:
    """What the table holds of a final verdict, or of a claim."""
    return claim_item(held) if isinstance(held, Claim) else verdict_item(held)


def _reason(status: Status) -> Reason:
    return Reason("Violence", "Violence", 92.5, "block" if status is Status.BLOCKED else "review", 50.0)
