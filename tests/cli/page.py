"""docs/cli.md, from the commands themselves.

python -m tests.cli.page writes it again.
"""

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
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


def page() -> str:
    """The page as it should be."""
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    parts = [_HEAD, _shared_options(root)]
    for title, names in SECTIONS.items():
        parts.append(f"## {title}\n")
        for name in names:
            parts += _described(root.commands[name], name)
    return "\n".join(parts)


def _described(command: Any, path: str) -> Iterator[str]:
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from _described(inner, f"{path} {name}")
        return
    parameters = [parameter for parameter in command.params if parameter.name not in _SHARED]
    has_shared = len(parameters) < len(command.params)
    arguments = [parameter for parameter in parameters if parameter.param_type_name == "argument"]
    usage = " ".join((COMMAND, path, *(_argument(argument, command) for argument in arguments)))
    yield f"### {path}\n\n```\n{usage} [options]\n```\n"
    yield _filled(command.help)
    rows = [_row(parameter, command) for parameter in parameters if parameter.name != "help"]
    if rows:
        yield "| | |\n| --- | --- |\n" + "\n".join(rows) + "\n"
    if has_shared:
        yield "And the [options of all](#options-of-all).\n"
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
    return "## Options of all\n\n| | |\n| --- | --- |\n" + "\n".join(rows) + "\n"


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
