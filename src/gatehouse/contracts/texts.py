"""Text forms of values in a template's variables and outputs."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Final

from gatehouse.moderation.gate import Gate, GateMode
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.status import Status

_ON_OFF: Final = {"on": True, "off": False}
_NEVER: Final = "never"


def on_off_text(value: bool) -> str:
    """`on` or `off`."""
    return "on" if value else "off"


def is_on(text: str) -> bool:
    """The value that `on_off_text` made the text of.

    Raises:
        ValueError: it is neither `on` nor `off`.
    """
    if text not in _ON_OFF:
        raise ValueError(f"{text[:100]!r} is neither on nor off")
    return _ON_OFF[text]


def statuses_text(statuses: Iterable[Status]) -> str:
    """Statuses with commas between them."""
    return ",".join(statuses)


def read_statuses(text: str) -> tuple[Status, ...]:
    """The statuses that `statuses_text` made the text of.

    Raises:
        ValueError: there is no such status.
    """
    return tuple(Status(name) for name in text.split(",") if name)


def days_text(days: int | None) -> str:
    """A number of days, or `never`."""
    return _NEVER if days is None else str(days)


def read_days(text: str) -> int | None:
    """The number that `days_text` made the text of, or None for `never`.

    Raises:
        ValueError: it is neither.
    """
    return None if text == _NEVER else int(text)


def lane_policies_text(lanes: Iterable[Lane]) -> str:
    """Each lane's policies and min_confidence, as JSON by lane."""
    document = {
        lane.name: {
            "policy": lane.policy,
            "policy_overrides": dict(lane.policy_overrides),
            "min_confidence": lane.min_confidence,
        }
        for lane in lanes
    }
    return json.dumps(document, separators=(",", ":"))


def read_lane_policies(text: str) -> dict[str, Lane]:
    """Parse the text of `lane_policies_text`: lanes by name, with only the fields that it contains.

    Raises:
        ValueError: it is not such a text.
    """
    try:
        return {
            name: Lane(
                name=name,
                policy=str(lane["policy"]),
                policy_overrides=tuple(sorted(lane["policy_overrides"].items())),
                min_confidence=float(lane["min_confidence"]),
            )
            for name, lane in json.loads(text).items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{text[:100]!r} does not list each lane's policies") from error


def gate_text(gate: Gate) -> str:
    """The gate's settings, as JSON."""
    return json.dumps(asdict(gate), separators=(",", ":"))


def read_gate(text: str) -> Gate:
    """Parse the text of `gate_text`.

    Raises:
        ValueError: it is not such a text.
    """
    try:
        found = json.loads(text)
        return Gate(
            mode=GateMode(found["mode"]),
            reader_roles=tuple(found["reader_roles"]),
            reader_endpoints=tuple(found["reader_endpoints"]),
            open_prefixes=tuple(found["open_prefixes"]),
            trusted_replicators=tuple(found["trusted_replicators"]),
            mark_blocked=bool(found["mark_blocked"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{text[:100]!r} does not describe a gate") from error
