"""The register of open batches: uploads that are claimed and not settled yet.

A batcher writes the entry before it claims, and Results deletes it when the batch holds no more uploads. So every
PENDING upload is in an entry, and listing a few objects finds what has been open too long, without reading the table.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gatehouse.moderation.claim import Claim
from gatehouse.moderation.document import MISSHAPEN, of_kind, optional_text, shown, text, whole
from gatehouse.moderation.moment import iso
from gatehouse.moderation.upload import Upload

OPEN_PREFIX = "open/"

_KEY = re.compile(rf"{OPEN_PREFIX}([a-z0-9-]+)/([0-9a-f]{{32}})\.json")


def open_key(lane: str, batch_id: str) -> str:
    """Key of a batch's entry in the work bucket."""
    return f"{OPEN_PREFIX}{lane}/{batch_id}.json"


def named_by(key: str) -> tuple[str, str] | None:
    """Lane and batch id from an entry's key; None if it is not the key of an entry."""
    matched = _KEY.fullmatch(key)
    return (matched[1], matched[2]) if matched else None


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """An entry of the register.

    Attributes:
        claimed_at: the same for all the batch's claims; ISO 8601 in UTC.
        uploads: those that the batcher was about to claim; some may belong to another batch.
        readmissions: how many times the sweeper has readmitted them.
        readmitted_at: when it last did, ISO 8601 in UTC; None if never.
    """

    lane: str
    batch_id: str
    claimed_at: str
    uploads: Sequence[Upload]
    readmissions: int = 0
    readmitted_at: str | None = None

    @property
    def key(self) -> str:
        """Its key in the work bucket."""
        return open_key(self.lane, self.batch_id)

    def after_readmission(self, now: datetime) -> "OpenBatch":
        """The entry after its uploads were readmitted."""
        return replace(self, readmissions=self.readmissions + 1, readmitted_at=iso(now))

    def claims(self) -> list[Claim]:
        """The claims that the batch may hold."""
        return [Claim(upload, self.batch_id, self.claimed_at, self.lane) for upload in self.uploads]

    def to_text(self) -> str:
        """The entry as it is stored."""
        document = {
            "batch_id": self.batch_id,
            "lane": self.lane,
            "claimed_at": self.claimed_at,
            "readmissions": self.readmissions,
            "readmitted_at": self.readmitted_at,
            "uploads": [upload.to_document() for upload in self.uploads],
        }
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def parse(cls, content: str | bytes) -> "OpenBatch":
        """Read an entry.

        Raises:
            ValueError: it is malformed.
        """
        try:
            document: Mapping[str, Any] = of_kind(json.loads(content), dict)
            uploads = tuple(Upload.from_document(entry) for entry in document["uploads"])
            return cls(
                lane=text(document["lane"]),
                batch_id=text(document["batch_id"]),
                claimed_at=text(document["claimed_at"]),
                uploads=uploads,
                readmissions=whole(document.get("readmissions", 0)),
                readmitted_at=_time(document.get("readmitted_at")),
            )
        except MISSHAPEN as error:
            raise ValueError(f"not an entry of the open batches: {error!r}") from error


def _time(value: object) -> str | None:
    """A time with a zone, or None.

    Raises:
        TypeError, ValueError: it is neither.
    """
    time = optional_text(value)
    if time is not None and datetime.fromisoformat(time).tzinfo is None:
        raise ValueError(f"{shown(time)} has no time zone")
    return time
