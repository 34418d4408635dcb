"""What lets armed faults strike inside ministack, in the order of installation: outside of all patches."""

from collections.abc import Sequence

from localcloud.faults import delivery_strikes, partial_batches, task_faults
from localcloud.patches import Patch

STRIKES: Sequence[Patch] = (partial_batches, delivery_strikes, task_faults)


def install() -> None:
    """Let them strike. The patches must be installed already."""
    for strike in STRIKES:
        strike.install()
