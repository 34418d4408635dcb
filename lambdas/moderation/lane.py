"""A lane: a stream of uploads treated alike, and the rule that tells which uploads belong to it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Lane:
    """What the pipeline needs to know of a lane when it runs; queue sizes and windows are the template's business.

    Attributes:
        name: unique among the lanes of a deployment.
        prefixes: an upload's key starts with one of these; `""` takes every key.
        suffixes: an upload's key ends with one of these, upper and lower case alike; empty takes every key.
        exclude_prefixes: keys that start with one of these are not moderated by this lane.
        other_lanes_prefixes: prefixes inside ours that belong to another lane, because the longest prefix wins.
        min_size: bytes, inclusive.
        max_size: bytes, inclusive; None means no upper bound.
        min_confidence: 0-100, asked of Rekognition; labels below it are never seen.
        adapter: ARN of a Custom Moderation project version, or None for the base model.
        policy: name of the policy that judges this lane's uploads.
        job_deadline_seconds: how long one analysis job may be waited for.
    """

    name: str
    prefixes: tuple[str, ...] = ("",)
    suffixes: tuple[str, ...] = ()
    exclude_prefixes: tuple[str, ...] = ()
    other_lanes_prefixes: tuple[str, ...] = ()
    min_size: int = 0
    max_size: int | None = None
    min_confidence: float = 30.0
    adapter: str | None = None
    policy: str = "default"
    job_deadline_seconds: int = 86_400

    def matches(self, key: str, size: int) -> bool:
        """Whether an upload of `size` bytes under `key` belongs to this lane."""
        if not key.startswith(self.prefixes) or key.startswith(self.exclude_prefixes + self.other_lanes_prefixes):
            return False
        if self.suffixes and not key.lower().endswith(tuple(suffix.lower() for suffix in self.suffixes)):
            return False
        return size >= self.min_size and (self.max_size is None or size <= self.max_size)

    def to_document(self) -> dict[str, Any]:
        """The lane as JSON can carry it; `from_document` reads it back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Lane":
        """The lane that `to_document` wrote.

        Raises:
            TypeError: the document has a field this version does not know, or lacks the name.
        """
        known = {field.name for field in fields(cls)}
        if unknown := set(document) - known:
            raise TypeError(f"a lane has no field {', '.join(sorted(unknown))}; deploy function and settings together")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
        }
        return cls(**values)
