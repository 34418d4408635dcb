"""What is fuzzed: a parser with the generator of its cases and the check that each case must pass."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

#: What a parser is given: text where it is always text, bytes where any may arrive.
Case = str | bytes


@dataclass(frozen=True, slots=True)
class Parser:
    """A parser under test.

    Attributes:
        name: what reports and `--replay` call it.
        draw: makes a case; the same for the same state of the generator.
        check: gives the case to the parser. True if the parser accepted it, False if it refused it with an error that
            its docstring names. Any other exception is a failure, a broken property's AssertionError among them.
        weight: its share of the cases: 10, or less where a case takes long.
    """

    name: str
    draw: Callable[[Random], Case]
    check: Callable[[Case], bool]
    weight: int = 10

    def case(self, seed: int, number: int) -> Case:
        """The case of this number: it depends on no other one, so that it can be had again alone."""
        return self.draw(Random(f"{seed}/{self.name}/{number}"))
