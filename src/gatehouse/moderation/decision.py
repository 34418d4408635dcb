"""What people do after an upload's first verdict: decide, confirm a sample, appeal, report.

An act replaces a verdict's status and records who, why and when. Reasons, labels and policy do not change: they are the
automatic result, which people's decisions are compared with. Each act increments the revision, so if two people act on
the same revision, one of them is refused and has to look at the new verdict.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gatehouse.moderation.change import MAX_HISTORY, Cause, Change, HistoryEntry
from gatehouse.moderation.document import is_text, optional_text, text
from gatehouse.moderation.person import Person, is_person
from gatehouse.moderation.status import Status

if TYPE_CHECKING:
    from gatehouse.moderation.verdict import Verdict

#: Maximum length of a note, in characters.
MAX_NOTE = 500
#: Maximum length of a display name, in characters.
MAX_NAME = 100
#: Characters of a person's id: an assumed role's has 129 at most, which are 64 of the role, a slash and 64 of the
#: session (IAM User Guide, reference_iam-quotas.html).
MAX_ID = 160

#: A reason code.
REASON = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MAX_REASON = 40
#: The reason code that requires a note.
OTHER = "other"

#: The codes if the settings do not name others.
DEFAULT_REASONS = ("false-positive", "context", "policy-violation", "spam", "illegal", "duplicate", OTHER)

#: The statuses that a person can decide on. Only an appeal or a report returns an upload to REVIEW.
_DECIDED = (Status.APPROVED, Status.BLOCKED)
#: Acts that return an upload to REVIEW: the status it must have, and the word for messages.
_SENT_BACK = {Cause.APPEAL: (Status.BLOCKED, "appealed"), Cause.REPORT: (Status.APPROVED, "reported")}
#: Acts by which a person says what an upload's status should be.
DECIDING = (Cause.DECISION, Cause.CONFIRMATION)
#: What every confirmation gives as its reason.
CONFIRMED = "confirmation"
#: What to know or to do where it has another status.
_INSTEAD = {
    Status.REVIEW: "it already waits for a person to decide",
    Status.APPROVED: "if it should not be shown, report it",
    Status.BLOCKED: "if it should be shown, appeal it",
}
_DECIDE_INSTEAD = "approve it or block it instead"


class DecisionRefusedError(ValueError):
    """An act is invalid, or not allowed on this verdict. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Why a person gave the current status. `note` is free text, or None."""

    reason: str
    note: str | None

    def to_document(self) -> dict[str, Any]:
        """The decision as written into flags and items."""
        return {"reason": self.reason} | ({} if self.note is None else {"note": self.note})

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Decision":
        """Read a decision that is stored in an item.

        Raises:
            KeyError, TypeError: it is malformed.
        """
        return cls(text(document["reason"]), optional_text(document.get("note")))


@dataclass(frozen=True, slots=True)
class ReviewClaim:
    """A short hold that gives one upload to one reviewer.

    Attributes:
        by: `person:<id>`.
        until: when it expires; ISO 8601, UTC.
    """

    by: str
    until: str

    def to_document(self) -> dict[str, str]:
        """The claim as stored in items."""
        return {"by": self.by, "until": self.until}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ReviewClaim":
        """Read a claim that is stored in an item.

        Raises:
            KeyError, TypeError: it is malformed.
        """
        return cls(text(document["by"]), text(document["until"]))


@dataclass(frozen=True, slots=True)
class Act:
    """One act of a person.

    Attributes:
        cause: DECISION, APPEAL or REPORT.
        status: the upload's new status.
        at: when; ISO 8601, UTC.
    """

    cause: Cause
    status: Status
    person: Person
    decision: Decision
    at: str

    def __post_init__(self) -> None:
        """Check the parts that do not depend on a verdict.

        Raises:
            DecisionRefusedError: the reason code, the note, the name or the id is invalid.
        """
        reason, note, name = self.decision.reason, self.decision.note, self.person.name
        if len(reason) > MAX_REASON or not REASON.fullmatch(reason):
            raise DecisionRefusedError(
                f"{reason[:MAX_REASON]!r} is not a reason code; use lower-case words joined by hyphens, at most "
                f"{MAX_REASON} characters, such as {DEFAULT_REASONS[0]}"
            )
        if note is not None and not 0 < len(note) <= MAX_NOTE:
            raise DecisionRefusedError(f"write a note of 1 to {MAX_NOTE} characters, not {len(note)}")
        if name is not None and not 0 < len(name) <= MAX_NAME:
            raise DecisionRefusedError(f"write a display name of 1 to {MAX_NAME} characters, not {len(name)}")
        if not 0 < len(self.person.id) <= MAX_ID:
            raise DecisionRefusedError(f"use an id of 1 to {MAX_ID} characters, not {len(self.person.id)}")
        if not all(is_text(words) for words in (note, name, self.person.id) if words is not None):
            raise DecisionRefusedError("the note, the display name or the id is not valid UTF-8; write it in UTF-8")
        if reason == OTHER and note is None:
            raise DecisionRefusedError(f"the reason {OTHER!r} needs a note that explains it")


def decide(status: Status, person: Person, decision: Decision, at: str) -> Act:
    """A person decides that an upload gets this status.

    Raises:
        DecisionRefusedError: people can't decide on this status; see also `Act`.
    """
    if status not in _DECIDED:
        raise DecisionRefusedError(f"a person can decide {' or '.join(_DECIDED)}, not {status}")
    return Act(Cause.DECISION, status, person, decision, at)


def appeal(person: Person, decision: Decision, at: str) -> Act:
    """The owner of a BLOCKED upload asks for another decision. `person` is the one who enters the appeal.

    Raises:
        DecisionRefusedError: see `Act`.
    """
    return Act(Cause.APPEAL, Status.REVIEW, person, decision, at)


def report(person: Person, decision: Decision, at: str) -> Act:
    """Somebody complains about an APPROVED upload. `person` is the one who enters the report.

    Raises:
        DecisionRefusedError: see `Act`.
    """
    return Act(Cause.REPORT, Status.REVIEW, person, decision, at)


def confirm(person: Person, note: str | None, at: str) -> Act:
    """A person looked at a sample, and agrees that it is APPROVED. The policy's verdict stays the policy's.

    Raises:
        DecisionRefusedError: see `Act`.
    """
    return Act(Cause.CONFIRMATION, Status.APPROVED, person, Decision(CONFIRMED, note), at)


def acted(verdict: "Verdict", act: Act) -> "Verdict":
    """The verdict after a person's act.

    Raises:
        DecisionRefusedError: this verdict does not allow the act.
    """
    _ensure_allowed(verdict, act)
    by = act.person.decided_by
    entry = HistoryEntry(
        cause=act.cause,
        at=act.at,
        by=by,
        name=act.person.name,
        before=verdict.status,
        after=act.status,
        since=verdict.decided_at,
        reason=act.decision.reason,
        note=act.decision.note,
        sample=verdict.is_sample,
    )
    is_confirmation = act.cause is Cause.CONFIRMATION
    return replace(
        verdict,
        status=act.status,
        decided_at=act.at,
        decided_by=verdict.decided_by if is_confirmation else by,
        decided_by_name=None if is_confirmation else act.person.name,
        decision=act.decision,
        revision=verdict.revision + 1,
        change=Change(act.cause, announce=not is_confirmation),
        history=(*verdict.history, entry),
        recused=_doubted(verdict) if act.cause in _SENT_BACK else None,
        review_claim=None,
        is_sample=False,
    )


def _doubted(verdict: "Verdict") -> str | None:
    """Whose word the current status is: `person:<id>` of who decided or confirmed it; None for the policy's."""
    if verdict.change is not None and verdict.change.cause is Cause.CONFIRMATION and verdict.last_act is not None:
        return verdict.last_act.by
    return verdict.decided_by if is_person(verdict.decided_by) else None


def _ensure_allowed(verdict: "Verdict", act: Act) -> None:
    by = act.person.decided_by
    if act.cause in _SENT_BACK:
        status, word = _SENT_BACK[act.cause]
        if verdict.status is not status:
            instead = _INSTEAD.get(verdict.status, _DECIDE_INSTEAD)
            raise DecisionRefusedError(
                f"only {status} uploads can be {word}, and this one is {verdict.status}; {instead}"
            )
    if act.cause is Cause.CONFIRMATION and not verdict.is_sample:
        raise DecisionRefusedError(
            f"only samples can be confirmed, and this {verdict.status} upload is none, or none any more"
        )
    if act.cause is Cause.DECISION and verdict.recused == by:
        raise DecisionRefusedError("your decision was appealed or reported, so another person has to decide")
    claim = verdict.review_claim
    if act.cause in DECIDING and claim is not None and claim.by != by and claim.until > act.at:
        raise DecisionRefusedError(f"{claim.by} is looking at it until {claim.until}; try again after that")
    if len(verdict.history) >= MAX_HISTORY:
        raise DecisionRefusedError(
            f"its history is full ({MAX_HISTORY} entries); upload the object again to get a new verdict"
        )
