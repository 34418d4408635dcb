"""A job's input manifest: JSON Lines of `{"source-ref": "s3://bucket/key"}`.

Source: Developer Guide, to-process-images-in-bulk.html and limits.html (10,000 lines, 50 MB). Undocumented and chosen
here: members other than `source-ref` are ignored, blank lines are skipped, lines are counted from 1, and a key is taken
as it stands, without decoding. Duplicate lines stay (bulk-analysis-output-manifests.html).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from localcloud.rekognition.unicode_text import is_encodable

MOST_LINES = 10_000
MOST_BYTES = 50 * 1024 * 1024

#: Bytes of a line. One with the longest key, all of it escaped in JSON, has a tenth of them; one that holds millions of
#: lists takes a gigabyte to read.
_LONGEST_LINE = 65_536

_SOURCE_REF = re.compile(r"s3://([0-9A-Za-z.\-_]{3,255})/(.{1,1024})", re.DOTALL)


class ManifestError(ValueError):
    """A manifest that can't be used as a whole."""


@dataclass(frozen=True, slots=True)
class ImageLine:
    """A line that names an image. `number` counts from 1."""

    number: int
    source_ref: str
    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class InvalidLine:
    """A line that names none. `number` counts from 1."""

    number: int
    problem: str


def parse(body: bytes) -> tuple[ImageLine | InvalidLine, ...]:
    """Read a manifest. Invalid lines do not spoil the others.

    Raises:
        ManifestError: empty, more than 10,000 lines, or more than 50 MB.
    """
    if len(body) > MOST_BYTES:
        raise ManifestError(f"The manifest has {len(body)} bytes of at most {MOST_BYTES}.")
    count = body.count(b"\n") + (not body.endswith(b"\n"))
    if count > MOST_LINES:
        raise ManifestError(f"The manifest has {count} lines of at most {MOST_LINES}.")
    lines = tuple(_lines(body))
    if not lines:
        raise ManifestError("The manifest is empty.")
    return lines


def _lines(body: bytes) -> Iterator[ImageLine | InvalidLine]:
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            yield _line(number, line)


def _line(number: int, line: bytes) -> ImageLine | InvalidLine:
    if len(line) > _LONGEST_LINE:
        return InvalidLine(number, f"The line has {len(line)} bytes of at most {_LONGEST_LINE}.")
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        return InvalidLine(number, f"The line is not JSON: {error}")
    source_ref = document.get("source-ref") if isinstance(document, dict) else None
    if not isinstance(source_ref, str):
        return InvalidLine(number, 'The line is not of the form {"source-ref": "s3://bucket/key"}.')
    match = _SOURCE_REF.fullmatch(source_ref)
    if match is None or not is_encodable(source_ref):
        return InvalidLine(number, "The line's source-ref is not of the form s3://bucket/key.")
    return ImageLine(number, source_ref, bucket=match[1], key=match[2])
