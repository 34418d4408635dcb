"""Where two engines' runs of a scenario differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: What of a run is compared.
PARTS = ("status", "error", "cause", "output", "states", "parts", "calls", "chunks", "waits")


@dataclass(frozen=True, slots=True)
class Difference:
    """What of a scenario's run is not the same in both engines.

    Attributes:
        part: one of PARTS.
        ours: the local cloud's; of a list, only the first entry that differs, with its number.
        theirs: the other's.
    """

    scenario: str
    part: str
    ours: Any
    theirs: Any

    def __str__(self) -> str:
        return f"{self.scenario}, {self.part}:\n    ours   {self.ours}\n    theirs {self.theirs}"


def differences(scenario: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[Difference]:
    """What is not the same. Numbers are, whether written with a fraction or without."""
    for part in PARTS:
        if ours[part] == theirs[part]:
            continue
        if isinstance(ours[part], list):
            yield Difference(scenario, part, *_first_apart(ours[part], theirs[part]))
        else:
            yield Difference(scenario, part, ours[part], theirs[part])


def _first_apart(ours: list[Any], theirs: list[Any]) -> tuple[str, str]:
    number = next(
        (n for n, (mine, other) in enumerate(zip(ours, theirs, strict=False)) if mine != other),
        min(len(ours), len(theirs)),
    )
    mine, other = (f"{number}: {entries[number]}" if number < len(entries) else "ends" for entries in (ours, theirs))
    return mine, other
