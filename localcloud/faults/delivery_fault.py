"""A fault in EventBridge's deliveries to queues and functions.

    {"delivery": "duplicate", "times": 5, "copies": 2, "seconds": 1.5}
    {"delivery": "reorder", "times": 20, "seed": 7, "seconds": 5}
    {"delivery": "delay", "times": 3, "seconds": 2}

- `times` (default 1): so many of the next deliveries. `seconds` are real ones.
- `matching` (optional): a text that the event must have, as the target gets it.
- `duplicate`: each is delivered `copies` (default 1) times more, at once or `seconds` (default 0) later.
- `reorder`: they are held until all are there, at most `seconds` (default 5) after the first, and then delivered in an
  order shuffled by `seed` (default 0).
- `delay`: each comes `seconds` later.

Nothing is ever lost: what is held or late when faults are cleared is delivered then.
"""

from dataclasses import dataclass
from enum import StrEnum

from gatehouse.moderation.document import shown
from localcloud.faults.document import Check, Document, FaultError, count, one_of, read, seconds, text


class Delivery(StrEnum):
    """What happens to deliveries."""

    DUPLICATE = "duplicate"
    REORDER = "reorder"
    DELAY = "delay"


_COMMON = frozenset({"delivery", "times", "matching", "seconds"})
# Delivery -> (the fields it needs, those it may have), beside the common ones.
_FIELDS: dict[Delivery, tuple[frozenset[str], frozenset[str]]] = {
    Delivery.DUPLICATE: (frozenset(), frozenset({"copies"})),
    Delivery.REORDER: (frozenset({"times"}), frozenset({"seed"})),
    Delivery.DELAY: (frozenset({"seconds"}), frozenset()),
}
_DEFAULT_SECONDS = {Delivery.DUPLICATE: 0.0, Delivery.REORDER: 5.0}


def _seed(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise FaultError(f"{name} must be a whole number, not {shown(value)}.")


_CHECKS: dict[str, Check] = {
    "delivery": one_of(Delivery),
    "times": count,
    "matching": text,
    "copies": count,
    "seed": _seed,
    "seconds": seconds,
}


@dataclass(slots=True, eq=False)
class DeliveryFault:
    """An armed fault; see the module for the fields.

    Attributes:
        seen: matching deliveries since it was armed.
        fired: how many it struck.
    """

    delivery: Delivery
    seconds: float
    times: int = 1
    matching: str = ""
    copies: int = 1
    seed: int = 0
    seen: int = 0
    fired: int = 0

    @classmethod
    def from_document(cls, document: Document) -> "DeliveryFault":
        """Read a fault.

        Raises:
            FaultError: a field is missing, unknown, of the wrong kind, or does not go with this delivery.
        """
        _CHECKS["delivery"]("delivery", document.get("delivery"))
        delivery = Delivery(document["delivery"])
        needed, optional = _FIELDS[delivery]
        what = f"A fault with delivery {delivery.value}"
        fields = read(document, _CHECKS, _COMMON | needed | optional, needed, what)
        defaults = {"seconds": _DEFAULT_SECONDS[delivery]} if delivery in _DEFAULT_SECONDS else {}
        return cls(**defaults | fields | {"delivery": delivery})

    def strikes(self, event: str) -> bool:
        """Count a delivery if it matches. Whether the fault strikes at it."""
        if self.matching not in event:
            return False
        self.seen += 1
        if self.seen > self.times:
            return False
        self.fired += 1
        return True
