"""How many calls of Rekognition an object may cost, by what a listing says of it: its key and its size."""

from types import MappingProxyType
from typing import Final

from gatehouse.cli.bucket.listed_objects import ListedObject
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.rendition import MOST_FILE_BYTES
from gatehouse.moderation.upload import MAX_IMAGE_BYTES

#: What a suffix promises. A file is read by its first bytes, so one that breaks the promise may cost more.
_FORMATS: Final = MappingProxyType(
    {
        **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), ImageFormat.JPEG),
        **dict.fromkeys((".png", ".apng"), ImageFormat.PNG),
        **dict.fromkeys((".tif", ".tiff"), ImageFormat.TIFF),
        **dict.fromkeys((".heic", ".heif"), ImageFormat.HEIC),
        ".gif": ImageFormat.GIF,
        ".webp": ImageFormat.WEBP,
        ".avif": ImageFormat.AVIF,
        ".bmp": ImageFormat.BMP,
    }
)

#: What has one picture only.
_ONE_FRAME: Final = frozenset({ImageFormat.JPEG, ImageFormat.BMP})


def least_calls(lane: Lane, listed: ListedObject) -> int:
    """The calls if it is a picture of one frame: one, and none for what is not read."""
    most = MOST_FILE_BYTES if lane.formats else MAX_IMAGE_BYTES
    return int(0 < listed.size <= most)


def most_calls(lane: Lane, listed: ListedObject) -> int:
    """The most calls: one for each frame that the lane looks at, where the suffix does not rule out frames.

    A key without a suffix, or with one that is none of a picture's, rules out nothing.
    """
    if not least_calls(lane, listed):
        return 0
    promised = _FORMATS.get(_suffix(listed.key))
    candidates = set(lane.formats) if promised is None else {promised} & set(lane.formats)
    return lane.max_frames if candidates - _ONE_FRAME else 1


def _suffix(key: str) -> str:
    name = key.rpartition("/")[2].lower()
    return f".{name.rpartition('.')[2]}" if "." in name else ""
