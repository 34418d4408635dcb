"""The short hold that gives one upload to one reviewer while they look at it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gatehouse.moderation.decision import DecisionRefusedError, ReviewClaim
from gatehouse.moderation.moment import iso
from gatehouse.moderation.person import Person

if TYPE_CHECKING:
    from gatehouse.moderation.verdict import Verdict

#: How long a hold lasts after it was taken or extended.
HOLD = timedelta(minutes=10)


def held(verdict: "Verdict", person: Person, now: datetime) -> "Verdict":
    """The verdict when this person holds it: taken, or their own hold extended. Nothing else of it changes.

    Raises:
        DecisionRefusedError: another person holds it, or somebody else has to decide.
    """
    by = person.decided_by
    if verdict.recused == by:
        raise DecisionRefusedError("your decision was appealed or reported, so another person has to decide")
    if is_held_by_another(verdict, person, now) and verdict.review_claim is not None:
        raise DecisionRefusedError(f"{verdict.review_claim.by} is looking at it until {verdict.review_claim.until}")
    return replace(verdict, review_claim=ReviewClaim(by, iso(now + HOLD)))


def is_held_by_another(verdict: "Verdict", person: Person, now: datetime) -> bool:
    """Whether another person holds it at this moment."""
    claim = verdict.review_claim
    return claim is not None and claim.by != person.decided_by and claim.until > iso(now)
