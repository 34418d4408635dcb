"""A batch: up to 10,000 uploads analyzed together, and the files that describe it in the work bucket.

`manifest.jsonl` is what Bulk Analysis reads. `uploads.jsonl` lists every upload of the batch with its number.
`execution.json` contains what the workflow reads. `batch.json` contains the batch's terms with its complete policies,
which are too large for a workflow to read. It is written last: if it exists, the batch is complete and can be started.
Smaller indexes are added later if some uploads are analyzed again (`image_pass`).
"""

import json
import re
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatehouse.moderation.claim import Claim
from gatehouse.moderation.document import MISSHAPEN, confidence, of_kind, optional_text, share, shown, text, whole
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.lane import Lane, Priority, policy_name_for
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.rendition import MOST_FILE_BYTES
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import MAX_IMAGE_BYTES, Upload

SCHEMA = "gatehouse.batch/4"

#: Maximum number of images in a media analysis job (Rekognition Developer Guide, limits.html).
MAX_UPLOADS = 10_000

#: How many batches are started for an upload before it ends FAILED.
MAX_BATCHES_PER_UPLOAD = 3


_MANIFEST = re.compile(r"batches/([^/]+)/manifest\.jsonl")


def new_batch_id() -> str:
    """A new id: 32 hexadecimal digits, so that id and attempt fit into the 64 characters of a ClientRequestToken."""
    return uuid.uuid4().hex


def batch_prefix(batch_id: str) -> str:
    """Key prefix of all the batch's objects in the work bucket."""
    return f"batches/{batch_id}/"


def manifest_key(batch_id: str) -> str:
    """Key of the manifest that Bulk Analysis reads."""
    return f"{batch_prefix(batch_id)}manifest.jsonl"


def batch_of_manifest(key: str) -> str | None:
    """The batch whose manifest has this key; None if it is no manifest of a batch."""
    match = _MANIFEST.fullmatch(key)
    return match[1] if match else None


def uploads_key(batch_id: str) -> str:
    """Key of the index of the batch's uploads."""
    return f"{batch_prefix(batch_id)}uploads.jsonl"


def execution_key(batch_id: str) -> str:
    """Key of what the workflow reads."""
    return f"{batch_prefix(batch_id)}execution.json"


def terms_key(batch_id: str) -> str:
    """Key of the batch's terms; written last."""
    return f"{batch_prefix(batch_id)}batch.json"


