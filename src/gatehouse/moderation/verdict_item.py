"""The form of claims and verdicts in the verdict table: the one place that knows the attribute names of an item."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gatehouse.moderation.analysis import Analysis, ContentType, Label, content_types_document, labels_document
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.document import of_kind, text, whole
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.reason import PolicyReference, Reason
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict import Verdict

OBJECT = "object"
VERSION = "version"
STATUS = "status"
BATCH_ID = "batch_id"
CLAIMED_AT = "claimed_at"
ATTEMPT = "attempt"
EXPIRES_AT = "expires_at"

INDEX = "by_status"
INDEX_PARTITION = "status_day"
INDEX_SORT = "decided_order"
#: What a list of flagged uploads needs to show; the table's keys come along by themselves.
INDEX_PROJECTION = (STATUS, "lane", "reasons", "decided_at")

#: The attributes that a second look at a verdict may change. Where `decision_item` lacks one, the item has none.
DECISION_ATTRIBUTES = (STATUS, "reasons", "policy", "decided_at", "decided_by", INDEX_PARTITION, INDEX_SORT)


def claim_item(claim: Claim) -> dict[str, Any]:
    """The PENDING item."""
    return {**_upload_item(claim), STATUS: Status.PENDING.value}


def verdict_item(verdict: Verdict, expires_at: int | None = None) -> dict[str, Any]:
    """The final item.

    Args:
        expires_at: epoch seconds at which DynamoDB may delete it, or None to keep it.
    """
    optional = {
        "error": verdict.failure and verdict.failure.to_document(),
        "engine": verdict.engine and verdict.engine.value,
        "job_id": verdict.job_id,
        "min_confidence": verdict.min_confidence,
        "adapter": _adapter_item(verdict),
        EXPIRES_AT: expires_at,
        **_analysis_item(verdict),
    }
    item = {
        **_upload_item(verdict.claim),
        **{name: value for name, value in optional.items() if value is not None},
    }
    return {name: _storable(value) for name, value in item.items()} | decision_item(verdict)


def decision_item(verdict: Verdict) -> dict[str, Any]:
    """The part of the final item that a policy decides: those of `DECISION_ATTRIBUTES` that the item has."""
    item = {
        STATUS: verdict.status.value,
        "reasons": [reason.to_document() for reason in verdict.reasons],
        "policy": verdict.policy and verdict.policy.to_document(),
        "decided_at": verdict.decided_at,
        "decided_by": verdict.decided_by,
        **_index_item(verdict),
    }
    return {name: _storable(value) for name, value in item.items() if value is not None}


def _analysis_item(verdict: Verdict) -> dict[str, Any]:
    if verdict.analysis is None:
        return {}
    return {
        "labels": labels_document(verdict.analysis),
        "content_types": content_types_document(verdict.analysis),
        "model_version": verdict.analysis.model_version,
    }


def _adapter_item(verdict: Verdict) -> dict[str, Any] | None:
    if verdict.adapter_asked is None:
        return None
    return {"asked": verdict.adapter_asked, "answered": verdict.analysis and verdict.analysis.adapter}


def _index_item(verdict: Verdict) -> dict[str, Any]:
    if verdict.status is Status.APPROVED:
        return {}  # a sparse index: an item without both attributes is not in it
    return {
        INDEX_PARTITION: index_partition(verdict.status, verdict.decided_at[:10], verdict.upload.object),
        INDEX_SORT: f"{verdict.decided_at}#{verdict.upload.version}",
    }


def index_partition(status: Status, day: str, object_uri: str) -> str:
    """The index partition of an object: `<STATUS>#<YYYY-MM-DD>#<0-9>`, ten of them a day so that none runs hot."""
    digit = hashlib.sha256(object_uri.encode()).digest()[0] % 10
    return f"{status}#{day}#{digit}"


def claim_from_item(item: Mapping[str, Any]) -> Claim:
    """The claim an item, pending or final, stands under.

    Raises:
        KeyError, TypeError: the item is not one of ours.
    """
    return Claim(
        upload=Upload.from_document(item),
        batch_id=text(item[BATCH_ID]),
        claimed_at=text(item[CLAIMED_AT]),
        lane=text(item["lane"]),
        attempt=whole(item[ATTEMPT]),
    )


def verdict_from_item(item: Mapping[str, Any]) -> Verdict:
    """The verdict of a final item; numbers may be decimals or floats.

    Raises:
        KeyError, TypeError, ValueError: the item is not final, or not one of ours.
    """
    status = Status(item[STATUS])
    if status is Status.PENDING:
        raise ValueError(f"{item[OBJECT]} is not decided yet")
    adapter = of_kind(item.get("adapter", {}), dict)
    policy, error, min_confidence = item.get("policy"), item.get("error"), item.get("min_confidence")
    return Verdict(
        claim=claim_from_item(item),
        status=status,
        decided_at=item["decided_at"],
        reasons=tuple(_reason(document) for document in item["reasons"]),
        analysis=_analysis(item, adapter.get("answered")) if "labels" in item else None,
        failure=Failure(error["code"], error["message"]) if error else None,
        policy=PolicyReference(*(text(policy[name]) for name in ("name", "version", "hash"))) if policy else None,
        engine=Engine(item["engine"]) if item.get("engine") else None,
        job_id=item.get("job_id"),
        min_confidence=None if min_confidence is None else float(min_confidence),
        adapter_asked=adapter.get("asked"),
        decided_by=item.get("decided_by"),
    )


def _reason(document: Mapping[str, Any]) -> Reason:
    return Reason(
        rule=document["rule"],
        label=document["label"],
        confidence=float(document["confidence"]),
        outcome=document["outcome"],
        threshold=float(document["threshold"]),
        content_type=document.get("content_type"),
    )


def _analysis(item: Mapping[str, Any], adapter: str | None) -> Analysis:
    labels = (
        Label(
            name=document["name"],
            parent=document["parent"],
            confidence=float(document["confidence"]),
            level=None if document.get("level") is None else int(document["level"]),
        )
        for document in item["labels"]
    )
    content_types = (ContentType(document["name"], float(document["confidence"])) for document in item["content_types"])
    return Analysis(tuple(labels), tuple(content_types), item.get("model_version"), adapter)


def _upload_item(claim: Claim) -> dict[str, Any]:
    upload = claim.upload
    item = {
        OBJECT: upload.object,
        VERSION: upload.version,
        BATCH_ID: claim.batch_id,
        ATTEMPT: claim.attempt,
        CLAIMED_AT: claim.claimed_at,
        "lane": claim.lane,
        "bucket": upload.bucket,
        "key": upload.key,
        "version_id": upload.version_id,
        "etag": upload.etag,
        "size": upload.size,
        "sequencer": upload.sequencer,
        "source": "event",
        "uploaded_at": upload.uploaded_at,
    }
    return {name: value for name, value in item.items() if value is not None}


def _storable(value: Any) -> Any:
    """DynamoDB's client takes decimals, not floats."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {name: _storable(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_storable(entry) for entry in value]
    return value
