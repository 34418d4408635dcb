"""A moderation: how far `gatehouse moderate` is with the objects that were in the bucket before.

It is kept in the work bucket, so that another machine can go on. There is one at a time.
"""

import json
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gatehouse.cli.bucket.listed_objects import ListedObject
from gatehouse.cli.moderate.object_selection import ObjectSelection
from gatehouse.cli.moderate.paid_calls import least_calls, most_calls
from gatehouse.contracts.list_price import LIST_PRICE
from gatehouse.moderation.document import MISSHAPEN, of_kind, optional_text, text, whole
from gatehouse.moderation.lane import Lane

#: Key prefix of its files in the work bucket.
PREFIX = "moderation/"
STATE_KEY = f"{PREFIX}state.json"

#: Objects of a part: what is sent, and written down as sent, at once.
PART_SIZE = 1_000

#: Keys that are named; all are counted.
_NAMED = 20

_SCHEMA = "gatehouse.moderation/1"


class Phase(StrEnum):
    """What is happening to it."""

    #: The objects are being listed, looked up and written into parts.
    COUNTING = "counting"
    #: All parts are written; nothing was sent.
    COUNTED = "counted"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELED = "canceled"
    FINISHED = "finished"


#: A new moderation may begin.
OVER = (Phase.CANCELED, Phase.FINISHED)


class Skipped(StrEnum):
    """Why an object is not moderated."""

    NO_LANE = "no-lane"
    TOO_YOUNG = "too-young"
    KNOWN = "known"
    UNCONFIRMABLE = "unconfirmable"
    #: It has an item that this version can't read, which may be its own.
    UNREADABLE = "unreadable"