def bulk_output_prefix(batch_id: str) -> str:
    """Key prefix of a media analysis job's output. Rekognition adds the slash."""
    return f"{batch_prefix(batch_id)}analysis/bulk"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an upload ends without an analysis, and the status it ends with."""

    status: Status
    failure: Failure


def refusal_for(upload: Upload, attempt: int, formats: Collection[ImageFormat] = ()) -> Refusal | None:
    """Why this upload is not analyzed; None if it is worth an analysis.

    Args:
        formats: that the lane renders; a file that is too large for Rekognition may be small enough for that.
    """
    if upload.size == 0:
        return Refusal(Status.UNSUPPORTED, Failure("EmptyObject", "the object has no bytes"))
    most = MOST_FILE_BYTES if formats else MAX_IMAGE_BYTES
    if upload.size > most:
        message = f"the object has {upload.size} bytes; at most {most} are read"
        return Refusal(Status.UNSUPPORTED, Failure("ImageTooLarge", message))
    if attempt > MAX_BATCHES_PER_UPLOAD:
        message = f"{MAX_BATCHES_PER_UPLOAD} batches were started for this upload, and none gave it a verdict"
        return Refusal(Status.FAILED, Failure("AttemptsExhausted", message))
    return None


def is_overwritten(upload: Upload, in_manifest: bool) -> bool:
    """Whether an upload's bytes are gone: the object has a newer upload, and no version id identifies this one.

    Args:
        in_manifest: see `BatchUpload`. Meaningless for a refused upload.
    """
    return not in_manifest and upload.version_id is None


@dataclass(frozen=True, slots=True)
class BatchUpload:
    """One line of the uploads index: number, claim, and the refusal if there is one.

    Attributes:
        n: position in the index, from 0.
        refusal: None for an upload that is analyzed.
        in_manifest: False for refused uploads, and for older uploads of an object whose newest one is in the manifest.
            A manifest can't name a version, so a second line would pay for the same bytes twice.
    """

    n: int
    claim: Claim
    refusal: Refusal | None
    in_manifest: bool

    @property
    def is_overwritten(self) -> bool:
        """Whether it was not refused, but its bytes are gone."""
        return self.refusal is None and is_overwritten(self.claim.upload, self.in_manifest)

    def refused_as(self, status: Status) -> bool:
        """Whether it was refused, with this status."""
        return self.refusal is not None and self.refusal.status is status

    def to_line(self) -> str:
        """The index line, without a line end."""
        document: dict[str, Any] = {"n": self.n, **self.claim.upload.to_document(), "attempt": self.claim.attempt}
        if self.refusal:
            document["status"] = self.refusal.status.value
            document["error"] = self.refusal.failure.to_document()
        if not self.in_manifest:
            document["in_manifest"] = False
        return _json(document)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch and its terms, which apply from its claim to its last verdict, whatever is deployed in between."""

    batch_id: str
    lane: Lane
    policies: Mapping[str, Policy]
    created_at: str
    uploads: tuple[BatchUpload, ...]

    @classmethod
    def of(
        cls, batch_id: str, lane: Lane, policies: Mapping[str, Policy], created_at: str, claims: Sequence[Claim]
    ) -> "Batch":
        """Number the claims, refuse what can't be analyzed, and choose the manifest's lines.

        Args:
            policies: by name; at least all policies of the lane.
        """
        refusals = [refusal_for(claim.upload, claim.attempt, lane.formats) for claim in claims]
        newest: dict[str, str] = {}
        for claim, refusal in zip(claims, refusals, strict=True):
            upload = claim.upload
            if refusal is None and upload.version > newest.get(upload.object, ""):
                newest[upload.object] = upload.version
        uploads = tuple(
            BatchUpload(n, claim, refusal, refusal is None and newest[claim.upload.object] == claim.upload.version)
            for n, (claim, refusal) in enumerate(zip(claims, refusals, strict=True))
        )
        return cls(batch_id, lane, {name: policies[name] for name in lane.policies}, created_at, uploads)

    @property
    def min_confidence(self) -> float:
        """MinConfidence for Rekognition. If it were above a policy's lowest threshold, labels would be missed."""
        return min(self.lane.min_confidence, *(policy.lowest_threshold for policy in self.policies.values()))

    def manifest(self) -> str:
        """The manifest: JSON Lines of `{"source-ref": "s3://bucket/key"}`, the key not encoded."""
        return "".join(
            _json({"source-ref": entry.claim.upload.object}) + "\n" for entry in self.uploads if entry.in_manifest
        )

    def index(self) -> str:
        """The uploads index, JSON Lines."""
        return index_lines(self.uploads)

    def execution(self, work_bucket: str) -> str:
        """The content of execution.json. Its size does not depend on the number of uploads or the policies."""
        return _json(
            {
                "uploads": len(self.uploads),
                "analyzable": sum(entry.in_manifest for entry in self.uploads),
                "min_confidence": self.min_confidence,
                "engine": self.lane.engine.value,
                "adapter": self.lane.adapter,
                "formats": list(self.lane.formats),
                "max_frames": self.lane.max_frames,
                "job_deadline_seconds": self.lane.job_deadline_seconds,
                "manifest": {"bucket": work_bucket, "key": manifest_key(self.batch_id)},
                "output": {"bucket": work_bucket, "prefix": bulk_output_prefix(self.batch_id)},
            }
        )

    def terms(self) -> str:
        """The content of batch.json."""
        return _json(
            {
                "schema": SCHEMA,
                "batch_id": self.batch_id,
                "lane": self.lane.name,
                "created_at": self.created_at,
                "uploads": len(self.uploads),
                "min_confidence": self.min_confidence,
                "engine": self.lane.engine.value,
                "priority": self.lane.priority.value,
                "adapter": self.lane.adapter,
                "samples": self.lane.samples,
                "formats": list(self.lane.formats),
                "policy": self.lane.policy,
                "policy_overrides": dict(self.lane.policy_overrides),
                "policies": {name: policy.to_document() for name, policy in self.policies.items()},
            }
        )


