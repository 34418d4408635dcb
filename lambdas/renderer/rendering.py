"""From a request to its answer: fetch one version, have it decoded in a process of its own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatehouse.contracts.render_call import MOST_ANSWER_BYTES, RenderAnswer, RenderRequest, refusal_document
from gatehouse.moderation.image_format import HEAD_BYTES, format_of
from gatehouse.moderation.rendition import Description, RefusalCode, RefusedError
from lambdas.renderer.decoder import MOST_FRAMES, MOST_PIXELS, MOST_PIXELS_IN_ALL, Decoder
from lambdas.renderer.decoding_process import DecodingCrashedError, DecodingTimeoutError, answer_of
from lambdas.renderer.presigned_object import PresignedObject

#: For one decoding. docs/decisions/0018-renderer.md says what files within our bounds take.
DECODING_SECONDS: Final = 25.0

#: Beyond what the function has in memory anyway. A frame of 50 million pixels exists up to five times for a moment.
DECODING_MEMORY: Final = 1_400 * 1024 * 1024

#: What a decoding may end in without a picture, and the message for people. The decoding process says the code
#: alone: one that was taken over could say anything, and so may not end the call with a code that stands for something
#: else than the picture, nor have its words shown.
_REFUSALS: Final[Mapping[RefusalCode, str]] = {
    RefusalCode.UNSUPPORTED_FORMAT: "a format, a kind of pixel or colors that are not read, or not shown alike",
    RefusalCode.UNREADABLE_IMAGE: "damaged, cut off, or not what it says it is",
    RefusalCode.TOO_MANY_PIXELS: f"more than {MOST_PIXELS} pixels in a frame, or {MOST_PIXELS_IN_ALL} in all",
    RefusalCode.TOO_MANY_FRAMES: f"more than {MOST_FRAMES} frames",
    RefusalCode.TOO_MUCH_MEMORY: "decoding takes too much memory",
    RefusalCode.NO_SUCH_FRAME: "the file has no frame of that number",
}


@dataclass(frozen=True, slots=True)
class Rendering:
    """Answers requests.

    Attributes:
        seconds: that a decoding may take.
        memory: bytes that it may take.
    """

    objects: PresignedObject
    decoder: Decoder
    seconds: float = DECODING_SECONDS
    memory: int = DECODING_MEMORY

    def answer(self, request: RenderRequest) -> RenderAnswer:
        """Describe a picture, or render a frame of it.

        Raises:
            RefusedError: neither is possible, and the code says why.
        """
        return self.decode(self.objects.fetch(request.url), request)

    def decode(self, body: bytes, request: RenderRequest) -> RenderAnswer:
        """The answer, given the file's bytes.

        Raises:
            RefusedError: there is none, and the code says why.
        """
        if not body:
            raise RefusedError(RefusalCode.UNREADABLE_IMAGE, "the file is empty")
        try:
            written = answer_of(
                lambda: json.dumps(_decoded(self.decoder, body, request)).encode(),
                seconds=self.seconds,
                memory=self.memory,
                most_bytes=MOST_ANSWER_BYTES,
                threads=self.decoder.heic,  # libde265 decodes in one of its own
            )
            answer = RenderAnswer.read(written)
        except RefusedError as error:
            if (message := _REFUSALS.get(error.code)) is None:
                raise _crashed() from None
            raise RefusedError(error.code, message) from None
        except DecodingTimeoutError:
            raise RefusedError(RefusalCode.DECODE_TIMEOUT, f"not decoded in {self.seconds:g} seconds") from None
        except (DecodingCrashedError, ValueError):
            raise _crashed() from None
        if not _is_answer_to(request, body, answer.description):
            raise _crashed()
        return answer


def _is_answer_to(request: RenderRequest, body: bytes, described: Description | None) -> bool:
    if request.frame is not None or not described:
        return (request.frame is None) == (described is not None)
    return described.format is format_of(body[:HEAD_BYTES]) and len(described.judged) <= request.most_frames


def _crashed() -> RefusedError:
    return RefusedError(RefusalCode.DECODER_CRASHED, "the decoder ended without an answer")


def _decoded(decoder: Decoder, body: bytes, request: RenderRequest) -> Mapping[str, Any]:
    """The answer as a document, whatever happens. Runs in the decoding process."""
    try:
        return _attempt(decoder, body, request).to_document()
    except RefusedError as error:
        return refusal_document(error)
    except MemoryError:
        return refusal_document(RefusedError(RefusalCode.TOO_MUCH_MEMORY, "decoding takes too much memory"))
    except Exception as error:
        if "memory" in str(error).lower():  # Pillow's name for a decoder's own failed allocation
            return refusal_document(RefusedError(RefusalCode.TOO_MUCH_MEMORY, "decoding takes too much memory"))
        return refusal_document(RefusedError(RefusalCode.UNREADABLE_IMAGE, type(error).__name__))


def _attempt(decoder: Decoder, body: bytes, request: RenderRequest) -> RenderAnswer:
    if request.frame is None:
        return decoder.describe(body, request.most_frames)
    return decoder.render(body, request.frame, request.background)
