"""A batch's hold on an upload."""

from dataclasses import dataclass

from gatehouse.moderation.upload import Upload


@dataclass(frozen=True, slots=True)
class Claim:
    """The hold of one batch on one upload: its status is PENDING until Results finalizes it under the same claim.

    Attributes:
        attempt: 1 on the first claim; incremented each time a started batch ends without a verdict for the upload.
        claimed_at: ISO 8601, UTC.
    """

    upload: Upload
    batch_id: str
    claimed_at: str
    lane: str
    attempt: int = 1
