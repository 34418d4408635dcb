"""Key prefixes and suffixes in settings and commands: literal text, without globs.

People write globs, URIs and media types there. Compared literally, these would silently match nothing; with
`kids/*: strict`, no upload would be judged by the stricter policy. So they are refused. S3 allows nearly any text in a
key (S3 User Guide, object-keys.html), so the prefix `literal:` marks text that is really meant.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

#: Text after this is accepted without checks.
LITERAL = "literal:"

_ADDRESS = re.compile(r"\A(?:arn:[^/]*|[A-Za-z][A-Za-z0-9+.-]*://[^/]*)/?")
_GLOB = re.compile(r"\*|\?|\[[^\]]*\]|\{[^{}]*,[^{}]*\}")
#: Globs that match everything before, or after.
_ALL_BEFORE, _ALL_AFTER = re.compile(r"\A[*/]*\*"), re.compile(r"\*(?:[*/]*\*)?\Z")
_ANCHOR = re.compile(r"\A\^|\$\Z")
_HERE = re.compile(r"\A(?:\.?/)+")

#: Media types, and the suffixes of such files. Only these are refused: a key can end with `image/original`.
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
    """Text that was probably not meant as a literal prefix or suffix.

    Attributes:
        written: the text.
        problem: what is wrong with it.
        meant: what to write instead; empty if that can't be guessed.
    """

    written: str
    problem: str
    meant: tuple[str, ...]

    def fix(self, as_written: Callable[[str], str], otherwise: str) -> str:
        """The fix, as a sentence.

        Args:
            as_written: quotes text as its place requires.
            otherwise: what to write if the meaning can't be guessed.
        """
        meant = " and ".join(map(as_written, self.meant)) or otherwise
        return f"write {meant}, or {as_written(LITERAL + self.written)} if keys contain exactly that"


def misreading(written: str, *, at_the_end: bool) -> Misreading | None:
    """What is wrong with a literal prefix or suffix; None if nothing is.

    Args:
        at_the_end: whether it is a suffix; a prefix otherwise.
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
        return "has spaces around it, which would be part of the key"
    if _ADDRESS.match(written):
        return "is a URI or an ARN, but a key contains no scheme, host or bucket"
    if _HERE.match(written):
        return "begins with a slash, but keys do not"
    if _GLOB.search(written):
        return "is compared literally; *, ?, [...] and {...} are not wildcards here"
    if _ANCHOR.search(written):
        return "is compared literally; ^ and $ are not anchors here"
    if at_the_end and written.lower() in _MEDIA_TYPES:
        return "is a media type, but keys end with a file suffix"
    return None


def _meant(written: str, *, at_the_end: bool) -> tuple[str, ...]:
    """What to write instead, if it matches the same keys. More keys could be judged by a milder policy."""
    key = _ANCHOR.sub("", _HERE.sub("", _ADDRESS.sub("", written.strip())))
    meant = (_ALL_BEFORE if at_the_end else _ALL_AFTER).sub("", key).strip()
    found = _MEDIA_TYPES.get(meant.lower().lstrip("/"), (meant,)) if at_the_end else (meant,)
    return found if all(one and _problem(one, at_the_end=at_the_end) is None for one in found) else ()
