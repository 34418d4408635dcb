"""The schedule's event for the sweeper: the lanes, their queues, and the age limits."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class LaneRoute:
    """What the sweeper needs to know about a lane.

    Attributes:
        queue_url: the lane's queue, where an upload's event is put back.
        overdue_hours: a batch that is still being analyzed after this time is overdue.
        backfill_queue_url: where an object from before is put back; None if none are moderated.
    """

    name: str
    queue_url: str
    overdue_hours: float
    backfill_queue_url: str | None = None


@dataclass(frozen=True, slots=True)
class BackfillRoute:
    """What analyzes objects from before, in all lanes.

    Attributes:
        overdue_hours: of batches that this state machine analyzes.
    """

    state_machine_arn: str
    overdue_hours: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """What to sweep.

    Attributes:
        lanes: by name.
        state_machine_arns: of all priorities.
        min_age: younger batches are skipped. Their batcher may still run, and their messages are redelivered anyway.
        backfill: None if no objects from before are moderated.
    """

    lanes: Mapping[str, LaneRoute]
    state_machine_arns: tuple[str, ...]
    min_age: timedelta
    backfill: BackfillRoute | None = None

    def to_document(self) -> dict[str, Any]:
        """The event that `parse` reads; tokens in it stay as they are."""
        return {
            "lanes": {
                name: {"queue_url": route.queue_url, "overdue_hours": route.overdue_hours}
                | ({"backfill_queue_url": route.backfill_queue_url} if route.backfill_queue_url else {})
                for name, route in self.lanes.items()
            },
            "state_machine_arns": list(self.state_machine_arns),
            "min_age_minutes": self.min_age / timedelta(minutes=1),
            **({"backfill": asdict(self.backfill)} if self.backfill else {}),
        }

    @classmethod
    def parse(cls, event: Mapping[str, Any]) -> "Schedule":
        """Read the schedule's event.

        Raises:
            KeyError, TypeError: the event is not the schedule's; template and code were not deployed together.
        """
        lanes = {
            name: LaneRoute(name, lane["queue_url"], lane["overdue_hours"], lane.get("backfill_queue_url"))
            for name, lane in event["lanes"].items()
        }
        return cls(
            lanes,
            tuple(event["state_machine_arns"]),
            timedelta(minutes=event["min_age_minutes"]),
            BackfillRoute(**event["backfill"]) if "backfill" in event else None,
        )
