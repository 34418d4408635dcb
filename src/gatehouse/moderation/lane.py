"""A lane: a stream of uploads treated alike, and the rule that tells which uploads belong to it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

from gatehouse.moderation.engine import Engine


class Priority(StrEnum):
    """Which lanes share a workflow, a chunk queue and a part of the account's calls a second; most urgent first."""

    FAST = "fast"
    LIVE = "live"
    BACKFILL = "backfill"


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
        policy_overrides: key prefix and name of the policy that judges the uploads under it instead; the longest wins.
        engine: what analyzes this lane's batches.
        priority: how urgent this lane is among the others.
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
    policy: str = "standard"
    policy_overrides: tuple[tuple[str, str], ...] = ()
    engine: Engine = Engine.AUTO
    priority: Priority = Priority.LIVE
    job_deadline_seconds: int = 86_400

    def matches(self, key: str, size: int) -> bool:
        """Whether an upload of `size` bytes under `key` belongs to this lane."""
        if not key.startswith(self.prefixes) or key.startswith(self.exclude_prefixes + self.other_lanes_prefixes):
            return False
        if self.suffixes and not key.lower().endswith(tuple(suffix.lower() for suffix in self.suffixes)):
            return False
        return size >= self.min_size and (self.max_size is None or size <= self.max_size)

    def policy_for(self, key: str) -> str:
        """Name of the policy that judges the upload of this key."""
        return policy_name_for(key, self.policy, self.policy_overrides)

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of the policies that may judge an upload of this lane, each once, sorted."""
        return tuple(sorted({self.policy, *(name for _, name in self.policy_overrides)}))

    def to_document(self) -> dict[str, Any]:
        """The lane as JSON can carry it; `from_document` reads it back."""
        document = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return document | {"policy_overrides": dict(self.policy_overrides)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Lane":
        """The lane that `to_document` wrote.

        Raises:
            TypeError: the document has a field this version does not know, or lacks the name.
            ValueError: an engine or a priority this version does not know.
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
        return cls(**values)


def policy_name_for(key: str, policy: str, overrides: Iterable[tuple[str, str]]) -> str:
    """The policy of the longest of these prefixes that `key` begins with, or `policy` if there is none."""
    _, name = max(((prefix, name) for prefix, name in overrides if key.startswith(prefix)), default=("", policy))
    return name
