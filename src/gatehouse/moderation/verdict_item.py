"""The form of claims and verdicts in the verdict table: the one place that knows the attribute names of an item."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal

from gatehouse.moderation.analysis import Analysis, ContentType, Label, content_types_document, labels_document
from gatehouse.moderation.change import Change, HistoryEntry
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.decision import DECIDING, Decision, ReviewClaim
from gatehouse.moderation.document import of_kind, optional_text, text, whole
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.reason import PolicyReference, Reason
from gatehouse.moderation.rendition import Rendition
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
REVISION = "revision"
CHANGE = "change"
HISTORY = "history"
RECUSED = "recused"
REVIEW_CLAIM = "review_claim"
#: When somebody asked Outcomes to compare the version's tag with its verdict; ISO 8601, UTC.
GATE_ASKED_AT = "gate_asked_at"

INDEX = "by_status"
INDEX_PARTITION = "status_day"
INDEX_SORT = "decided_order"
#: In place of a status, in the partitions of the uploads that were drawn as samples. They are APPROVED.
SAMPLE: Final = "SAMPLE"
#: What a list of flagged uploads needs to show; the table's keys come along by themselves.
INDEX_PROJECTION = (STATUS, "lane", "reasons", "decided_at")

#: The index of what people decided; it shares its sort key with the other one.
DECISION_INDEX = "by_decision"
DECISION_INDEX_PARTITION = "decision_day"
#: What a list of decisions needs to show.
DECISION_INDEX_PROJECTION = (STATUS, "lane", "reasons", "decided_by", "decision")

#: The attributes that a later change of a verdict may change. Where `decision_item` lacks one, the item has none. A
#: history only grows.
DECISION_ATTRIBUTES = (
    *(STATUS, "reasons", "policy", "decided_at", "decided_by", "decided_by_name", "decision", EXPIRES_AT),
    *(REVISION, CHANGE, RECUSED, REVIEW_CLAIM, INDEX_PARTITION, INDEX_SORT, DECISION_INDEX_PARTITION),
)


def claim_item(claim: Claim) -> dict[str, Any]:
    """The PENDING item."""
    return {**_upload_item(claim), STATUS: Status.PENDING.value}


def verdict_item(verdict: Verdict, expires_at: int | None = None) -> dict[str, Any]:
    """The final item.

    Args:
        expires_at: see `decision_item`.
    """
    optional = {
        "error": verdict.failure and verdict.failure.to_document(),
        "engine": verdict.engine and verdict.engine.value,
        "job_id": verdict.job_id,
        "min_confidence": verdict.min_confidence,
        "adapter": _adapter_item(verdict),
        HISTORY: history_document(verdict.history) or None,
        **_analysis_item(verdict),
    }
    item = {
        **_upload_item(verdict.claim),
        **{name: value for name, value in optional.items() if value is not None},
    }
    return {name: _storable(value) for name, value in item.items()} | decision_item(verdict, expires_at)


def expiry(decided_at: datetime, retention: timedelta | None) -> int | None:
    """Epoch seconds at which a final item may be deleted, or None if it is kept forever."""
    return None if retention is None else int((decided_at + retention).timestamp())


def decision_item(verdict: Verdict, expires_at: int | None = None) -> dict[str, Any]:
    """The part of the final item that a policy or a person decides: those of `DECISION_ATTRIBUTES` that it has.

    Args:
        expires_at: see `expiry`. What waits for a person is kept until they decide.
    """
    item = {
        STATUS: verdict.status.value,
        "reasons": [reason.to_document() for reason in verdict.reasons],
        "policy": verdict.policy and verdict.policy.to_document(),
        "decided_at": verdict.decided_at,
        "decided_by": verdict.decided_by,
        "decided_by_name": verdict.decided_by_name,
        "decision": verdict.decision and verdict.decision.to_document(),
        EXPIRES_AT: None if verdict.status is Status.REVIEW else expires_at,
        REVISION: verdict.revision or None,
        CHANGE: verdict.change and verdict.change.to_document(),
        RECUSED: verdict.recused,
        REVIEW_CLAIM: verdict.review_claim and verdict.review_claim.to_document(),
        **_index_item(verdict),
    }
    return {name: _storable(value) for name, value in item.items() if value is not None}


def history_document(entries: Sequence[HistoryEntry]) -> list[dict[str, Any]]:
    """Entries of a history as items carry them."""
    return [entry.to_document() for entry in entries]


def _analysis_item(verdict: Verdict) -> dict[str, Any]:
    if verdict.analysis is None:
        return {}
    return {
        "labels": labels_document(verdict.analysis),
        "content_types": content_types_document(verdict.analysis),
        "model_version": verdict.analysis.model_version,
        **(verdict.analysis.rendition.to_documents() if verdict.analysis.rendition else {}),
    }


def _adapter_item(verdict: Verdict) -> dict[str, Any] | None:
    if verdict.adapter_asked is None:
        return None
    return {"asked": verdict.adapter_asked, "answered": verdict.analysis and verdict.analysis.adapter}


def _index_item(verdict: Verdict) -> dict[str, Any]:
    """Where the indexes have it. They are sparse: an item that lacks an index's partition or sort key is not in it."""
    day, uri = verdict.decided_at[:10], verdict.upload.object
    group = SAMPLE if verdict.is_sample else None if verdict.status is Status.APPROVED else verdict.status
    partitions = {
        INDEX_PARTITION: group and index_partition(group, day, uri),
        DECISION_INDEX_PARTITION: decision_partition(day, uri) if _is_decided(verdict) else None,
    }
    found = {name: partition for name, partition in partitions.items() if partition}
    return found | ({INDEX_SORT: f"{verdict.decided_at}#{verdict.upload.version}"} if found else {})


