"""What is judged of a picture that has to be rendered first, and why there may be nothing to judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from gatehouse.moderation.document import whole
from gatehouse.moderation.image_format import ImageFormat

#: Frames of a picture that are judged unless somebody asks for another number; each is a paid call.
DEFAULT_FRAMES: Final = 8

#: The most that may be asked for.
MOST_FRAMES_JUDGED: Final = 100


#: Bytes of a file that is rendered: what the renderer holds twice beside the memory for decoding.
MOST_FILE_BYTES: Final = 50 * 1024 * 1024


class Background(StrEnum):
    """What a transparent picture is shown over. Browsers show it over the page's own color."""

    WHITE = "white"
    BLACK = "black"


class RefusalCode(StrEnum):
    """Why there is no rendition."""

    #: No format that is opened, or one that is not turned on, or a kind of pixel that has no agreed look.
    UNSUPPORTED_FORMAT = "UnsupportedFormat"
    #: Damaged, cut off, or not what it says it is.
    UNREADABLE_IMAGE = "UnreadableImage"
    #: More bytes than are read.
    TOO_LARGE = "TooLarge"
    TOO_MANY_PIXELS = "TooManyPixels"
    TOO_MANY_FRAMES = "TooManyFrames"
    #: Its decoder needed more memory than it is given.
    TOO_MUCH_MEMORY = "TooMuchMemory"
    #: Its decoder did not come to an end in its time.
    DECODE_TIMEOUT = "DecodeTimeout"
    #: Its decoder died.
    DECODER_CRASHED = "DecoderCrashed"
    #: The file has no frame of the number asked for.
    NO_SUCH_FRAME = "NoSuchFrame"
    #: S3 has no such version any more.
    GONE = "Gone"
    #: S3 did not give the bytes: an expired URL, a missing permission, an outage.
    NOT_FETCHED = "NotFetched"
    #: The request is not one, or its URL leads somewhere else than to S3.
    BAD_REQUEST = "BadRequest"

    @property
    def is_about_the_call(self) -> bool:
        """Whether another call may succeed. The others say something of the picture, and it stays so."""
        return self in _ABOUT_THE_CALL


_ABOUT_THE_CALL: Final = frozenset({RefusalCode.NOT_FETCHED, RefusalCode.BAD_REQUEST})

#: Codes of pictures that nobody can judge. That an object is gone says nothing of its picture.
UNSUPPORTED_CODES: Final = frozenset(
    code.value for code in RefusalCode if not code.is_about_the_call and code is not RefusalCode.GONE
)


class RefusedError(Exception):
    """There is no rendition. The message is for people, and has nothing of the picture or its address in it."""

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class JudgedFrame:
    """A frame that is to be judged.

    Attributes:
        number: in the file, from 0.
        backgrounds: what it is judged over: white, and black too where that shows something else.
    """

    number: int
    backgrounds: tuple[Background, ...] = (Background.WHITE,)


@dataclass(frozen=True, slots=True)
class Description:
    """What a file holds, and what of it is to be judged.

    Attributes:
        width, height: of the first frame in pixels, as it is shown.
        orientation: of Exif, 1 to 8, that was applied (TIFF and Exif, tag 274); 1 is none.
        frames: that the file has.
        distinct_frames: that remain if equal ones count once.
        judged: the first frame over white comes first.
    """

    format: ImageFormat
    width: int
    height: int
    orientation: int
    frames: int
    distinct_frames: int
    judged: tuple[JudgedFrame, ...]

    @property
    def is_seen_whole(self) -> bool:
        """Whether every frame is judged, or equal to one that is."""
        return len(self.judged) == self.distinct_frames


@dataclass(frozen=True, slots=True)
class Rendition:
    """What an analysis of renditions speaks of.

    Attributes:
        width, height: of the first frame in pixels, as it is shown.
        orientation: of Exif, 1 to 8, that was applied; 1 is none.
        frames: that the file has, equal ones counted once.
        judged: frames that Rekognition was shown.
    """

    format: ImageFormat
    width: int
    height: int
    orientation: int
    frames: int
    judged: int

    @classmethod
    def of(cls, description: Description) -> "Rendition":
        """The rendition of all frames that a description names."""
        return cls(
            description.format,
            description.width,
            description.height,
            description.orientation,
            description.distinct_frames,
            len(description.judged),
        )

    @property
    def is_seen_whole(self) -> bool:
        """Whether every frame was judged, or equals one that was."""
        return self.judged == self.frames

    def to_documents(self) -> dict[str, dict[str, Any]]:
        """The two members by which result lines, items and flags carry it."""
        return {
            "frames": {"total": self.frames, "judged": self.judged},
            "rendition": {
                "format": self.format.value,
                "width": self.width,
                "height": self.height,
                "orientation": self.orientation,
            },
        }

    @classmethod
    def from_documents(cls, document: Mapping[str, Any]) -> "Rendition":
        """The rendition that a document has the members of; numbers may be decimals.

        Raises:
            KeyError, TypeError, ValueError: it has not, or they contradict themselves.
        """
        frames, rendition = document["frames"], document["rendition"]
        read = cls(
            format=ImageFormat(rendition["format"]),
            width=whole(rendition["width"]),
            height=whole(rendition["height"]),
            orientation=whole(rendition["orientation"]),
            frames=whole(frames["total"]),
            judged=whole(frames["judged"]),
        )
        if not (1 <= read.judged <= read.frames and 1 <= read.orientation <= 8 and min(read.width, read.height) > 0):
            raise ValueError("a rendition that contradicts itself")
        return read


def choose_frames(distinct: Sequence[int], most: int) -> tuple[int, ...]:
    """Up to `most` of the frames: the first, the last, and those between them at even distances.

    Args:
        distinct: numbers of the frames, in order, without those that equal an earlier one.
    """
    if len(distinct) <= most:
        return tuple(distinct)
    if most == 1:
        return (distinct[0],)
    last = len(distinct) - 1
    return tuple(distinct[(2 * n * last + most - 1) // (2 * (most - 1))] for n in range(most))
