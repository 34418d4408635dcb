"""The write that takes, extends or releases a review claim, as docs/contracts/decision.md has it for consoles."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gatehouse.aws.verdict_table import NOT_HELD
from gatehouse.moderation.moment import iso
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import REVIEW_CLAIM, REVISION, STATUS


@dataclass(frozen=True, slots=True)
class ReviewHold:
    """An UpdateItem without its table and key. It names the claim alone: nobody is to be told of a hold.

    Attributes:
        values: as Python has them.
    """

    update: str
    condition: str
    names: Mapping[str, str]
    values: Mapping[str, Any]

    @classmethod
    def taken(cls, verdict: Verdict, now: datetime) -> "ReviewHold":
        """The write that takes or extends the claim of this verdict, if the item is still the one that was seen.

        Args:
            verdict: with the claim that is wanted; see `review_hold.held`.

        Raises:
            ValueError: the verdict has no claim.
        """
        claim = verdict.review_claim
        if claim is None:
            raise ValueError(f"nobody wants to hold {verdict.upload.object}")
        values: dict[str, Any] = {
            ":claim": claim.to_document(),
            ":status": verdict.status.value,
            ":now": iso(now),
            ":by": claim.by,
        }
        if verdict.revision:
            revision = f"#{REVISION} = :revision"
            values[":revision"] = verdict.revision
        else:
            revision = f"attribute_not_exists(#{REVISION})"
        is_free = f"{NOT_HELD.removesuffix(')')} OR #{REVIEW_CLAIM}.#by = :by)"
        return cls(
            f"SET #{REVIEW_CLAIM} = :claim",
            f"#{STATUS} = :status AND {revision} AND {is_free}",
            {f"#{name}": name for name in (STATUS, REVISION, REVIEW_CLAIM, "until", "by")},
            values,
        )

    @classmethod
    def released(cls, by: str) -> "ReviewHold":
        """The write that gives an upload back, if `by`, a `person:<id>`, has it."""
        return cls(
            f"REMOVE #{REVIEW_CLAIM}",
            f"#{REVIEW_CLAIM}.#by = :by",
            {f"#{REVIEW_CLAIM}": REVIEW_CLAIM, "#by": "by"},
            {":by": by},
        )
