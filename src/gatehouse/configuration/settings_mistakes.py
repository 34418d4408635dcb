"""Every mistake of a settings file at once, as `load_settings` would find them one after the other."""

from itertools import islice
from pathlib import Path

from gatehouse.configuration.policies import PolicyCatalog
from gatehouse.configuration.settings import read_settings, settings_of
from gatehouse.configuration.settings_section import SettingsError, every_mistake
from gatehouse.configuration.yaml_source import Entry

#: Nobody mends more at a time, and every one of them is a look at the whole file.
_MOST = 100


def find_settings_mistakes(path: Path, policies: PolicyCatalog) -> tuple[SettingsError, ...]:
    """The mistakes of a settings file in the order of its lines; none if it can be deployed.

    A value that does not go with others is reported only where all of its lane, or of its section, could be read: what
    was put there to look further is nobody's mistake.
    """
    try:
        document = read_settings(path)
    except SettingsError as error:
        return (error,)
    mending = _Mending(path, document, policies)
    found = islice(every_mistake(mending.look, mending.mend), _MOST)
    return tuple(sorted((error for error in found if mending.is_worth_reporting(error)), key=lambda error: error.line))


class _Mending:
    """A document whose mistakes are taken out one after the other."""

    def __init__(self, path: Path, document: Entry, policies: PolicyCatalog) -> None:
        self._path = path
        self._document = document
        self._policies = policies
        self._unsure: set[tuple[str | int, ...]] = set()
        self._absent: set[tuple[str | int, ...]] = set()
        self._mended = 0

    def look(self) -> SettingsError | None:
        """The first mistake that is left."""
        try:
            settings_of(self._path, self._document, self._policies)
        except SettingsError as error:
            return error
        return None

    def is_worth_reporting(self, error: SettingsError) -> bool:
        """Whether a mistake is the file's own. To be asked before it is mended."""
        where = _part(error.place)
        if error.place in self._absent:
            return False
        return not error.is_conflict or not any(part[: len(where)] == where for part in self._unsure)

    def mend(self, error: SettingsError) -> bool:
        """Take out what is wrong, or all that it stands in; what keys begin with is replaced by what no key has."""
        self._mended += 1
        place = error.place
        while place and not _take_out(self._document, place, f"mended {self._mended}/"):
            self._absent.add(error.place)
            place = place[:-1]
        if not error.is_conflict or "prefixes" in place:
            self._unsure.add(_part(place))
        return bool(place)


def _part(place: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """What has to be read whole before its values can be compared: a lane, or a section of the file."""
    return place[:2] if place[:1] == ("lanes",) else place[:1]


def _take_out(document: Entry, place: tuple[str | int, ...], unused: str) -> bool:
    """Whether there was something to take out."""
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
