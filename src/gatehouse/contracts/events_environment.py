"""Environment variables of functions that announce verdicts as events. Without a bus they have none of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gatehouse.contracts.texts import read_statuses, statuses_text
from gatehouse.moderation.status import Status

_BUS: Final = "EVENT_BUS"
_REGION_FIELD: Final = 3


@dataclass(frozen=True, slots=True)
class EventsEnvironment:
    """What the template tells a function of events. The queue's URL may be a token.

    Attributes:
        bus: `default`, a bus's name, or its ARN.
        dead_letter_queue_url: of the queue for what the bus does not take.
        statuses: the final statuses of first verdicts that an event is sent for.
    """

    bus: str
    dead_letter_queue_url: str
    statuses: tuple[Status, ...]

    @property
    def region(self) -> str | None:
        """The bus's Region, which a client has to be made for; None for the function's own."""
        return region_of(self.bus)

    def to_variables(self) -> dict[str, str]:
        """The variables that `read` reads; tokens stay as they are."""
        return {
            _BUS: self.bus,
            "EVENT_DEAD_LETTER_QUEUE_URL": self.dead_letter_queue_url,
            "EVENT_STATUSES": statuses_text(self.statuses),
        }

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "EventsEnvironment | None":
        """Read a function's variables. Returns None where there is no bus.

        Raises:
            KeyError, ValueError: one is missing or malformed; the template and the code were not deployed together.
        """
        if _BUS not in variables:
            return None
        return cls(
            bus=variables[_BUS],
            dead_letter_queue_url=variables["EVENT_DEAD_LETTER_QUEUE_URL"],
            statuses=read_statuses(variables["EVENT_STATUSES"]),
        )


def region_of(bus: str) -> str | None:
    """The Region of a bus that goes by its ARN; None for any other, which is where the deployment is."""
    return bus.split(":")[_REGION_FIELD] if bus.startswith("arn:") else None
