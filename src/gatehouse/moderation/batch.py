"""A batch: up to 10,000 uploads analyzed together, and the files that describe it in the work bucket.

`manifest.jsonl` is what Bulk Analysis reads, `uploads.jsonl` lists every upload of the batch with its number, and
`execution.json` says to the workflow what it needs, and `batch.json` holds all the settings the batch keeps to its end,
with whole policies, which are too much for a workflow to read. `batch.json` is written last: where it exists, the batch
is complete and may be started. Indexes of fewer uploads come later, where some are to be asked about again
(`image_pass`).
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatehouse.moderation.claim import Claim
from gatehouse.moderation.document import MISSHAPEN, confidence, of_kind, optional_text, shown, text, whole
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.lane import Lane, Priority, policy_name_for
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import MAX_IMAGE_BYTES, Upload

SCHEMA = "gatehouse.batch/4"

#: Images of a media analysis job (Rekognition Developer Guide, limits.html).
MAX_UPLOADS = 10_000

#: A batch that was started and ended without a verdict is tried again under a new batch, this many times in all.
MAX_BATCHES_PER_UPLOAD = 3


def new_batch_id() -> str:
    """A fresh id: 32 hexadecimal digits, so that id and attempt fit a ClientRequestToken's 64 characters."""
    return uuid.uuid4().hex


def batch_prefix(batch_id: str) -> str:
    """Where everything of a batch lies in the work bucket."""
    return f"batches/{batch_id}/"


def manifest_key(batch_id: str) -> str:
    """Key of the manifest the engines read."""
    return f"{batch_prefix(batch_id)}manifest.jsonl"


def uploads_key(batch_id: str) -> str:
    """Key of the index of the batch's uploads."""
    return f"{batch_prefix(batch_id)}uploads.jsonl"


def execution_key(batch_id: str) -> str:
    """Key of what the workflow reads."""
    return f"{batch_prefix(batch_id)}execution.json"


def settings_key(batch_id: str) -> str:
    """Key of the batch's settings; written last."""
    return f"{batch_prefix(batch_id)}batch.json"


def bulk_output_prefix(batch_id: str) -> str:
    """Where a media analysis job writes. Rekognition puts the slash after it."""
    return f"{batch_prefix(batch_id)}analysis/bulk"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an upload needs no analysis to be final, and the status it ends with."""

    status: Status
    failure: Failure


def refusal_for(upload: Upload, attempt: int) -> Refusal | None:
    """Tell the uploads that would cost an analysis and could never get one from those worth analyzing."""
    if upload.size == 0:
        return Refusal(Status.UNSUPPORTED, Failure("EmptyObject", "the object has no bytes"))
    if upload.size > MAX_IMAGE_BYTES:
        message = f"the object has {upload.size} bytes; Rekognition reads at most {MAX_IMAGE_BYTES} from S3"
        return Refusal(Status.UNSUPPORTED, Failure("ImageTooLarge", message))
    if attempt > MAX_BATCHES_PER_UPLOAD:
        message = f"{MAX_BATCHES_PER_UPLOAD} batches were started for this upload and none gave a verdict"
        return Refusal(Status.FAILED, Failure("AttemptsExhausted", message))
    return None


def is_overwritten(upload: Upload, in_manifest: bool) -> bool:
    """Whether an upload's bytes can be asked for no more: a newer upload of the object, and no version id to name it.

    Args:
        in_manifest: see `BatchUpload`; only worth asking of one that was not refused.
    """
    return not in_manifest and upload.version_id is None


@dataclass(frozen=True, slots=True)
class BatchUpload:
    """One line of the uploads index: number, claim, and what became of it before any analysis.

    Attributes:
        n: position in the index, from 0.
        refusal: None for an upload an engine is to look at.
        in_manifest: False for refused uploads, and for older uploads of an object whose newest is in the manifest: a
            manifest can't name a version, so a second line would only pay for the same bytes twice.
    """

    n: int
    claim: Claim
    refusal: Refusal | None
    in_manifest: bool

    @property
    def is_overwritten(self) -> bool:
        """Whether it was worth analyzing, and its bytes can be asked for no more."""
        return self.refusal is None and is_overwritten(self.claim.upload, self.in_manifest)

    def refused_as(self, status: Status) -> bool:
        """Whether it was refused before any analysis, and ends with this status."""
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
    """A batch and the settings it keeps from its claim to its last verdict, whatever is deployed meanwhile."""

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
            policies: at least those the lane may need, by name.
        """
        refusals = [refusal_for(claim.upload, claim.attempt) for claim in claims]
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
        """What Rekognition is asked for: never more than a policy judges by, or what it left out would be approved."""
        return min(self.lane.min_confidence, *(policy.lowest_threshold for policy in self.policies.values()))

    def manifest(self) -> str:
        """The manifest: JSON Lines of `{"source-ref": "s3://bucket/key"}`, the key raw."""
        return "".join(
            _json({"source-ref": entry.claim.upload.object}) + "\n" for entry in self.uploads if entry.in_manifest
        )

    def index(self) -> str:
        """The uploads index, JSON Lines."""
        return index_lines(self.uploads)

    def execution(self, work_bucket: str) -> str:
        """The content of execution.json: nothing in it grows with the uploads or the policies."""
        return _json(
            {
                "uploads": len(self.uploads),
                "analyzable": sum(entry.in_manifest for entry in self.uploads),
                "min_confidence": self.min_confidence,
                "engine": self.lane.engine.value,
                "adapter": self.lane.adapter,
                "job_deadline_seconds": self.lane.job_deadline_seconds,
                "manifest": {"bucket": work_bucket, "key": manifest_key(self.batch_id)},
                "output": {"bucket": work_bucket, "prefix": bulk_output_prefix(self.batch_id)},
            }
        )

    def settings(self) -> str:
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
                "policy": self.lane.policy,
                "policy_overrides": dict(self.lane.policy_overrides),
                "policies": {name: policy.to_document() for name, policy in self.policies.items()},
            }
        )


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """What Results needs of batch.json. `uploads` is how many the batch has."""

    batch_id: str
    lane: str
    created_at: str
    uploads: int
    priority: Priority
    min_confidence: float
    adapter: str | None
    policy: str
    policy_overrides: tuple[tuple[str, str], ...]
    policies: Mapping[str, Policy]

    def policy_for(self, key: str) -> Policy:
        """The policy that judges the upload of this key."""
        return self.policies[policy_name_for(key, self.policy, self.policy_overrides)]


