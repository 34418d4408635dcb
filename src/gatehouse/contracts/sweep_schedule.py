"""What the schedule hands to the sweeper: the lanes there are, where each leads, and what counts as old."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class LaneRoute:
    """A lane's ways.

    Attributes:
        queue_url: where an upload's event goes to be admitted.
        overdue_hours: a batch that is still being analyzed after so long is worth a look.
    """

    name: str
    queue_url: str
    overdue_hours: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """What to sweep.

    Attributes:
        lanes: by name.
        state_machine_arns: of all priorities.
        min_age: younger batches are left alone. Their batcher may still run, and their messages come back unasked.
    """

    lanes: Mapping[str, LaneRoute]
    state_machine_arns: tuple[str, ...]
    min_age: timedelta

    def to_document(self) -> dict[str, Any]:
        """The event that `parse` reads; tokens in it stay as they are."""
        return {
            "lanes": {
                name: {"queue_url": route.queue_url, "overdue_hours": route.overdue_hours}
                for name, route in self.lanes.items()
            },
            "state_machine_arns": list(self.state_machine_arns),
            "min_age_minutes": self.min_age / timedelta(minutes=1),
        }

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> "Schedule":
        """Read the schedule's event.

        Raises:
            KeyError, TypeError: the event is not the schedule's; template and code were not deployed together.
        """
        lanes = {
            name: LaneRoute(name, lane["queue_url"], lane["overdue_hours"]) for name, lane in event["lanes"].items()
        }
        return cls(lanes, tuple(event["state_machine_arns"]), timedelta(minutes=event["min_age_minutes"]))