def _is_decided(verdict: Verdict) -> bool:
    """Whether the last thing that a person did about it was a decision, or a confirmation, perhaps before a replay."""
    act = verdict.last_act
    return act is not None and act.cause in DECIDING


def index_partition(group: Status | Literal["SAMPLE"], day: str, object_uri: str) -> str:
    """The partition of an object in the index by status: `<STATUS>#<YYYY-MM-DD>#<0-9>`, `SAMPLE#...` for samples.

    There are ten of them a day, so that none runs hot.
    """
    return f"{group}#{day}#{_digit(object_uri)}"


def decision_partition(day: str, object_uri: str) -> str:
    """The partition of an object in the index of decisions: `<YYYY-MM-DD>#<0-9>`, ten of them a day."""
    return f"{day}#{_digit(object_uri)}"


def _digit(object_uri: str) -> int:
    return hashlib.sha256(object_uri.encode()).digest()[0] % 10


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
    decision, change, review_claim = item.get("decision"), item.get(CHANGE), item.get(REVIEW_CLAIM)
    return Verdict(
        claim=claim_from_item(item),
        status=status,
        decided_at=text(item["decided_at"]),
        reasons=tuple(_reason(document) for document in item["reasons"]),
        analysis=_analysis(item, optional_text(adapter.get("answered"))) if "labels" in item else None,
        failure=Failure(text(error["code"]), text(error["message"])) if error else None,
        policy=PolicyReference(*(text(policy[name]) for name in ("name", "version", "hash"))) if policy else None,
        engine=Engine(item["engine"]) if item.get("engine") else None,
        job_id=optional_text(item.get("job_id")),
        min_confidence=None if min_confidence is None else _number(min_confidence),
        adapter_asked=optional_text(adapter.get("asked")),
        decided_by=optional_text(item.get("decided_by")),
        decided_by_name=optional_text(item.get("decided_by_name")),
        decision=Decision.from_document(decision) if decision else None,
        revision=whole(item.get(REVISION, 0)),
        change=Change.from_document(change) if change else None,
        history=tuple(map(HistoryEntry.from_document, of_kind(item.get(HISTORY, []), list))),
        recused=optional_text(item.get(RECUSED)),
        review_claim=ReviewClaim.from_document(review_claim) if review_claim else None,
        is_sample=str(item.get(INDEX_PARTITION, "")).startswith(f"{SAMPLE}#"),
    )


def _reason(document: Mapping[str, Any]) -> Reason:
    return Reason(
        rule=text(document["rule"]),
        label=text(document["label"]),
        confidence=_number(document["confidence"]),
        outcome=text(document["outcome"]),
        threshold=_number(document["threshold"]),
        content_type=optional_text(document.get("content_type")),
    )


def _analysis(item: Mapping[str, Any], adapter: str | None) -> Analysis:
    labels = (
        Label(
            name=text(document["name"]),
            parent=text(document["parent"]),
            confidence=_number(document["confidence"]),
            level=None if document.get("level") is None else int(document["level"]),
        )
        for document in item["labels"]
    )
    content_types = (
        ContentType(text(document["name"]), _number(document["confidence"])) for document in item["content_types"]
    )
    rendition = Rendition.from_documents(item) if "frames" in item or "rendition" in item else None
    return Analysis(tuple(labels), tuple(content_types), optional_text(item.get("model_version")), adapter, rendition)


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
        "listed_after": upload.listed_after,
        "source": "listing" if upload.is_listed else "event",
        "uploaded_at": upload.uploaded_at,
    }
    return {name: value for name, value in item.items() if value is not None}


def _number(value: object) -> float:
    """A number of an item, which DynamoDB's client gives as a decimal.

    Raises:
        TypeError, ValueError: it is none, or is not finite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError(f"a {type(value).__name__} where a number is expected")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a number that is not finite")
    return number


def _storable(value: Any) -> Any:
    """DynamoDB's client takes decimals, not floats."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {name: _storable(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_storable(entry) for entry in value]
    return value
