"""What to do about an upload that has an error code, in one sentence; docs/operations.md has the whole story."""

from types import MappingProxyType
from typing import Final

from gatehouse.moderation.confirmation import SUPERSEDED, UNCONFIRMABLE
from gatehouse.moderation.png_animation import ANIMATED, UNREADABLE
from gatehouse.moderation.rendition import RefusalCode

_MISSING_RIGHTS = (
    "The functions may not read the object: its KMS key, a bucket policy or its uploader's encryption keeps them out, "
    "or it is gone or archived."
)
_ANALYZER = "The Analyzer kept failing, or its chunks waited too long: look into its log and its alarms."
_ADAPTER = "The lane's adapter does not exist in this Region, or is still being trained (`doctor` looks)."
_REKOGNITION = "Rekognition did not answer, for long: nothing is to be mended here."
_TOO_MUCH = "It is larger than what is rendered safely; upload it smaller."
_DAMAGED = "The file is damaged, or its decoder gave up on it; upload another one."

#: By error code.
_SENTENCES: Final = MappingProxyType(
    {
        "InvalidS3ObjectException": _MISSING_RIGHTS,
        "AccessDeniedException": _MISSING_RIGHTS,
        "AdapterIgnored": "The lane's adapter did not answer, since it has expired or names another model: train it "
        "again, or set the lane's `adapter` to null.",
        "ResourceNotFoundException": _ADAPTER,
        "ResourceNotReadyException": _ADAPTER,
        "NotAnalyzed": "The analysis ended without a result for it; its message says why.",
        "ContradictoryResults": "The analysis gave two different results for it, and neither is taken.",
        "ChunkFailed": _ANALYZER,
        "HeartbeatTimeout": _ANALYZER,
        "Timeout": _ANALYZER,
        SUPERSEDED: "Its bytes are gone, deleted or overwritten before they were analyzed: upload it again, and turn "
        "on versioning.",
        UNCONFIRMABLE: "Without versioning nothing shows which bytes were analyzed: turn on versioning, and upload it "
        "again.",
        "Archived": "The object was archived before its approval was confirmed: restore it.",
        "Forbidden": "S3 denies reading this object, and no others, to confirm its approval: grant access to it.",
        "AttemptsExhausted": "Batch after batch ended without a verdict for it; `batch show` says what the last one "
        "failed with.",
        "InternalServerError": _REKOGNITION,
        "ACCESS_DENIED": _MISSING_RIGHTS,
        "EmptyObject": "The object has no bytes; upload it again.",
        "ImageTooLarge": "It has more bytes than are read; upload it smaller.",
        ANIMATED.code: "An animated PNG shows more than one picture, and the lane's `formats` lacks PNG.",
        UNREADABLE.code: "No pixels were found in the PNG; save it anew and upload it again.",
        "InvalidParameterException": "Rekognition does not read a picture of these dimensions; upload it in others.",
        "InvalidImageFormatException": "Rekognition reads JPEG and PNG; the lane's `formats` has others rendered.",
        "ImageTooLargeException": "Rekognition does not read a picture that large; upload it smaller.",
        RefusalCode.UNSUPPORTED_FORMAT.value: "Its format is none that the lane's `formats` names.",
        RefusalCode.UNREADABLE_IMAGE.value: _DAMAGED,
        RefusalCode.DECODER_CRASHED.value: _DAMAGED,
        RefusalCode.NO_SUCH_FRAME.value: _DAMAGED,
        RefusalCode.DECODE_TIMEOUT.value: _DAMAGED,
        RefusalCode.TOO_LARGE.value: _TOO_MUCH,
        RefusalCode.TOO_MANY_PIXELS.value: _TOO_MUCH,
        RefusalCode.TOO_MANY_FRAMES.value: _TOO_MUCH,
        RefusalCode.TOO_MUCH_MEMORY.value: _TOO_MUCH,
    }
)


def about(code: str) -> str | None:
    """A sentence about an error code; None for one that nobody has written about."""
    if sentence := _SENTENCES.get(code):
        return sentence
    if code.endswith("TimeoutError"):
        return _REKOGNITION
    if code.startswith("Rekognition."):
        return "No job of Bulk Analysis could be started, for hours: the account's quota of jobs is used up."
    return None
