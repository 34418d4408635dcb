"""A batch's hold on an upload."""

from dataclasses import dataclass

from gatehouse.moderation.upload import Upload


@dataclass(frozen=True, slots=True)
class Claim:
    """The hold of one batch on one upload: status PENDING until Results finalizes it under this very claim.

    Attributes:
        attempt: 1 on the first claim; one more each time a batch that had been started ended without a verdict.
        claimed_at: ISO 8601, UTC.
    """

    upload: Upload
    batch_id: str
    claimed_at: str
    lane: str
    attempt: int = 1
