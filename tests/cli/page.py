"""docs/cli.md, from the commands themselves.

python -m tests.cli.page writes it again.
"""

import inspect
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from typer.core import TyperGroup
from typer.main import get_command

from gatehouse.cli.__main__ import SECTIONS, app
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.examples import EXAMPLES
from gatehouse.cli.invocation import Invocation, about_deployment

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "cli.md"

_WIDTH: Final = 124

_HEAD: Final = """\
# Every command, argument and option

`python -m tests.cli.page` writes this page from the commands; `-h` behind a command prints the same. What their words
mean is in [commands.md](commands.md), and of policies in [policies.md](policies.md); which permissions they need, in
[permissions.md](permissions.md#commands).
"""


@about_deployment
def _shared(invocation: Invocation) -> None:
    """Has the options of every command about a deployment, and no other."""


_SHARED: Final = frozenset(inspect.signature(_shared).parameters)


#: An option or argument that this many commands describe in the same words is described once.
_MANY: Final = 4


def page() -> str:
    """The page as it should be."""
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    commands = {path: command for names in SECTIONS.values() for name in names for path, command in _inner(root, name)}
    rows = Counter(row for command in commands.values() for row in _rows(command))
    common = {row for row, count in rows.items() if count >= _MANY}
    parts = [_HEAD, _shared_options(root), _common_options(common)]
    for title, names in SECTIONS.items():
        parts.append(f"## {title}\n")
        for name in names:
            for path, command in _inner(root, name):
                parts += _described(command, path, common)
    return "\n".join(parts)


def _inner(group: TyperGroup, name: str) -> Iterator[tuple[str, Any]]:
    """A command with its name, or the commands of a group."""
    command = group.commands[name]
    if isinstance(command, TyperGroup):
        yield from ((f"{name} {inner}", found) for inner, found in command.commands.items())
    else:
        yield name, command


def _own(command: Any) -> list[Any]:
    """Arguments and options but those of all commands."""
    return [parameter for parameter in command.params if parameter.name not in {*_SHARED, "help"}]


def _rows(command: Any) -> list[str]:
    return [_row(parameter, command) for parameter in _own(command)]


def _described(command: Any, path: str, common: Container[str]) -> Iterator[str]:
    own = _own(command)
    arguments = [parameter for parameter in own if parameter.param_type_name == "argument"]
    usage = " ".join((COMMAND, path, *(_argument(argument, command) for argument in arguments)))
    yield f"### {path}\n\n```\n{usage} [options]\n```\n"
    yield _filled(command.help)
    rows = _rows(command)
    if here := [row for row in rows if row not in common]:
        yield "| | |\n| --- | --- |\n" + "\n".join(here) + "\n"
    if elsewhere := [row.split(" | ")[0].lstrip("| ") for row in rows if row in common]:
        yield _paragraph(f"And [as elsewhere](#options-of-many) {', '.join(elsewhere)}.") + "\n"
    if not any(parameter.name in _SHARED for parameter in command.params):
        yield "It needs no deployment.\n"
    examples = "\n".join(f"{COMMAND} {example}" for example in EXAMPLES[path])
    yield f"```\n{examples}\n```\n"


def _argument(argument: Any, command: Any) -> str:
    """An argument as it is typed: in brackets where it may be left out, with dots where there may be more."""
    name: str = argument.make_metavar(ctx=_context(command))
    dots = "..." if argument.nargs == -1 and not name.endswith("...") else ""
    may_be_left_out = not (argument.required or (name.startswith("[") and name.endswith(("]", "]..."))))
    return f"[{name}]{dots}" if may_be_left_out else f"{name}{dots}"


def _shared_options(root: TyperGroup) -> str:
    command = root.commands["status"]
    rows = [_row(parameter, command) for parameter in command.params if parameter.name in _SHARED]
    return "## Options of all that need a deployment\n\n| | |\n| --- | --- |\n" + "\n".join(rows) + "\n"


def _common_options(rows: Iterable[str]) -> str:
    return "## Options of many\n\n| | |\n| --- | --- |\n" + "\n".join(sorted(rows)) + "\n"


def _row(parameter: Any, command: Any) -> str:
    context = _context(command)
    if parameter.param_type_name == "argument":
        name, text = parameter.make_metavar(ctx=context), parameter.help or ""
    else:
        name, text = parameter.get_help_record(context)
    text = re.sub(r"\s+", " ", text).replace("|", "\\|")
    return f"| `{' '.join(name.split()).replace('|', chr(92) + '|')}` | {text} |"


def _context(command: Any) -> Any:
    return command.context_class(command)


def _filled(text: str) -> str:
    r"""The paragraphs of a help; those that begin with `\b` keep their lines, as they do in the help itself."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(map(_paragraph, paragraphs)) + "\n"


def _paragraph(text: str) -> str:
    if text.startswith("\b\n"):
        lines = text.removeprefix("\b\n")
        return f"```\n{lines}\n```"
    return textwrap.fill(text, _WIDTH, break_on_hyphens=False)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE} is up to date.\n")


if __name__ == "__main__":
    main()
