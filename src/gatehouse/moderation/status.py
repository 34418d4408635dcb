"""Where an upload stands."""

from enum import StrEnum


class Status(StrEnum):
    """Where an upload stands. Every status but PENDING is final, and only APPROVED is ever safe to show."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REVIEW = "REVIEW"
    BLOCKED = "BLOCKED"
    UNSUPPORTED = "UNSUPPORTED"
    FAILED = "FAILED"


#: The statuses a policy gives, mildest first: as severe as their position.
JUDGED = (Status.APPROVED, Status.REVIEW, Status.BLOCKED)

FLAGGED = frozenset({Status.REVIEW, Status.BLOCKED})
FINAL = frozenset(Status) - {Status.PENDING}
