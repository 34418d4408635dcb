"""`--prefix`: only keys that start with some text, which is read as a lane's prefixes are."""

import shlex
from typing import Annotated

import typer

from gatehouse.configuration.key_part import literal, misreading
from gatehouse.console import printable
from gatehouse.moderation.document import is_text


def parse_prefix(written: str) -> str:
    """The text that keys start with.

    Raises:
        BadParameter: it is no text, or a glob, an address or the like, which no key starts with, and does not say it is
            meant.
    """
    if not is_text(written):
        raise typer.BadParameter(f"{_as_typed(written)} is not UTF-8, and keys are; write it in UTF-8")
    if wrong := misreading(written, at_the_end=False):
        fix = wrong.fix(_as_typed, 'what keys begin with ("" takes every key)')
        raise typer.BadParameter(f"{_as_typed(written)} {wrong.problem}; {fix}")
    return literal(written)


def _as_typed(text: str) -> str:
    """Text as a shell would have to be given it, and as a terminal can show it."""
    return printable(shlex.quote(text)).plain


KeyPrefix = Annotated[
    str,
    typer.Option(
        "--prefix",
        parser=parse_prefix,
        metavar="KEYPREFIX",
        help="Only keys that start with this, letter by letter: kids/, and not kids/* or s3://bucket/kids/.",
    ),
]
