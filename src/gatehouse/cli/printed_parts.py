"""Lists that are printed part by part, with progress while the next part is read."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from gatehouse.cli.output import Output
from gatehouse.cli.progress import progress

_Entry = TypeVar("_Entry")

#: Entries of one table, so that no list is held whole.
_ROWS = 500
#: Entries between two sentences about how far it is.
_TOLD_EVERY = 50


def parts(out: Output, entries: Iterable[_Entry], first: str) -> Iterator[list[_Entry]]:
    """The entries, some hundreds at a time. Nothing is shown of the progress while a part is printed.

    Args:
        first: what is done, for the time until something is found.
    """
    coming = iter(entries)
    found = 0
    while True:
        some: list[_Entry] = []
        with progress(out.progress, first=first) as tell:
            for entry in islice(coming, _ROWS):
                some.append(entry)
                found += 1
                if found % _TOLD_EVERY == 0:
                    tell(f"{first}: {found:,} found")
        if not some:
            return
        yield some


def streamed(out: Output, entries: Iterable[_Entry], first: str) -> Iterator[_Entry]:
    """The entries one by one, for a script, with progress unless they go to the same terminal."""
    if out.results.is_terminal:
        yield from entries
        return
    with progress(out.progress, first=first) as tell:
        for found, entry in enumerate(entries, start=1):
            yield entry
            if found % _TOLD_EVERY == 0:
                tell(f"{first}: {found:,} found")
