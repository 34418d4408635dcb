"""YAML read with the line of every value, so that an error can say where to look."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

#: Numbers that YAML 1.1, and so this parser, takes to be octal (060 is 48) or of base 60 (1:20 is 80); 1.2 does not.
_MISREAD = re.compile(r"[-+]?(0[0-7_]+|[0-9][0-9_]*:[0-9:.]+)")


class YamlError(ValueError):
    """A file that is not YAML, or that YAML reads otherwise than people do. `line` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"{line}: {problem}")
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Entry:
    """A value and the line it stands on: a plain scalar, a list of entries, or a mapping of names to entries."""

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
    """Read a file of one YAML document; an empty file is an entry of None.

    Raises:
        YamlError: not YAML, a key that is not text, a key given twice (YAML parsers keep the last one silently), or a
            number that YAML's versions disagree about.
        OSError: the file can't be read.
    """
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        return Entry(None, 1) if node is None else _entry(loader, node, ())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlError(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise YamlError(1, f"not YAML: {' '.join(str(error).split())}") from error


def _entry(loader: yaml.SafeLoader, node: yaml.Node, above: tuple[yaml.Node, ...]) -> Entry:
    line = node.start_mark.line + 1
    if node in above:
        raise YamlError(line, "an alias that contains itself")
    above = (*above, node)
    if isinstance(node, yaml.SequenceNode):
        return Entry([_entry(loader, child, above) for child in node.value], line)
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            key, key_line = _scalar(loader, key_node), key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise YamlError(key_line, f"{key!r} is a key but not text; put it in quotes")
            if key in found:
                raise YamlError(key_line, f"{key} is given twice, first on line {found[key].line}; keep one of them")
            found[key] = Entry(_entry(loader, value_node, above).value, key_line)
        return Entry(found, line)
    return Entry(_scalar(loader, node), line)


def _scalar(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    line = node.start_mark.line + 1
    try:
        value = loader.construct_object(node, deep=True)
    except (ValueError, TypeError) as error:
        raise YamlError(line, f"{node.value!r} can't be read: {error}") from error
    if isinstance(value, int | float) and _MISREAD.fullmatch(node.value):
        raise YamlError(line, f"{node.value} would be read as {value}; write a plain number, or quotes around text")
    return value