@dataclass(slots=True)
class Moderation:
    """The state.

    Attributes:
        holder: names the run that goes on with it; another one takes over by writing its own name.
        inventory: the manifest that the objects are read from; None for a listing.
        inventory_mark: what tells that inventory from others; None for a listing.
        young: objects modified after this are left to their events; ISO 8601, UTC.
        behind: the key behind which a listing goes on; of an inventory, the objects that were read.
        listed: objects that were listed, and the selection takes.
        by_lane: objects to be moderated, by lane.
        free: those of them that cost nothing, because they are not read: empty, or too large.
        most_calls: calls of Rekognition for all of them, at most (`paid_calls`).
        skipped: the others, by reason.
        named: keys that no lane takes, the first ones.
        parts: parts that were written.
        sent, ended: parts whose objects were sent, or have ended. The smaller ones come first.
        statuses: objects that have ended, by status.
        without_verdict: objects that were sent and have no item: gone, overwritten, or their place is unclear.
        without: their keys, the first ones.
        running_seconds: since the first object was sent, without pauses.
    """

    identity: str
    selection: ObjectSelection
    phase: Phase = Phase.COUNTING
    holder: str = ""
    inventory: str | None = None
    inventory_mark: str | None = None
    started_at: str = ""
    young: str = ""
    behind: str = ""
    listed: int = 0
    by_lane: Counter[str] = field(default_factory=Counter)
    free: int = 0
    most_calls: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    named: list[str] = field(default_factory=list)
    parts: int = 0
    sent: int = 0
    ended: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    without_verdict: int = 0
    without: list[str] = field(default_factory=list)
    running_seconds: float = 0.0

    @classmethod
    def new(cls, selection: ObjectSelection, started_at: str, inventory: str | None) -> "Moderation":
        """One that has not begun."""
        return cls(uuid.uuid4().hex, selection, inventory=inventory, started_at=started_at)

    @property
    def objects(self) -> int:
        """Objects to be moderated."""
        return self.by_lane.total()

    @property
    def done(self) -> int:
        """Objects that have ended."""
        return self.statuses.total() + self.without_verdict

    @property
    def least_calls(self) -> int:
        """Calls of Rekognition for all objects, if each has one frame."""
        return self.objects - self.free

    @property
    def cost(self) -> float:
        """USD at list price, for all objects, if each has one frame."""
        return self.least_calls * LIST_PRICE

    @property
    def most_cost(self) -> float:
        """USD at list price, for all objects, at most."""
        return max(self.most_calls, self.least_calls) * LIST_PRICE

    def part_key(self, n: int) -> str:
        """Key of a part in the work bucket."""
        return f"{PREFIX}{self.identity}/part-{n:06}.jsonl"

    def add(self, lane: Lane, listed: ListedObject) -> None:
        """Count an object to be moderated."""
        self.by_lane[lane.name] += 1
        self.free += not least_calls(lane, listed)
        self.most_calls += most_calls(lane, listed)

    def skip(self, why: Skipped, key: str) -> None:
        """Count an object that is not moderated."""
        self.skipped[why.value] += 1
        if why is Skipped.NO_LANE and len(self.named) < _NAMED:
            self.named.append(key)

    def end_without(self, key: str) -> None:
        """Count an object that got no item."""
        self.without_verdict += 1
        if len(self.without) < _NAMED:
            self.without.append(key)

    def to_document(self) -> dict[str, Any]:
        """The state as JSON has it; what `moderate status --output json` shows."""
        return {
            "schema": _SCHEMA,
            "id": self.identity,
            "phase": self.phase.value,
            "holder": self.holder,
            "selection": self.selection.to_document(),
            "inventory": self.inventory,
            "inventory_mark": self.inventory_mark,
            "started_at": self.started_at,
            "young": self.young,
            "behind": self.behind,
            "listed": self.listed,
            "objects": self.objects,
            "by_lane": dict(self.by_lane),
            "free": self.free,
            "most_calls": self.most_calls,
            "usd": round(self.cost, 2),
            "usd_at_most": round(self.most_cost, 2),
            "skipped": {why.value: self.skipped[why.value] for why in Skipped},
            "no_lane_keys": self.named,
            "parts": self.parts,
            "sent": self.sent,
            "ended": self.ended,
            "done": self.done,
            "statuses": dict(self.statuses),
            "without_verdict": self.without_verdict,
            "without_verdict_keys": self.without,
            "running_seconds": round(self.running_seconds, 1),
        }

    @classmethod
    def parse(cls, content: bytes) -> "Moderation":
        """Read what was stored.

        Raises:
            ValueError: it is not a state of this version.
        """
        try:
            document: Mapping[str, Any] = of_kind(json.loads(content), dict)
            if document.get("schema") != _SCHEMA:
                raise ValueError(f"its schema is not {_SCHEMA}")
            return cls(
                identity=text(document["id"]),
                selection=ObjectSelection.from_document(document["selection"]),
                phase=Phase(document["phase"]),
                holder=text(document["holder"]),
                inventory=optional_text(document["inventory"]),
                inventory_mark=optional_text(document.get("inventory_mark")),
                started_at=text(document["started_at"]),
                young=text(document["young"]),
                behind=text(document["behind"]),
                listed=whole(document["listed"]),
                by_lane=_counter(document["by_lane"]),
                free=whole(document["free"]),
                most_calls=whole(document.get("most_calls", 0)),
                skipped=_counter(document["skipped"]),
                named=[text(key) for key in document["no_lane_keys"]],
                parts=whole(document["parts"]),
                sent=whole(document["sent"]),
                ended=whole(document["ended"]),
                statuses=_counter(document["statuses"]),
                without_verdict=whole(document["without_verdict"]),
                without=[text(key) for key in document["without_verdict_keys"]],
                running_seconds=float(document["running_seconds"]),
            )
        except MISSHAPEN as error:
            raise ValueError(f"not the state of a moderation: {error!r}") from error


def _counter(document: Any) -> Counter[str]:
    return Counter({text(name): whole(count) for name, count in of_kind(document, dict).items()})
