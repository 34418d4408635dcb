"""`--prefix`: selects keys by a literal prefix, with the same rules as a lane's prefixes."""

import shlex
from typing import Annotated

import typer

from gatehouse.configuration.key_part import literal, misreading
from gatehouse.console import printable
from gatehouse.moderation.document import is_text


def parse_prefix(written: str) -> str:
    """The text that keys start with.

    Raises:
        BadParameter: it is not valid text, or looks like a glob or a URI and is not marked as literal.
    """
    if not is_text(written):
        raise typer.BadParameter(f"{_as_typed(written)} is not UTF-8, but keys are; write it in UTF-8")
    if wrong := misreading(written, at_the_end=False):
        fix = wrong.fix(_as_typed, 'what keys begin with ("" takes every key)')
        raise typer.BadParameter(f"{_as_typed(written)} {wrong.problem}; {fix}")
    return literal(written)


def _as_typed(text: str) -> str:
    """Text quoted for a shell, without characters that a terminal can't show."""
    return printable(shlex.quote(text)).plain


KeyPrefix = Annotated[
    str,
    typer.Option(
        "--prefix",
        parser=parse_prefix,
        metavar="KEYPREFIX",
        help="Only keys that start with this literal text: kids/, not kids/* or s3://bucket/kids/.",
    ),
]
