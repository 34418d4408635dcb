"""A flag: the notification about an upload's final status, complete in itself.

Subscribers may see one more than once, always with the same id, and may see it before the table shows the status. The
body is ASCII: keys may hold characters that JSON can escape and a queue behind the topic would refuse.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gatehouse.moderation.analysis import Analysis, content_types_document, labels_document
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.verdict import Verdict

SCHEMA = "gatehouse.flag/1"

#: PublishBatch: at most 10 messages, and 262,144 bytes for all of them with their attributes (SNS API reference).
MAX_MESSAGES = 10
MAX_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Flag:
    """A message for the flag topic.

    Attributes:
        id: hash of object, version, status and policy hash or error code: the same however often it is sent.
        attributes: name -> (SNS data type, value as text); six at most, because raw delivery to SQS allows ten.
    """

    id: str
    body: str
    attributes: dict[str, tuple[str, str]]

    @property
    def size(self) -> int:
        """Bytes as SNS counts them: the body and each attribute's name, type and value."""
        attributes = sum(
            len(name.encode()) + len(kind) + len(value.encode()) for name, (kind, value) in self.attributes.items()
        )
        return len(self.body.encode()) + attributes

    @classmethod
    def of(cls, verdict: Verdict) -> "Flag":
        """The flag of a final verdict."""
        upload = verdict.upload
        identity = flag_id(verdict)
        analysis, reasons = verdict.analysis, verdict.reasons
        body: dict[str, Any] = {
            "schema": SCHEMA,
            "id": identity,
            "object": {
                "bucket": upload.bucket,
                "key": upload.key,
                "version_id": upload.version_id,
                "etag": upload.etag,
                "size": upload.size,
            },
            "version": upload.version,
            "lane": verdict.claim.lane,
            "status": verdict.status.value,
            "reasons": [reason.to_document() for reason in reasons],
            "labels": labels_document(analysis) if analysis else [],
            "content_types": content_types_document(analysis) if analysis else [],
            "policy": verdict.policy and verdict.policy.to_document(),
            "error": verdict.failure and verdict.failure.to_document(),
            "uploaded_at": upload.uploaded_at,
            "decided_at": verdict.decided_at,
            "batch_id": verdict.claim.batch_id,
        }
        names = tuple(dict.fromkeys(reason.label for reason in reasons))
        attributes = {
            "status": ("String", verdict.status.value),
            "lane": ("String", verdict.claim.lane),
            "bucket": ("String", upload.bucket),
        }
        if names:
            categories = dict.fromkeys(_category(name, analysis) for name in names)
            attributes["categories"] = ("String.Array", json.dumps(list(categories)))
            attributes["labels"] = ("String.Array", json.dumps(names))
            attributes["max_confidence"] = ("Number", f"{max(reason.confidence for reason in reasons):.5f}")
        return cls(identity, json.dumps(body, separators=(",", ":")), attributes)


def flag_id(verdict: Verdict) -> str:
    """The id a re-run gives again: 64 hexadecimal digits."""
    cause = verdict.policy.hash if verdict.policy else verdict.failure.code if verdict.failure else ""
    parts = (verdict.upload.object, verdict.upload.version, verdict.status.value, cause)
    return hashlib.sha256("\n".join(json.dumps(part) for part in parts).encode()).hexdigest()


def in_batches(flags: Iterable[Flag]) -> Iterator[tuple[Flag, ...]]:
    """Group flags, in order, so that each group fits one PublishBatch call."""
    group: list[Flag] = []
    size = 0
    for flag in flags:
        if group and (len(group) == MAX_MESSAGES or size + flag.size > MAX_BYTES):
            yield tuple(group)
            group, size = [], 0
        group.append(flag)
        size += flag.size
    if group:
        yield tuple(group)


def _category(name: str, analysis: Analysis | None) -> str:
    """The level 1 label above `name`: by the taxonomy, else by the parents in the answer, else `name` itself."""
    if name in taxonomy.PARENTS:
        return (name, *taxonomy.ancestors(name))[-1]
    parent = next((label.parent for label in analysis.labels if label.name == name), "") if analysis else ""
    return (parent, *taxonomy.ancestors(parent))[-1] if parent in taxonomy.PARENTS else name
