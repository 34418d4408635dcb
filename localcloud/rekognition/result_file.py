"""A job's result file, as the switches spoil it."""

import random
from collections.abc import Sequence

from localcloud.rekognition.switches import Switches


def result_file(lines: Sequence[str], switches: Switches) -> str:
    """The text of a file with these lines (JSON). What a switch does to lines, it does to the first ones written."""
    dropped = switches.take_dropped_lines(len(lines))
    duplicated = switches.take_duplicated_lines(len(lines) - dropped)
    written = [*lines[dropped : dropped + duplicated], *lines[dropped:]]
    garbled = switches.take_garbled_lines(len(written))
    written[:garbled] = [line[::-1] for line in written[:garbled]]  # JSON begins with no closing brace
    if len(set(written)) > 1 and switches.take_shuffled_file():
        written = _shuffled(written)
    if written and switches.take_truncated_file():
        middle = len(written) // 2
        line = written[middle]
        return "".join(f"{line}\n" for line in written[:middle]) + line[: len(line) // 2]
    return "".join(f"{line}\n" for line in written)


def _shuffled(lines: Sequence[str]) -> list[str]:
    """The lines in another order, the same one each time."""
    chance = random.Random(len(lines))  # noqa: S311 - nothing secret about an order
    shuffled = list(lines)
    while shuffled == list(lines):
        chance.shuffle(shuffled)
    return shuffled
