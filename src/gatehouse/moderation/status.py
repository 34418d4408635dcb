"""The status of an upload."""

from enum import StrEnum


class Status(StrEnum):
    """The status of an upload. Every status except PENDING is final, and only an APPROVED upload is safe to show."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REVIEW = "REVIEW"
    BLOCKED = "BLOCKED"
    UNSUPPORTED = "UNSUPPORTED"
    FAILED = "FAILED"


#: The statuses that a policy gives, from mildest to most severe.
JUDGED = (Status.APPROVED, Status.REVIEW, Status.BLOCKED)

FLAGGED = frozenset({Status.REVIEW, Status.BLOCKED})
FINAL = frozenset(Status) - {Status.PENDING}
