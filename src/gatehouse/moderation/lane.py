"""A lane: a stream of uploads treated alike, and the rule that decides which uploads belong to it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from gatehouse.moderation.engine import Engine
from gatehouse.moderation.image_format import DEFAULT_FORMATS, ImageFormat
from gatehouse.moderation.rendition import DEFAULT_FRAMES


class Priority(StrEnum):
    """Lanes of the same priority share a workflow, a chunk queue and a part of the account's calls a second.

    The most urgent one comes first.
    """

    FAST = "fast"
    LIVE = "live"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True)
class Lane:
    """What the functions need to know about a lane. Queue sizes and batching windows are only in the template.

    Attributes:
        name: unique among the lanes of a deployment.
        prefixes: an upload's key starts with one of these; `""` matches every key.
        suffixes: an upload's key ends with one of these, ignoring case; empty matches every key.
        exclude_prefixes: keys that start with one of these are not moderated by this lane.
        other_lanes_prefixes: prefixes within ours that belong to another lane, because the longest prefix wins.
        min_size: bytes, inclusive.
        max_size: bytes, inclusive; None means no upper bound.
        min_confidence: 0-100, sent to Rekognition; labels below it are not returned.
        adapter: ARN of a Custom Moderation project version, or None for the base model.
        samples: share of the approved uploads that people are asked to look at, 0-1.
        policy: name of the policy that judges this lane's uploads.
        policy_overrides: key prefixes and the policies that judge the uploads under them instead; the longest wins.
        engine: what analyzes this lane's batches.
        priority: how urgent this lane is among the others.
        job_deadline_seconds: how long to wait for an analysis job.
        formats: rendered for Rekognition if it does not read a file.
        max_frames: maximum number of frames that are judged of a rendered image.
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
    samples: float = 0.0
    policy: str = "standard"
    policy_overrides: tuple[tuple[str, str], ...] = ()
    engine: Engine = Engine.AUTO
    priority: Priority = Priority.LIVE
    job_deadline_seconds: int = 86_400
    formats: tuple[ImageFormat, ...] = DEFAULT_FORMATS
    max_frames: int = DEFAULT_FRAMES

    def matches(self, key: str, size: int) -> bool:
        """Whether an upload with this key and size in bytes belongs to this lane."""
        if not key.startswith(self.prefixes) or key.startswith(self.exclude_prefixes + self.other_lanes_prefixes):
            return False
        if self.suffixes and not key.lower().endswith(tuple(suffix.lower() for suffix in self.suffixes)):
            return False
        return size >= self.min_size and (self.max_size is None or size <= self.max_size)

    def policy_for(self, key: str) -> str:
        """Name of the policy that judges an upload with this key."""
        return policy_name_for(key, self.policy, self.policy_overrides)

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of all policies that can judge an upload of this lane, each once, sorted."""
        return tuple(sorted({self.policy, *(name for _, name in self.policy_overrides)}))

    def to_document(self) -> dict[str, Any]:
        """The lane as a JSON document; `from_document` reads it back."""
        document = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return document | {"policy_overrides": dict(self.policy_overrides)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Lane":
        """Read a lane that `to_document` wrote.

        Raises:
            TypeError: the document has a field that this version does not know, or lacks the name.
            ValueError: this version does not know the engine, the priority or a format.
        """
        known = {field.name for field in fields(cls)}
        if unknown := set(document) - known:
            raise TypeError(f"a lane has no field {', '.join(sorted(unknown))}; deploy function and settings together")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
        }
        if "policy_overrides" in values:
            values["policy_overrides"] = tuple(dict(values["policy_overrides"]).items())
        if "engine" in values:
            values["engine"] = Engine(values["engine"])
        if "priority" in values:
            values["priority"] = Priority(values["priority"])
        if "formats" in values:
            values["formats"] = tuple(map(ImageFormat, values["formats"]))
        return cls(**values)


def policy_name_for(key: str, policy: str, overrides: Iterable[tuple[str, str]]) -> str:
    """The policy of the longest prefix that `key` begins with, or `policy` if it begins with none of them."""
    _, name = max(((prefix, name) for prefix, name in overrides if key.startswith(prefix)), default=("", policy))
    return name
