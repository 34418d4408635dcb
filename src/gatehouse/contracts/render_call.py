"""The call of the renderer, as the Analyzer makes it and the renderer reads it; and its answer the other way.

{"url": "https://...", "frame": null, "most_frames": 8}         describe the picture, and render its first frame
{"url": "https://...", "frame": 3, "background": "black"}       render one frame

{"description": {...}, "jpeg": "<base64>"}                      a description, and the first frame over white
{"jpeg": "<base64>"}                                            one frame
{"refusal": {"code": "TooManyPixels", "message": "..."}}        neither
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatehouse.moderation.document import MISSHAPEN, text, whole
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.rendition import (
    DEFAULT_FRAMES,
    MOST_FRAMES_JUDGED,
    Background,
    Description,
    JudgedFrame,
    RefusalCode,
    RefusedError,
)

#: Bytes of a rendition. As base64 it is 5,592,408, and an answer of Lambda's has 6 MB (Lambda Developer Guide, quotas);
#: DetectModerationLabels takes 5 MB of bytes (Rekognition Developer Guide, limits.html).
MOST_JPEG_BYTES: Final = 4 * 1024 * 1024

#: Of an answer: base64 of a JPEG, and a description of a hundred frames.
MOST_ANSWER_BYTES: Final = MOST_JPEG_BYTES * 4 // 3 + 65_536

#: Of an answer: brackets and commas. A description of a hundred frames has 600; read, each of them may take 100 times
#: the memory that it takes as JSON.
_MOST_MARKS: Final = 2_000
_MARKS: Final = (b"[", b"{", b",")

#: Of a URL. S3's are a key of up to 1,024 bytes, each of which may take three characters, and a signature.
_MOST_URL_CHARACTERS: Final = 8192

_MOST_MESSAGE_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """What is asked of the renderer.

    Attributes:
        url: a presigned GET of one version of an object.
        frame: the number of the frame to render, from 0, or None to have the picture described.
        background: what a transparent frame is shown over.
        most_frames: that a description names at most.
    """

    url: str
    frame: int | None = None
    background: Background = Background.WHITE
    most_frames: int = DEFAULT_FRAMES

    def to_document(self) -> dict[str, Any]:
        """The payload that `parse` reads."""
        return {
            "url": self.url,
            "frame": self.frame,
            "background": self.background.value,
            "most_frames": self.most_frames,
        }

    @classmethod
    def parse(cls, document: object) -> "RenderRequest":
        """Read a payload.

        Raises:
            RefusedError: it is no request (`BadRequest`).
        """
        try:
            members = _members(document)
            url = text(members["url"])
            frame = members.get("frame")
            most = whole(members.get("most_frames", DEFAULT_FRAMES))
            if len(url) > _MOST_URL_CHARACTERS or not 1 <= most <= MOST_FRAMES_JUDGED:
                raise ValueError
            background = Background(members.get("background", Background.WHITE))
            return cls(url, None if frame is None else whole(frame), background, most)
        except MISSHAPEN as error:
            raise RefusedError(RefusalCode.BAD_REQUEST, "the request is not of the shape that is expected") from error


@dataclass(frozen=True, slots=True)
class RenderAnswer:
    """What the renderer has to say, if it is no refusal.

    Attributes:
        jpeg: the frame asked for, or of a described picture the first one over white.
        description: if it was asked for.
    """

    jpeg: bytes
    description: Description | None = None

    def to_document(self) -> dict[str, Any]:
        """The answer that `parse` reads."""
        document: dict[str, Any] = {"jpeg": base64.b64encode(self.jpeg).decode()}
        if self.description:
            document["description"] = _description_document(self.description)
        return document

    @classmethod
    def read(cls, payload: bytes) -> "RenderAnswer":
        """Read an answer's bytes, in memory that is bounded by their number.

        Raises:
            RefusedError: the renderer refused.
            ValueError: they are no answer.
        """
        if len(payload) > MOST_ANSWER_BYTES or sum(map(payload.count, _MARKS)) > _MOST_MARKS:
            raise ValueError("more than the renderer may answer")
        try:
            document = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise ValueError("the renderer's answer is not JSON") from error
        return cls.parse(document)

    @classmethod
    def parse(cls, document: object) -> "RenderAnswer":
        """Read an answer. A renderer that was taken over may answer anything: what is not of this shape is an error.

        Raises:
            RefusedError: the renderer refused.
            ValueError: the answer is not of the shape that is expected.
        """
        try:
            members = _members(document)
            if (refusal := members.get("refusal")) is not None:
                message = text(refusal["message"])[:_MOST_MESSAGE_CHARACTERS]
                refused = RefusedError(RefusalCode(refusal["code"]), message)
            else:
                jpeg = base64.b64decode(text(members["jpeg"]), validate=True)
                if not jpeg.startswith(b"\xff\xd8\xff") or len(jpeg) > MOST_JPEG_BYTES:
                    raise ValueError("no JPEG, or too large a one")
                described = members.get("description")
                return cls(jpeg, None if described is None else _description(described))
        except MISSHAPEN as error:
            raise ValueError("the renderer's answer is not of the shape that is expected") from error
        raise refused


def refusal_document(error: RefusedError) -> dict[str, Any]:
    """The answer that says why there is no rendition."""
    return {"refusal": {"code": error.code.value, "message": error.message[:_MOST_MESSAGE_CHARACTERS]}}


def _members(document: object) -> Mapping[str, Any]:
    if not isinstance(document, Mapping):
        raise TypeError("no object")
    return document


def _description_document(description: Description) -> dict[str, Any]:
    return {
        "format": description.format.value,
        "width": description.width,
        "height": description.height,
        "orientation": description.orientation,
        "frames": description.frames,
        "distinct_frames": description.distinct_frames,
        "judged": [
            {"frame": frame.number, "backgrounds": [background.value for background in frame.backgrounds]}
            for frame in description.judged
        ],
    }


def _description(document: Mapping[str, Any]) -> Description:
    judged = tuple(
        JudgedFrame(whole(frame["frame"]), tuple(Background(name) for name in frame["backgrounds"]))
        for frame in document["judged"]
    )
    description = Description(
        format=ImageFormat(document["format"]),
        width=whole(document["width"]),
        height=whole(document["height"]),
        orientation=whole(document["orientation"]),
        frames=whole(document["frames"]),
        distinct_frames=whole(document["distinct_frames"]),
        judged=judged,
    )
    numbers = [frame.number for frame in judged]
    if not (
        1 <= len(judged) <= min(MOST_FRAMES_JUDGED, description.distinct_frames)
        and description.distinct_frames <= description.frames
        and numbers == sorted(set(numbers))
        and numbers[0] == 0
        and numbers[-1] < description.frames
        and all(frame.backgrounds in _BACKGROUNDS for frame in judged)
        and 1 <= description.orientation <= 8
        and min(description.width, description.height) > 0
    ):
        raise ValueError("a description that contradicts itself")
    return description


_BACKGROUNDS: Final = ((Background.WHITE,), (Background.WHITE, Background.BLACK))
