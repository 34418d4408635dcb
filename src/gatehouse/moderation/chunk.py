"""A chunk of the image engine: 25 to 500 uploads of a batch, fewer of a small one, that one run handles.

A chunk is a stretch of lines of an uploads index, and has one result file with a name made of its first line. So
whoever is given the chunk again, by a redelivered message, a redriven execution or a retry, finds what was analyzed.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gatehouse.moderation.analysis import ResultLineError, SoFar, parse_result_line
from gatehouse.moderation.batch import MAX_UPLOADS, batch_prefix, is_overwritten
from gatehouse.moderation.document import MISSHAPEN, confidence, of_kind, optional_text, text, whole
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.rendition import DEFAULT_FRAMES, MOST_FRAMES_JUDGED
from gatehouse.moderation.upload import Upload

#: Error that the Analyzer gives a chunk up with; the workflow knows it, and it is the code of the chunk's uploads.
CHUNK_FAILED = "ChunkFailed"


class ChunkMessageError(ValueError):
    """A message in the chunk queue that is not the workflow's."""


def image_output_prefix(batch_id: str) -> str:
    """Where the image engine writes."""
    return f"{batch_prefix(batch_id)}analysis/image/"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Uploads on the lines `first` (from 0) to `first + size - 1` of an index; the last chunk may have fewer."""

    batch_id: str
    image_pass: ImagePass
    first: int
    size: int

    @property
    def index_key(self) -> str:
        """Key of the index that lists the chunk's uploads."""
        return self.image_pass.index_key(self.batch_id)

    @property
    def results_key(self) -> str:
        """Key of the chunk's result file."""
        return f"{image_output_prefix(self.batch_id)}{self.image_pass}/{self.first}.jsonl"

    def images(self, index: Iterable[bytes], line: int = 0) -> Iterator["ChunkImage"]:
        """The chunk's uploads that are worth analyzing, read from the lines of its index, from number `line` on.

        Not worth it are those that were refused before, and those whose bytes are gone (`is_overwritten`).

        Raises:
            ValueError: a line is not ours.
        """
        for entry in islice(index, self.first - line, self.first - line + self.size):
            try:
                document: dict[str, Any] = of_kind(json.loads(entry), dict)
                image = ChunkImage(whole(document["n"]), Upload.from_document(document))
            except MISSHAPEN as error:
                raise ValueError(f"a line of {self.index_key} is not ours: {error!r}") from error
            if "error" not in document and not is_overwritten(image.upload, document.get("in_manifest", True)):
                yield image


@dataclass(frozen=True, slots=True)
class ChunkImage:
    """An upload to analyze, with its number in the batch."""

    n: int
    upload: Upload


@dataclass(frozen=True, slots=True)
class ChunkMessage:
    """What the workflow puts into the chunk queue.

    Attributes:
        token: gives the chunk's end back to the workflow.
        min_confidence: 0-100, asked of Rekognition.
        adapter: ARN of a project version, or None.
        formats: that are rendered where Rekognition does not read a file. A workflow from before there were any sends
            none.
        max_frames: that are judged of a rendered image.
    """

    token: str
    chunk: Chunk
    min_confidence: float
    adapter: str | None
    formats: frozenset[ImageFormat] = frozenset()
    max_frames: int = DEFAULT_FRAMES

    def to_body(self) -> str:
        """The message's body, to be sent anew."""
        return json.dumps(
            {
                "token": self.token,
                "batch_id": self.chunk.batch_id,
                "pass": self.chunk.image_pass.value,
                "first": self.chunk.first,
                "size": self.chunk.size,
                "min_confidence": self.min_confidence,
                "adapter": self.adapter,
                "formats": sorted(self.formats),
                "max_frames": self.max_frames,
            }
        )

    @classmethod
    def parse(cls, body: str) -> "ChunkMessage":
        """Read a message's body.

        Raises:
            ChunkMessageError: it is not the workflow's.
        """
        try:
            document = of_kind(json.loads(body), dict)
            return cls(
                token=text(document["token"]),
                chunk=Chunk(
                    batch_id=text(document["batch_id"]),
                    image_pass=ImagePass(document["pass"]),
                    first=_position(document["first"]),
                    size=_position(document["size"]),
                ),
                min_confidence=confidence(document["min_confidence"]),
                adapter=optional_text(document["adapter"]),
                formats=frozenset(map(ImageFormat, of_kind(document.get("formats", []), list))),
                max_frames=_frames(document.get("max_frames", DEFAULT_FRAMES)),
            )
        except MISSHAPEN as error:
            raise ChunkMessageError(f"not a message of the workflow: {error!r}") from error


@dataclass(frozen=True, slots=True)
class ChunkLine:
    """A line of a chunk's result file, as it stands there.

    Attributes:
        failed_calls: about an image that only failed calls came back for; 0 where the line is an answer.
        so_far: what is known of some of an image's frames, where the line is no answer yet.
    """

    text: str
    failed_calls: int = 0
    so_far: SoFar | None = None

    @property
    def is_answer(self) -> bool:
        """Whether the image is done, whatever the answer."""
        return not self.failed_calls and self.so_far is None


def chunk_lines(lines: Iterable[bytes]) -> dict[int, ChunkLine]:
    """What a chunk's result file says, by the uploads' numbers. What it does not say clearly is asked for again."""
    found = {}
    for line in lines:
        try:
            text_line = line.decode()
            result = parse_result_line(text_line)
        except (UnicodeDecodeError, ResultLineError):
            continue
        known = result.analysis, result.error, result.so_far
        if result.n is not None and any(member is not None for member in known):
            found[result.n] = ChunkLine(text_line, result.failed_calls, result.so_far)
    return found


def _frames(value: object) -> int:
    if not 1 <= (frames := whole(value)) <= MOST_FRAMES_JUDGED:
        raise ValueError(f"{frames} frames, where 1 to {MOST_FRAMES_JUDGED} can be judged")
    return frames


def _position(value: object) -> int:
    """A number of lines of an index."""
    if (lines := whole(value)) > MAX_UPLOADS:
        raise ValueError(f"{lines} lines, where a batch has {MAX_UPLOADS} at most")
    return lines
