"""Installs the modules that make armed faults strike inside ministack, in this order, outside of all patches."""

from collections.abc import Sequence

from localcloud.faults import delivery_strikes, partial_batches, stream_strikes, task_faults
from localcloud.patches import Patch

STRIKES: Sequence[Patch] = (partial_batches, delivery_strikes, stream_strikes, task_faults)


def install() -> None:
    """Install them. The patches must already be installed."""
    for strike in STRIKES:
        strike.install()
