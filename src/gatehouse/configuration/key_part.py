"""How settings and commands say what keys begin or end with: text that is compared letter by letter, no globs.

People write globs, addresses and media types there, which no key has. Taken as they stand they match nothing, silently;
and under `kids/*: strict` nothing would be judged by the stricter policy. S3 allows nearly any text in a key (S3 User
Guide, object-keys.html), so `literal:` in front says that it is meant.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

#: What follows is taken as it stands.
LITERAL = "literal:"

_ADDRESS = re.compile(r"\A(?:arn:[^/]*|[A-Za-z][A-Za-z0-9+.-]*://[^/]*)/?")
_GLOB = re.compile(r"\*|\?|\[[^\]]*\]|\{[^{}]*,[^{}]*\}")
#: Globs that take whatever comes there.
_ALL_BEFORE, _ALL_AFTER = re.compile(r"\A[*/]*\*"), re.compile(r"\*(?:[*/]*\*)?\Z")
_ANCHOR = re.compile(r"\A\^|\$\Z")
_HERE = re.compile(r"\A(?:\.?/)+")

#: What the names of such files end with. Only these are refused: keys may well end with `image/original`.
_MEDIA_TYPES = {
    "image/apng": (".apng",),
    "image/avif": (".avif",),
    "image/bmp": (".bmp",),
    "image/gif": (".gif",),
    "image/heic": (".heic",),
    "image/heif": (".heif",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/jpg": (".jpg", ".jpeg"),
    "image/pjpeg": (".jpg", ".jpeg"),
    "image/png": (".png",),
    "image/svg+xml": (".svg",),
    "image/tiff": (".tif", ".tiff"),
    "image/webp": (".webp",),
    "image/x-png": (".png",),
}


@dataclass(frozen=True, slots=True)
class Misreading:
    """Why text is not what a key begins or ends with.

    Attributes:
        written: the text.
        problem: what is wrong with it.
        meant: what to write instead; empty where that can't be guessed.
    """

    written: str
    problem: str
    meant: tuple[str, ...]

    def fix(self, as_written: Callable[[str], str], otherwise: str) -> str:
        """What to do about it, in words.

        Args:
            as_written: text in the quotes that it needs where it was written.
            otherwise: says what to write where that can't be guessed.
        """
        meant = " and ".join(map(as_written, self.meant)) or otherwise
        return f"write {meant}, or {as_written(LITERAL + self.written)} if keys have exactly that"


def misreading(written: str, *, at_the_end: bool) -> Misreading | None:
    """What is wrong with text that is to be taken literally; None if nothing is.

    Args:
        at_the_end: whether keys are to end with it; they begin with it otherwise.
    """
    if written.startswith(LITERAL):
        return None
    problem = _problem(written, at_the_end=at_the_end)
    return None if problem is None else Misreading(written, problem, _meant(written, at_the_end=at_the_end))


def literal(written: str) -> str:
    """The text that keys are compared with."""
    return written.removeprefix(LITERAL)


def _problem(written: str, *, at_the_end: bool) -> str | None:
    if written != written.strip():
        return "has blanks around it, which are compared, too"
    if _ADDRESS.match(written):
        return "is an address, and keys have no scheme, host or bucket in them"
    if _HERE.match(written):
        return "has a slash in front, and keys have none there"
    if _GLOB.search(written):
        return "is compared letter by letter, and *, ?, [...] and {...} stand for nothing else"
    if _ANCHOR.search(written):
        return "is compared letter by letter, and ^ and $ stand for nothing else"
    if at_the_end and written.lower() in _MEDIA_TYPES:
        return "is a media type, and keys end with none"
    return None


def _meant(written: str, *, at_the_end: bool) -> tuple[str, ...]:
    """What to write, if that takes the same keys: none more, or a milder policy would judge them."""
    key = _ANCHOR.sub("", _HERE.sub("", _ADDRESS.sub("", written.strip())))
    meant = (_ALL_BEFORE if at_the_end else _ALL_AFTER).sub("", key).strip()
    found = _MEDIA_TYPES.get(meant.lower().lstrip("/"), (meant,)) if at_the_end else (meant,)
    return found if all(one and _problem(one, at_the_end=at_the_end) is None for one in found) else ()