def read_settings(content: str | bytes) -> BatchSettings:
    """Read batch.json.

    Raises:
        ValueError: not a batch.json of this version. Nothing is judged then; the execution fails and can be redriven.
    """
    try:
        return _settings(of_kind(json.loads(content), dict))
    except MISSHAPEN as error:
        raise ValueError(f"batch.json can't be read: {error!r}") from error


def _settings(document: Mapping[str, Any]) -> BatchSettings:
    if document.get("schema") != SCHEMA:
        raise ValueError(f"it is not of {SCHEMA}; was this batch written by another version of Gatehouse?")
    policies = {name: Policy.from_document(policy) for name, policy in of_kind(document["policies"], dict).items()}
    policy, overrides = text(document["policy"]), of_kind(document["policy_overrides"], dict)
    if missing := [name for name in (policy, *overrides.values()) if name not in policies]:
        raise ValueError(f"it lacks the policy {shown(missing[0])}")
    return BatchSettings(
        batch_id=text(document["batch_id"]),
        lane=text(document["lane"]),
        created_at=text(document["created_at"]),
        uploads=of_kind(document["uploads"], int),
        priority=Priority(document["priority"]),
        min_confidence=confidence(document["min_confidence"]),
        adapter=optional_text(document["adapter"]),
        policy=policy,
        policy_overrides=tuple(overrides.items()),
        policies=policies,
    )


def read_index(settings: BatchSettings, lines: Iterable[str | bytes]) -> Iterator[BatchUpload]:
    """Read the uploads index.

    Raises:
        ValueError: a line is not ours.
    """
    for line in lines:
        try:
            entry = _entry(settings, of_kind(json.loads(line), dict))
        except MISSHAPEN as error:
            raise ValueError(f"a line of the uploads index is not ours: {error!r}") from error
        yield entry


def _entry(settings: BatchSettings, document: Mapping[str, Any]) -> BatchUpload:
    refusal = None
    if "error" in document:
        error = document["error"]
        refusal = Refusal(Status(document["status"]), Failure(text(error["code"]), text(error["message"])))
        if refusal.status not in (Status.UNSUPPORTED, Status.FAILED):
            raise ValueError(f"{refusal.status} takes an analysis")
    attempt = whole(document["attempt"])
    claim = Claim(Upload.from_document(document), settings.batch_id, settings.created_at, settings.lane, attempt)
    return BatchUpload(whole(document["n"]), claim, refusal, of_kind(document.get("in_manifest", True), bool))


def index_lines(uploads: Iterable[BatchUpload]) -> str:
    """An uploads index, JSON Lines: of a whole batch, or of its leftovers."""
    return "".join(entry.to_line() + "\n" for entry in uploads)


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
