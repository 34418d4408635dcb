"""`--prefix`: no command takes a glob or an address for what keys begin with, and finds nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from gatehouse.cli.__main__ import app
from tests.cli.conftest import Run


def _commands_with_a_prefix(command: Any, *path: str) -> Iterator[str]:
    if any("--prefix" in parameter.opts or parameter.metavar == "KEYPREFIX" for parameter in command.params):
        yield " ".join(path)
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands_with_a_prefix(inner, *path, name)


COMMANDS = sorted(_commands_with_a_prefix(get_command(app)))

_LETTERS = "is compared literally; *, ?, [...] and {...} are not wildcards here"
_SLASH = "begins with a slash, but keys do not"
_BLANKS = "has spaces around it, which would be part of the key"

#: What people write; how it is called, what is wrong with it and what to write instead, in the quotes a shell needs.
MISREAD = {
    "kids/*": ("'kids/*'", _LETTERS, "kids/", "'literal:kids/*'"),
    "*": ("'*'", _LETTERS, 'what keys begin with ("" takes every key)', "'literal:*'"),
    "s3://bucket/kids/": (
        "s3://bucket/kids/",
        "is a URI or an ARN, but a key contains no scheme, host or bucket",
        "kids/",
        "literal:s3://bucket/kids/",
    ),
    "/kids/": ("/kids/", _SLASH, "kids/", "literal:/kids/"),
    "/my kids/": ("'/my kids/'", _SLASH, "'my kids/'", "'literal:/my kids/'"),
    " kids/": ("' kids/'", _BLANKS, "kids/", "'literal: kids/'"),
    "kids/\n": (r"'kids/\n'", _BLANKS, "kids/", r"'literal:kids/\n'"),
}


def test_the_commands_that_take_a_prefix_are_found() -> None:
    assert COMMANDS == ["list", "moderate start", "policy diff", "queue redrive", "reconcile", "retry", "upload"]


@pytest.mark.parametrize("written", MISREAD)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_glob_or_an_address_is_refused_with_what_to_write(gatehouse: Run, command: str, written: str) -> None:
    result = gatehouse(*command.split(), "--prefix", written)

    called, problem, meant, insisting = MISREAD[written]
    assert result.exit_code == (4 if command == "upload" else 2)
    assert result.stderr.splitlines()[-1] == (
        f"Error: Invalid value for '--prefix': {called} {problem}; "
        f"write {meant}, or {insisting} if keys contain exactly that"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_bytes_that_are_no_text_are_refused(gatehouse: Run, command: str) -> None:
    """Python has a surrogate for each, which neither UTF-8 nor any key has."""
    result = gatehouse(*command.split(), "--prefix", "literal:caf\udce9/")

    assert result.exit_code == (4 if command == "upload" else 2)
    assert result.stderr.splitlines()[-1] == (
        r"Error: Invalid value for '--prefix': 'literal:caf\udce9/' is not UTF-8, but keys are; write it in UTF-8"
    )


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "upload"])
def test_what_a_prefix_is_stands_in_the_help(gatehouse: Run, command: str) -> None:
    told = " ".join(gatehouse(*command.split(), "--help").stdout.split())

    assert "Only keys that start with this literal text: kids/, not kids/* or s3://bucket/kids/." in told
