"""The gate: which tag a version of an object carries, so that the bucket's policy lets it be read.

A missing tag is a closed gate. Only an approved version has one, but for the tag that lets lifecycle rules delete what
is blocked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gatehouse.moderation.status import Status

#: The tag's key. IAM compares tag keys in its condition keys without regard to case, so every spelling of it counts.
TAG: Final = "gatehouse-status"

#: Tags of an object at most (S3 User Guide, object-tagging.html).
MOST_TAGS: Final = 10

Tags = Mapping[str, str]


class GateMode(StrEnum):
    """How far the gate is.

    `PREPARE` sets and protects the tags, while everybody may read as before, but for what `gate check` uploads to try
    the gate; `TAG` closes what is not tagged.
    """

    NONE = "none"
    PREPARE = "prepare"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate of a deployment.

    Attributes:
        reader_roles: ARNs of roles that read whatever there is; `*` and `?` may stand in the role's path and name.
        reader_endpoints: ids of VPC endpoints through which everybody may.
        open_prefixes: keys that are readable without a verdict.
        trusted_replicators: ARNs of roles that may copy or replicate objects into the bucket.
        mark_blocked: whether blocked versions are tagged, too, so that lifecycle rules can delete them.
    """

    mode: GateMode = GateMode.NONE
    reader_roles: tuple[str, ...] = ()
    reader_endpoints: tuple[str, ...] = ()
    open_prefixes: tuple[str, ...] = ()
    trusted_replicators: tuple[str, ...] = ()
    mark_blocked: bool = False

    @property
    def sets_tags(self) -> bool:
        """Whether versions are tagged."""
        return self.mode is not GateMode.NONE

    @property
    def closes(self) -> bool:
        """Whether what is not approved can't be read."""
        return self.mode is GateMode.TAG


def tag_for(status: Status | None, *, mark_blocked: bool) -> str | None:
    """The value of the tag of a version with this status, or None for no tag.

    Args:
        status: None if there is no verdict.
    """
    if status is Status.APPROVED or (mark_blocked and status is Status.BLOCKED):
        return status.value
    return None


def tag_in(tags: Tags) -> str | None:
    """What a version's tags say, as a policy reads them, or None if they do not have the tag.

    Where several spellings of the key are there, one that would open the gate counts: IAM matches one of them, and does
    not say which.
    """
    values = [value for key, value in tags.items() if _is_tag(key)]
    return Status.APPROVED.value if Status.APPROVED.value in values else next(iter(values), None)


def with_tag(tags: Tags, value: str | None) -> Tags:
    """The tags with this value of the tag and no other spelling of its key; everybody else's stay as they are."""
    others = {key: other for key, other in tags.items() if not _is_tag(key)}
    return others if value is None else {**others, TAG: value}


def _is_tag(key: str) -> bool:
    return key.casefold() == TAG
