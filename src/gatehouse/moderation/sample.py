"""Draws samples: approved uploads that people look at, to find out how often the policy approves what it should not.

An upload is drawn by a hash of its identity, so that a batch that is settled twice draws the same ones, and nobody who
uploads can choose.
"""

import hashlib
from dataclasses import replace

from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict import Verdict

#: Values of the part of the hash that is looked at.
_RANGE = 1 << 64


def is_drawn(upload: Upload, share: float) -> bool:
    """Whether an upload belongs to a share, 0-1, of all uploads. A larger share includes all of a smaller one."""
    # The version comes first, and the object's own hash, which spreads an index, is not a part of it.
    digest = hashlib.sha256(f"{upload.version}\n{upload.object}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * _RANGE


def draw(verdict: Verdict, share: float) -> Verdict:
    """A first verdict, marked as a sample if it is APPROVED and was drawn."""
    if verdict.status is not Status.APPROVED or not is_drawn(verdict.upload, share):
        return verdict
    return replace(verdict, is_sample=True)
