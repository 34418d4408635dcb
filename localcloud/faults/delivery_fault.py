"""A fault in EventBridge's deliveries to queues and functions, or in those of streams' batches to functions.

    {"delivery": "duplicate", "times": 5, "copies": 2, "seconds": 1.5}
    {"delivery": "reorder", "times": 20, "seed": 7, "seconds": 5}
    {"delivery": "delay", "times": 3, "seconds": 2}
    {"delivery": "duplicate", "of": "stream", "matching": "Outcomes"}

- `of` (default `events`): `events` of EventBridge, or batches of a `stream`.
- `times` (default 1): the number of next deliveries that it strikes. `seconds` are real ones.
- `matching` (optional): a text that the event must contain, as the target gets it; for a stream, the function's name or
  the batch's records must contain it.
- `duplicate`: each is delivered `copies` (default 1) more times, immediately or `seconds` (default 0) later.
- `reorder`: they are held until all have arrived, at most `seconds` (default 5) after the first, and then delivered in
  an order shuffled by `seed` (default 0).
- `delay`: each is delivered `seconds` later.

A batch of a stream keeps its position: it can't be reordered, and while it is delayed, the records behind it wait. Its
copies are delivered before those if `seconds` is 0; otherwise when they are due, whatever was delivered since. The
function's answer to a copy is ignored, as for a poller that has lost its shard. A retry is also a delivery.

Nothing is lost: deliveries that are held or delayed when faults are cleared are made then.
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


class Origin(StrEnum):
    """Whose deliveries."""

    EVENTS = "events"
    STREAM = "stream"


_COMMON = frozenset({"delivery", "of", "times", "matching", "seconds"})
# Delivery -> (required fields, optional fields), in addition to the common ones.
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
    "of": one_of(Origin),
    "times": count,
    "matching": text,
    "copies": count,
    "seed": _seed,
    "seconds": seconds,
}


@dataclass(slots=True, eq=False)
class DeliveryFault:
    """An armed fault; the module describes the fields.

    Attributes:
        seen: the number of matching deliveries since it was armed.
        fired: the number of deliveries that it struck.
    """

    delivery: Delivery
    seconds: float
    of: Origin = Origin.EVENTS
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
            FaultError: a field is missing, unknown, has the wrong type, or does not fit this delivery.
        """
        _CHECKS["delivery"]("delivery", document.get("delivery"))
        delivery = Delivery(document["delivery"])
        needed, optional = _FIELDS[delivery]
        what = f"A fault with delivery {delivery.value}"
        fields = read(document, _CHECKS, _COMMON | needed | optional, needed, what)
        if delivery is Delivery.REORDER and fields.get("of") == Origin.STREAM:
            raise FaultError("A stream's batches keep their order: make delivery duplicate or delay.")
        defaults = {"seconds": _DEFAULT_SECONDS[delivery]} if delivery in _DEFAULT_SECONDS else {}
        return cls(**defaults | fields | {"delivery": delivery})

    def strikes(self, event: str, origin: Origin) -> bool:
        """Count a delivery if it matches; returns whether the fault strikes it."""
        if self.of != origin or self.matching not in event:
            return False
        self.seen += 1
        if self.seen > self.times:
            return False
        self.fired += 1
        return True
