"""Finds all mistakes in a settings file at once; `load_settings` stops at the first one."""

from itertools import islice
from pathlib import Path

from gatehouse.configuration.policies import PolicyCatalog
from gatehouse.configuration.settings import read_settings, settings_of
from gatehouse.configuration.settings_section import SettingsError, every_mistake
from gatehouse.configuration.yaml_source import Entry

#: Nobody fixes more at a time, and each one requires another check of the whole file.
_MOST = 100


def find_settings_mistakes(path: Path, policies: PolicyCatalog) -> tuple[SettingsError, ...]:
    """The mistakes in a settings file, in the order of its lines; none if it can be deployed.

    A conflict between values is reported only if the whole lane or section was valid: otherwise the conflict may be
    with a value that was only inserted to continue the search.
    """
    try:
        document = read_settings(path)
    except SettingsError as error:
        return (error,)
    mending = _Mending(path, document, policies)
    found = islice(every_mistake(mending.look, mending.mend), _MOST)
    return tuple(sorted((error for error in found if mending.is_worth_reporting(error)), key=lambda error: error.line))


class _Mending:
    """A document from which mistakes are removed one by one."""

    def __init__(self, path: Path, document: Entry, policies: PolicyCatalog) -> None:
        self._path = path
        self._document = document
        self._policies = policies
        self._unsure: set[tuple[str | int, ...]] = set()
        self._absent: set[tuple[str | int, ...]] = set()
        self._mended = 0

    def look(self) -> SettingsError | None:
        """The first remaining mistake."""
        try:
            settings_of(self._path, self._document, self._policies)
        except SettingsError as error:
            return error
        return None

    def is_worth_reporting(self, error: SettingsError) -> bool:
        """Whether a mistake is in the file itself. Call this before `mend`."""
        where = _part(error.place)
        if error.place in self._absent:
            return False
        return not error.is_conflict or not any(part[: len(where)] == where for part in self._unsure)

    def mend(self, error: SettingsError) -> bool:
        """Remove the wrong value, or the section that contains it. A prefix is replaced by one that no key has."""
        self._mended += 1
        place = error.place
        while place and not _take_out(self._document, place, f"mended {self._mended}/"):
            self._absent.add(error.place)
            place = place[:-1]
        if not error.is_conflict or "prefixes" in place:
            self._unsure.add(_part(place))
        return bool(place)


def _part(place: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The part whose values can conflict with each other: a lane, or a section of the file."""
    return place[:2] if place[:1] == ("lanes",) else place[:1]


def _take_out(document: Entry, place: tuple[str | int, ...], unused: str) -> bool:
    """Remove a value; returns whether it existed."""
    *above, last = place
    entry = document
    for step in above:
        if not _has(entry, step):
            return False
        entry = entry.value[step]
    if not _has(entry, last):
        return False
    if isinstance(last, int) and above[-1] == "prefixes":
        entry.value[last] = Entry(unused, entry.line)
    elif last == "prefixes":
        entry.value[last] = Entry([Entry(unused, entry.line)], entry.line)
    else:
        del entry.value[last]
    return True


def _has(entry: Entry, step: str | int) -> bool:
    if isinstance(step, str):
        return isinstance(entry.value, dict) and step in entry.value
    return isinstance(entry.value, list) and step < len(entry.value)
