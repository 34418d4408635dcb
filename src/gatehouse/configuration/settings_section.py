"""Reads a mapping of a YAML file value by value. A wrong value raises a one-line error with its place and the fix."""

import difflib
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from gatehouse.configuration.yaml_source import Entry


class SettingsError(ValueError):
    """A mistake in a file that a user edits, in one line: `file:line: key: what is wrong; what to write instead`.

    Attributes:
        place: keys and positions that lead to the wrong value; empty for the file itself.
        is_conflict: whether the value is valid by itself but conflicts with others.
    """

    def __init__(
        self, file: Path, line: int, problem: str, place: tuple[str | int, ...] = (), *, is_conflict: bool = False
    ) -> None:
        super().__init__(f"{file}:{line}: {' '.join(problem.split())}")  # quoted values may contain line breaks
        self.line = line
        self.place = place
        self.is_conflict = is_conflict


_Mistake = TypeVar("_Mistake")


def every_mistake(look: Callable[[], _Mistake | None], mend: Callable[[_Mistake], bool]) -> Iterator[_Mistake]:
    """All mistakes that `look` finds. Each one is removed before the next search, so that it does not hide others.

    Args:
        mend: removes a mistake; returns False if it can't, which ends the search.
    """
    while (mistake := look()) is not None:
        yield mistake
        if not mend(mistake):
            return


class Section:
    """A mapping that is being read. Returns typed values; a wrong value raises an error with its place and the fix."""

    def __init__(self, file: Path, path: tuple[str, ...], entry: Entry) -> None:
        self._file = file
        self._path = path
        self._line = entry.line
        self._known: set[str] = set()
        value = {} if entry.value is None else entry.value
        if not isinstance(value, dict):
            raise self.error(None, f"{shown(value)} is not a mapping", "write its keys indented below it")
        self._entries: dict[str, Entry] = value

    @property
    def names(self) -> Sequence[str]:
        """The keys, in the file's order."""
        return tuple(self._entries)

    def error(self, key: str | None, problem: str, fix: str, *, item: int | None = None) -> SettingsError:
        """The error for a key of this mapping, an item of the list under it, or the mapping itself."""
        return self._error(key, problem, fix, item)

    def conflict(self, key: str | None, problem: str, fix: str) -> SettingsError:
        """The error for a value that conflicts with others."""
        return self._error(key, problem, fix, is_conflict=True)

    def _error(
        self, key: str | None, problem: str, fix: str, item: int | None = None, *, is_conflict: bool = False
    ) -> SettingsError:
        entry = self._entries.get(key) if key is not None else None
        if entry and item is not None:
            entry = entry.value[item]
        path = ".".join(part for part in (*self._path, key) if part)
        sentence = f"{path}: {problem}; {fix}" if path else f"{problem}; {fix}"
        place = (*self._path, *(step for step in (key, item) if step is not None))
        return SettingsError(self._file, entry.line if entry else self._line, sentence, place, is_conflict=is_conflict)

    def section(self, key: str, names: Sequence[str] = ()) -> "Section":
        """The mapping under a key; if the key is missing or null, a mapping of `names` without values."""
        line = entry.line if (entry := self._take(key)) else self._line
        if entry is None or entry.value is None:
            entry = Entry({name: Entry(None, line) for name in names}, line)
        return Section(self._file, (*self._path, key), entry)

    def refuse_unknown(self) -> None:
        """Raise an error for any key that has not been read. Call this last."""
        for key in self._entries:
            if key not in self._known:
                close = difflib.get_close_matches(key, self._known, n=1)
                fix = f"did you mean {close[0]}?" if close else f"the keys are {', '.join(sorted(self._known))}"
                raise self.error(key, "unknown key", fix)

    def text(
        self, key: str, default: str, pattern: re.Pattern[str] | None = None, form: str = "text", longest: int = 1024
    ) -> str:
        """Text that `pattern` matches completely; `form` describes it for the error."""
        entry = self._take(key)
        if entry is None:
            return default
        if not isinstance(entry.value, str):
            raise self.error(key, f"{shown(entry.value)} is not text", f"write {form}{_quotes_hint(entry.value)}")
        if len(entry.value) > longest or (pattern and not pattern.fullmatch(entry.value)):
            raise self.error(key, f"{shown(entry.value)} does not fit", f"write {form}")
        return entry.value

    def optional_text(self, key: str, pattern: re.Pattern[str], form: str) -> str | None:
        """Text, or None if the key is missing or null."""
        return None if self._is_null(key) else self.text(key, "", pattern, form, 2048)

    def integer(self, key: str, default: int, low: int, high: int, unit: str) -> int:
        """A whole number within the bounds, both inclusive; true and false are refused."""
        entry = self._take(key)
        if entry is None:
            return default
        if isinstance(entry.value, bool) or not isinstance(entry.value, int):
            raise self.error(key, f"{shown(entry.value)} is not a whole number", f"write {unit} from {low} to {high}")
        if not low <= entry.value <= high:
            raise self.error(key, f"{entry.value} is not from {low} to {high}", f"write {unit} within that range")
        return entry.value

    def optional_integer(self, key: str, low: int, high: int, unit: str) -> int | None:
        """A whole number, or None if the key is missing or null."""
        return None if self._is_null(key) else self.integer(key, low, low, high, unit)

    def number(self, key: str, default: float, low: float, high: float, unit: str) -> float:
        """A number within the bounds, both inclusive."""
        entry = self._take(key)
        if entry is None:
            return default
        value = entry.value
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise self.error(key, f"{shown(value)} is not a number", f"write {unit} from {low} to {high}")
        if not low <= value <= high:
            raise self.error(key, f"{value} is not from {low} to {high}", f"write {unit} within that range")
        return float(value)

    def optional_number(self, key: str, low: float, high: float, unit: str) -> float | None:
        """A number, or None if the key is missing or null."""
        return None if self._is_null(key) else self.number(key, low, low, high, unit)

    def switch(self, key: str, default: bool) -> bool:
        """True or false."""
        entry = self._take(key)
        if entry is None:
            return default
        if not isinstance(entry.value, bool):
            raise self.error(
                key, f"{shown(entry.value)} is neither true nor false", "write one of them, without quotes"
            )
        return entry.value

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list of texts without duplicates."""
        entry = self._take(key)
        if entry is None:
            return default
        if not isinstance(entry.value, list):
            fix = f"write [{quoted(entry.value)}]" if isinstance(entry.value, str) else 'write, for example, ["a", "b"]'
            raise self.error(key, f"{shown(entry.value)} is not a list", fix)
        values = []
        for n, item in enumerate(entry.value):
            if not isinstance(item.value, str):
                fix = f"put it in quotes if you mean text{_quotes_hint(item.value)}"
                raise self.error(key, f"{shown(item.value)} is not text", fix, item=n)
            if item.value in values:
                raise self.error(key, f"{quoted(item.value)} is in the list twice", "keep one of them", item=n)
            values.append(item.value)
        return tuple(values)

    def _take(self, key: str) -> Entry | None:
        self._known.add(key)
        return self._entries.get(key)

    def _is_null(self, key: str) -> bool:
        entry = self._take(key)
        return entry is None or entry.value is None


def quoted(text: str) -> str:
    """Text in quotes, as valid YAML."""
    return json.dumps(text)


def shown(value: Any) -> str:
    """A value for an error message: on one line, and shortened."""
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    if value is None:
        return "null"
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _quotes_hint(value: Any) -> str:
    return " (YAML reads yes, no, on and off as true and false)" if isinstance(value, bool) else ""
