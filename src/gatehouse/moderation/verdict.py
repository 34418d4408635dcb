"""A verdict: an upload, what Rekognition said of it, what the policy made of that, and its form in the verdict table.

This module is the one place that knows the attribute names of an item.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from gatehouse.moderation.analysis import Analysis, ContentType, Label
from gatehouse.moderation.document import of_kind, text, whole
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.upload import Upload

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


class Status(StrEnum):
    """Where an upload stands. Every status but PENDING is final, and only APPROVED is ever safe to show."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REVIEW = "REVIEW"
    BLOCKED = "BLOCKED"
    UNSUPPORTED = "UNSUPPORTED"
    FAILED = "FAILED"


#: Characters kept of a reported failure. A failed execution's cause may have 32,768 (Step Functions API reference).
MAX_CODE = 128
MAX_MESSAGE = 1024

#: Who decided, where no person did.
BY_POLICY = "policy"

#: The attributes that a second look at a verdict may change. Where `decision_item` lacks one, the item has none.
DECISION_ATTRIBUTES = (STATUS, "reasons", "policy", "decided_at", "decided_by", INDEX_PARTITION, INDEX_SORT)

#: The statuses a policy gives, mildest first: as severe as their position.
JUDGED = (Status.APPROVED, Status.REVIEW, Status.BLOCKED)

FLAGGED = frozenset({Status.REVIEW, Status.BLOCKED})
FINAL = frozenset(Status) - {Status.PENDING}


class Reason(NamedTuple):
    """Why: the rule that fired, on which label, at what confidence, with which outcome, against which threshold.

    `content_type` is the kind of image that chose the threshold, or None if it is the rule's own.
    """

    rule: str
    label: str
    confidence: float
    outcome: str
    threshold: float
    content_type: str | None = None

    def to_document(self) -> dict[str, Any]:
        """The reason as flags and items carry it."""
        document: dict[str, Any] = {
            "rule": self.rule,
            "label": self.label,
            "confidence": self.confidence,
            "outcome": self.outcome,
            "threshold": self.threshold,
        }
        return document | ({"content_type": self.content_type} if self.content_type else {})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an upload has no analysis: a short code, as the service or we gave it, and a sentence for people."""

    code: str
    message: str

    @classmethod
    def reported(cls, code: str, message: str) -> "Failure":
        """A failure in someone else's words, cut to what an item and a flag have room for a hundredfold."""
        return cls(_valid_unicode(code)[:MAX_CODE], _valid_unicode(message)[:MAX_MESSAGE])

    def to_document(self) -> dict[str, str]:
        """The failure as flags, items and indexes carry it."""
        return {"code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True)
class Claim:
    """The hold of one batch on one upload: status PENDING until Results finalizes it under this very claim.

    Attributes:
        attempt: 1 on the first claim; one more each time a batch that had been started ended without a verdict.
        claimed_at: ISO 8601, UTC.
    """

    upload: Upload
    batch_id: str
    claimed_at: str
    lane: str
    attempt: int = 1

    def to_item(self) -> dict[str, Any]:
        """The PENDING item."""
        return {**_upload_item(self), STATUS: Status.PENDING.value}


@dataclass(frozen=True, slots=True)
class PolicyReference:
    """Which policy decided."""

    name: str
    version: str
    hash: str

    def to_document(self) -> dict[str, str]:
        """The reference as flags and items carry it."""
        return {"name": self.name, "version": self.version, "hash": self.hash}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A final verdict. Judged uploads have an analysis and a policy; UNSUPPORTED and FAILED ones have a failure.

    Attributes:
        decided_at: ISO 8601, UTC.
        engine: BULK or IMAGE, or None for an upload that was refused before any analysis.
        adapter_asked: the adapter the lane asked for; compare `analysis.adapter`, the one that answered.
        decided_by: `BY_POLICY`, a person's id, or None where nobody had anything to decide.
    """

    claim: Claim
    status: Status
    decided_at: str
    reasons: tuple[Reason, ...] = ()
    analysis: Analysis | None = None
    failure: Failure | None = None
    policy: PolicyReference | None = None
    engine: Engine | None = None
    job_id: str | None = None
    min_confidence: float | None = None
    adapter_asked: str | None = None
    decided_by: str | None = None

    @property
    def upload(self) -> Upload:
        """The upload the verdict speaks of, and of no other version of the object."""
        return self.claim.upload

    @property
    def is_pinned(self) -> bool:
        """Whether the analysis is of these very bytes, because the engine could name their version."""
        return self.engine is Engine.IMAGE and self.upload.version_id is not None

    def to_item(self, expires_at: int | None = None) -> dict[str, Any]:
        """The final item.

        Args:
            expires_at: epoch seconds at which DynamoDB may delete it, or None to keep it.
        """
        optional = {
            "error": self.failure and self.failure.to_document(),
            "engine": self.engine and self.engine.value,
            "job_id": self.job_id,
            "min_confidence": self.min_confidence,
            "adapter": self._adapter_item(),
            EXPIRES_AT: expires_at,
            **self._analysis_item(),
        }
        item = {
            **_upload_item(self.claim),
            **{name: value for name, value in optional.items() if value is not None},
        }
        return {name: _storable(value) for name, value in item.items()} | self.decision_item()

    def decision_item(self) -> dict[str, Any]:
        """The part of the final item that a policy decides: those of `DECISION_ATTRIBUTES` that the item has."""
        item = {
            STATUS: self.status.value,
            "reasons": [reason.to_document() for reason in self.reasons],
            "policy": self.policy and self.policy.to_document(),
            "decided_at": self.decided_at,
            "decided_by": self.decided_by,
            **self._index_item(),
        }
        return {name: _storable(value) for name, value in item.items() if value is not None}

    def _analysis_item(self) -> dict[str, Any]:
        if self.analysis is None:
            return {}
        return {
            "labels": labels_document(self.analysis),
            "content_types": content_types_document(self.analysis),
            "model_version": self.analysis.model_version,
        }

    def _adapter_item(self) -> dict[str, Any] | None:
        if self.adapter_asked is None:
            return None
        return {"asked": self.adapter_asked, "answered": self.analysis and self.analysis.adapter}

    def _index_item(self) -> dict[str, Any]:
        if self.status is Status.APPROVED:
            return {}  # a sparse index: an item without both attributes is not in it
        return {
            INDEX_PARTITION: index_partition(self.status, self.decided_at[:10], self.upload.object),
            INDEX_SORT: f"{self.decided_at}#{self.upload.version}",
        }


def index_partition(status: Status, day: str, object_uri: str) -> str:
    """The index partition of an object: `<STATUS>#<YYYY-MM-DD>#<0-9>`, ten of them a day so that none runs hot."""
    digit = hashlib.sha256(object_uri.encode()).digest()[0] % 10
    return f"{status}#{day}#{digit}"


def labels_document(analysis: Analysis) -> list[dict[str, Any]]:
    """The labels as flags and items carry them."""
    return [
        {"name": label.name, "parent": label.parent, "confidence": label.confidence, "level": label.level}
        for label in analysis.labels
    ]


def content_types_document(analysis: Analysis) -> list[dict[str, Any]]:
    """The content types as flags and items carry them."""
    return [{"name": entry.name, "confidence": entry.confidence} for entry in analysis.content_types]


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


def _valid_unicode(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # JSON can escape half a surrogate pair; DynamoDB refuses it


def _storable(value: Any) -> Any:
    """DynamoDB's client takes decimals, not floats."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {name: _storable(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_storable(entry) for entry in value]
    return value
