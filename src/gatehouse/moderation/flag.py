"""A flag: the notification about an upload's final status, complete in itself.

Subscribers may see one more than once, always with the same id, and may see it before the table shows the status. The
body is ASCII: keys may hold characters that JSON can escape and a queue behind the topic would refuse.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse.moderation.analysis import Analysis, content_types_document, labels_document
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.verdict import Verdict

SCHEMA = "gatehouse.flag/1"

#: What a flag gives as its cause where the verdict is the upload's first; else it is a `Cause`.
FIRST_VERDICT = "verdict"

#: A value that subscribers may filter by.
Attribute = str | float | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flag:
    """What is published about a verdict.

    Attributes:
        id: see `flag_id`: the same however often it is sent.
        attributes: name -> what subscribers may filter by without reading the body; seven at most.
    """

    id: str
    body: str
    attributes: Mapping[str, Attribute]

    @classmethod
    def of(cls, verdict: Verdict) -> "Flag":
        """The flag of a final verdict."""
        upload = verdict.upload
        identity = flag_id(verdict)
        analysis, reasons = verdict.analysis, verdict.reasons
        rendition = analysis.rendition.to_documents() if analysis and analysis.rendition else None
        cause = verdict.change.cause.value if verdict.change else FIRST_VERDICT
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
            "revision": verdict.revision,
            "cause": cause,
            "decided_by": verdict.decided_by,
            "decision": verdict.decision and verdict.decision.to_document(),
            "reasons": [reason.to_document() for reason in reasons],
            "labels": labels_document(analysis) if analysis else [],
            "content_types": content_types_document(analysis) if analysis else [],
            "frames": rendition["frames"] if rendition else None,
            "rendition": rendition["rendition"] if rendition else None,
            "policy": verdict.policy and verdict.policy.to_document(),
            "error": verdict.failure and verdict.failure.to_document(),
            "uploaded_at": upload.uploaded_at,
            "decided_at": verdict.decided_at,
            "batch_id": verdict.claim.batch_id,
        }
        names = tuple(dict.fromkeys(reason.label for reason in reasons))
        attributes: dict[str, Attribute] = {
            "status": verdict.status.value,
            "lane": verdict.claim.lane,
            "bucket": upload.bucket,
            "cause": cause,
        }
        if names:
            attributes["categories"] = tuple(dict.fromkeys(_category(name, analysis) for name in names))
            attributes["labels"] = names
            attributes["max_confidence"] = max(reason.confidence for reason in reasons)
        return cls(identity, json.dumps(body, separators=(",", ":")), attributes)


def flag_id(verdict: Verdict) -> str:
    """The id a re-run gives again: 64 hexadecimal digits.

    A hash of object, version, status and, for a first verdict, the policy's hash or the error's code; for a change, its
    cause and revision.
    """
    change, policy, failure = verdict.change, verdict.policy, verdict.failure
    parts: list[str | int] = [verdict.upload.object, verdict.upload.version, verdict.status.value]
    if change:
        parts += [change.cause.value, verdict.revision]
    else:
        parts.append(policy.hash if policy else failure.code if failure else "")
    return hashlib.sha256("\n".join(json.dumps(part) for part in parts).encode()).hexdigest()


def _category(name: str, analysis: Analysis | None) -> str:
    """The level 1 label above `name`: by the taxonomy, else by the parents in the answer, else `name` itself."""
    if name in taxonomy.PARENTS:
        return (name, *taxonomy.ancestors(name))[-1]
    parent = next((label.parent for label in analysis.labels if label.name == name), "") if analysis else ""
    return (parent, *taxonomy.ancestors(parent))[-1] if parent in taxonomy.PARENTS else name
