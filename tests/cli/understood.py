"""Whether a line that a page or a help shows is understood by the command, without anything being run."""

import shlex
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command

from gatehouse.cli.__main__ import app


def understand(line: str) -> None:
    """Parse what is typed behind `gatehouse`.

    Raises:
        TyperException: a word is not understood.
    """
    command: Any = get_command(app)
    words = shlex.split(line, comments=True)
    context = command.make_context("gatehouse", list(words))
    while isinstance(command, TyperGroup):
        name, command, words = command.resolve_command(context, words)
        context = command.make_context(name, list(words), parent=context)
    assert not context.args, line
