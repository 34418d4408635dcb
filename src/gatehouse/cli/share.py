"""A part of some work that several processes have in common."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """The `nth` of `count` shares, from 0."""

    nth: int = 0
    count: int = 1

    def of(self, things: int) -> range:
        """The numbers of the things, from 0, that are in this share. Each is in one."""
        return range(self.nth, things, self.count)


#: All of it.
WHOLE = Share()
