"""Which objects of the bucket are to be moderated."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gatehouse.cli.bucket.listed_objects import ListedObject
from gatehouse.moderation.document import of_kind, optional_text, text


@dataclass(frozen=True, slots=True)
class ObjectSelection:
    """Selects objects; the default is all of them.

    Attributes:
        prefix: of their keys.
        since, until: last modified from then on, or until then; ISO 8601, UTC.
        suffixes: ends of their keys, ignoring case; empty for any.
        larger, smaller: bytes; more than, or less than this.
    """

    prefix: str = ""
    since: str | None = None
    until: str | None = None
    suffixes: tuple[str, ...] = ()
    larger: int | None = None
    smaller: int | None = None

    def takes(self, listed: ListedObject) -> bool:
        """Whether an object is selected."""
        return (
            listed.key.startswith(self.prefix)
            and (not self.suffixes or listed.key.lower().endswith(tuple(suffix.lower() for suffix in self.suffixes)))
            and (self.since is None or listed.modified_at >= self.since)
            and (self.until is None or listed.modified_at <= self.until)
            and (self.larger is None or listed.size > self.larger)
            and (self.smaller is None or listed.size < self.smaller)
        )

    def to_document(self) -> dict[str, Any]:
        """The selection as JSON has it."""
        return asdict(self) | {"suffixes": list(self.suffixes)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ObjectSelection":
        """Read what `to_document` wrote.

        Raises:
            one of `MISSHAPEN`: it is something else.
        """
        return cls(
            prefix=text(document["prefix"]),
            since=optional_text(document["since"]),
            until=optional_text(document["until"]),
            suffixes=tuple(map(text, of_kind(document["suffixes"], list))),
            larger=document["larger"],
            smaller=document["smaller"],
        )