@dataclass(frozen=True, slots=True)
class BatchTerms:
    """The batch's terms, as read from batch.json.

    Attributes:
        uploads: the number of the batch's uploads.
        formats: rendered for Rekognition if it does not read a file.
    """

    batch_id: str
    lane: str
    created_at: str
    uploads: int
    priority: Priority
    min_confidence: float
    adapter: str | None
    samples: float
    policy: str
    policy_overrides: tuple[tuple[str, str], ...]
    policies: Mapping[str, Policy]
    formats: frozenset[ImageFormat] = frozenset()

    def policy_for(self, key: str) -> Policy:
        """The policy that judges an upload with this key."""
        return self.policies[policy_name_for(key, self.policy, self.policy_overrides)]


def read_terms(content: str | bytes) -> BatchTerms:
    """Read batch.json.

    Raises:
        ValueError: it is not a batch.json of this version. The execution then fails before it judges anything, and can
            be redriven.
    """
    try:
        return _terms(of_kind(json.loads(content), dict))
    except MISSHAPEN as error:
        raise ValueError(f"batch.json can't be read: {error!r}") from error


def _terms(document: Mapping[str, Any]) -> BatchTerms:
    if document.get("schema") != SCHEMA:
        raise ValueError(f"its schema is not {SCHEMA}; was this batch written by another version of Gatehouse?")
    policies = {name: Policy.from_document(policy) for name, policy in of_kind(document["policies"], dict).items()}
    policy, overrides = text(document["policy"]), of_kind(document["policy_overrides"], dict)
    if missing := [name for name in (policy, *overrides.values()) if name not in policies]:
        raise ValueError(f"it lacks the policy {shown(missing[0])}")
    return BatchTerms(
        batch_id=text(document["batch_id"]),
        lane=text(document["lane"]),
        created_at=text(document["created_at"]),
        uploads=of_kind(document["uploads"], int),
        priority=Priority(document["priority"]),
        min_confidence=confidence(document["min_confidence"]),
        adapter=optional_text(document["adapter"]),
        samples=share(document.get("samples", 0)),
        policy=policy,
        policy_overrides=tuple(overrides.items()),
        policies=policies,
        formats=frozenset(map(ImageFormat, of_kind(document.get("formats", []), list))),
    )


def read_index(terms: BatchTerms, lines: Iterable[str | bytes]) -> Iterator[BatchUpload]:
    """Read the uploads index.

    Raises:
        ValueError: a line is malformed.
    """
    for line in lines:
        try:
            entry = _entry(terms, of_kind(json.loads(line), dict))
        except MISSHAPEN as error:
            raise ValueError(f"a line of the uploads index is malformed: {error!r}") from error
        yield entry


def _entry(terms: BatchTerms, document: Mapping[str, Any]) -> BatchUpload:
    refusal = None
    if "error" in document:
        error = document["error"]
        refusal = Refusal(Status(document["status"]), Failure(text(error["code"]), text(error["message"])))
        if refusal.status not in (Status.UNSUPPORTED, Status.FAILED):
            raise ValueError(f"{refusal.status} requires an analysis")
    attempt = whole(document["attempt"])
    claim = Claim(Upload.from_document(document), terms.batch_id, terms.created_at, terms.lane, attempt)
    return BatchUpload(whole(document["n"]), claim, refusal, of_kind(document.get("in_manifest", True), bool))


def index_lines(uploads: Iterable[BatchUpload]) -> str:
    """An uploads index, as JSON Lines: of a whole batch, or of one pass over it."""
    return "".join(entry.to_line() + "\n" for entry in uploads)


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
