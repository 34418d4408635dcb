"""A change of an item after its first final verdict: its cause, and its entry in the history."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gatehouse.moderation.document import of_kind, optional_text, text
from gatehouse.moderation.status import Status

#: Maximum length of an item's history. With ids, names and notes of full length, in characters of four bytes, it takes
#: 320 KB, and a whole item with 52 labels takes 350 KB of DynamoDB's 400 KB. A test builds it.
MAX_HISTORY = 100


class Cause(StrEnum):
    """What made a change."""

    #: A replay: another version of the policy judged the stored labels.
    POLICY = "policy"
    #: A person decided.
    DECISION = "decision"
    #: The owner of a BLOCKED upload asked for another decision.
    APPEAL = "appeal"
    #: Somebody complained about an APPROVED upload.
    REPORT = "report"
    #: A person looked at a sample, and agrees with the policy that approved it.
    CONFIRMATION = "confirmation"


@dataclass(frozen=True, slots=True)
class Change:
    """The last change of an item.

    Attributes:
        announce: whether it is published to the sinks.
    """

    cause: Cause
    announce: bool

    def to_document(self) -> dict[str, Any]:
        """The change as stored in items."""
        return {"cause": self.cause.value, "announce": self.announce}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Change":
        """Read a change that is stored in an item.

        Raises:
            KeyError, TypeError, ValueError: it is malformed.
        """
        return cls(Cause(document["cause"]), of_kind(document["announce"], bool))


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change of an upload's status that a person made, or that a replay made after one.

    Attributes:
        at: when; ISO 8601, UTC. `since` likewise.
        by: `person:<id>`, or `policy`.
        name: the person's display name, or None.
        since: when the upload got the status `before`.
        reason: a reason code; for a replay, the policy's name and version.
        note: the person's note, or None.
        sample: whether the upload was a sample until then.
    """

    cause: Cause
    at: str
    by: str
    name: str | None
    before: Status
    after: Status
    since: str
    reason: str
    note: str | None
    sample: bool = False

    def to_document(self) -> dict[str, Any]:
        """The entry as stored in items."""
        document = {
            "cause": self.cause.value,
            "at": self.at,
            "by": self.by,
            "name": self.name,
            "from": self.before.value,
            "to": self.after.value,
            "since": self.since,
            "reason": self.reason,
            "note": self.note,
            "sample": self.sample or None,
        }
        return {name: value for name, value in document.items() if value is not None}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "HistoryEntry":
        """Read an entry that is stored in an item.

        Raises:
            KeyError, TypeError, ValueError: it is malformed.
        """
        return cls(
            cause=Cause(document["cause"]),
            at=text(document["at"]),
            by=text(document["by"]),
            name=optional_text(document.get("name")),
            before=Status(document["from"]),
            after=Status(document["to"]),
            since=text(document["since"]),
            reason=text(document["reason"]),
            note=optional_text(document.get("note")),
            sample=of_kind(document.get("sample", False), bool),
        )
