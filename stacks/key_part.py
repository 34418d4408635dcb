"""How a lane says what keys begin or end with: text that is compared letter by letter, and what is mistaken for it.

People write globs and addresses there, which no key has. Taken as they stand they match nothing, silently; and under
`kids/*: strict` nothing would be judged by the stricter policy. S3 allows nearly any text in a key (S3 User Guide,
object-keys.html), so `literal:` in front says that it is meant.
"""

import re
from dataclasses import dataclass

#: What follows is taken as it stands.
LITERAL = "literal:"

_ADDRESS = re.compile(r"\A(?:arn:[^/]*|[A-Za-z][A-Za-z0-9+.-]*://[^/]*)/?")
_GLOB = re.compile(r"\*|\?|\[[^\]]*\]")


@dataclass(frozen=True, slots=True)
class Misreading:
    """Why text is not what a key begins or ends with.

    Attributes:
        problem: what is wrong with it.
        meant: what to write instead; empty where that can't be guessed.
    """

    problem: str
    meant: str


def misreading(written: str, *, at_the_end: bool) -> Misreading | None:
    """What is wrong with text that is to be taken literally; None if nothing is.

    Args:
        at_the_end: whether keys are to end with it; they begin with it otherwise.
    """
    if written.startswith(LITERAL):
        return None
    meant = _meant(written, at_the_end=at_the_end)
    if written != written.strip():
        return Misreading("has blanks around it, which are compared, too", meant)
    if _ADDRESS.match(written):
        return Misreading("is an address, and keys have no scheme, host or bucket in them", meant)
    if written.startswith("/"):
        return Misreading("has a slash in front, and keys have none there", meant)
    if _GLOB.search(written):
        return Misreading("is compared letter by letter, and *, ? and [...] stand for nothing else", meant)
    return None


def literal(written: str) -> str:
    """The text that keys are compared with."""
    return written.removeprefix(LITERAL)


def _meant(written: str, *, at_the_end: bool) -> str:
    key = _ADDRESS.sub("", written.strip()).lstrip("/")
    parts = _GLOB.split(key)
    meant = (parts[-1] if at_the_end else parts[0]).strip().lstrip("/")
    return "" if _ADDRESS.match(meant) else meant
