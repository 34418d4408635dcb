"""Reads YAML together with the line of every value, for error messages."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gatehouse.moderation.document import shown

#: Numbers that YAML 1.1, and so this parser, reads as octal (060 is 48) or in base 60 (1:20 is 80); YAML 1.2 does not.
_MISREAD = re.compile(r"[-+]?(0[0-7_]+|[0-9][0-9_]*:[0-9:.]+)")

#: Limits far above any settings or policy; a file within them is read in a second or two.
_MOST_VALUES = 100_000
_MOST_BITS = 256
_MOST_LEVELS = 50


class YamlError(ValueError):
    """A file is not YAML, or YAML reads it differently than people do. `line` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"{line}: {problem}")
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Entry:
    """A value and its line. The value is a plain scalar, a list of entries, or a mapping of names to entries."""

    value: Any
    line: int

    def plain(self) -> Any:
        """The value without its lines."""
        if isinstance(self.value, dict):
            return {key: entry.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [entry.plain() for entry in self.value]
        return self.value


def read_yaml(path: Path) -> Entry:
    """Read a file with one YAML document; an empty file is an entry with the value None.

    Raises:
        YamlError: not YAML, a key that is not text, a duplicate key (YAML parsers silently keep the last one), a number
            that YAML's versions read differently, or too many values or levels.
        OSError: the file can't be read.
    """
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        return Entry(None, 1) if node is None else _Reader(loader).entry(node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise YamlError(1, f"not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise YamlError(1, f"nested more than {_MOST_LEVELS} levels deep; use fewer levels") from error


class _Loader(yaml.SafeLoader):
    """Refuses very deep nesting: the scanner's time grows with its square, and it would overflow the stack."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        if self._depth > _MOST_LEVELS:
            raise RecursionError(f"more than {_MOST_LEVELS} levels")
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


class _Reader:
    """Converts a document's nodes to entries."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._loader = loader
        self._left = _MOST_VALUES

    def entry(self, node: yaml.Node, above: tuple[yaml.Node, ...]) -> Entry:
        """A node's entry. `above` are the nodes that contain it."""
        line = node.start_mark.line + 1
        if node in above:
            raise YamlError(line, "an alias contains itself; write the value instead")
        self._left -= 1
        if self._left < 0:  # a few lines of nested aliases can expand to billions of values
            raise YamlError(line, f"more than {_MOST_VALUES} values after aliases are expanded; write fewer")
        above = (*above, node)
        if isinstance(node, yaml.SequenceNode):
            return Entry([self.entry(child, above) for child in node.value], line)
        if isinstance(node, yaml.MappingNode):
            found: dict[str, Entry] = {}
            for key_node, value_node in node.value:
                key, key_line = self._key(key_node), key_node.start_mark.line + 1
                if key in found:
                    raise YamlError(key_line, f"{key} is a duplicate of line {found[key].line}; keep one of them")
                found[key] = Entry(self.entry(value_node, above).value, key_line)
            return Entry(found, line)
        return Entry(self._scalar(node), line)

    def _key(self, node: yaml.Node) -> str:
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.ScalarNode):
            raise YamlError(line, "a list or a mapping is used as a key; put it in quotes to make it text")
        key = self._scalar(node)
        if not isinstance(key, str):
            raise YamlError(line, f"the key {key!r} is not text; put it in quotes")
        return key

    def _scalar(self, node: yaml.Node) -> Any:
        line = node.start_mark.line + 1
        try:
            value = self._loader.construct_object(node, deep=True)
        except (ValueError, TypeError, LookupError, AttributeError) as error:  # `!!int ""` is an IndexError there
            raise YamlError(line, f"{shown(node.value)} can't be read: {error}") from error
        if isinstance(value, int) and value.bit_length() > _MOST_BITS:
            raise YamlError(line, f"a number with more than {_MOST_BITS} bits; write a smaller number")
        if isinstance(value, int | float) and _MISREAD.fullmatch(node.value):
            raise YamlError(line, f"{node.value} would be read as {value}; write a plain number, or put it in quotes")
        return value
