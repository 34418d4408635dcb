"""From a request to its answer: fetch one version, have it decoded in a process of its own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatehouse.contracts.render_call import MOST_JPEG_BYTES, RenderAnswer, RenderRequest, refusal_document
from gatehouse.moderation.rendition import RefusalCode, RefusedError
from lambdas.renderer.decoder import Decoder
from lambdas.renderer.decoding_process import DecodingCrashedError, DecodingTimeoutError, answer_of
from lambdas.renderer.presigned_object import PresignedObject

#: For one decoding. docs/decisions/0018-renderer.md says what files within our bounds take.
DECODING_SECONDS: Final = 25.0

#: Beyond what the function has in memory anyway. A frame of 50 million pixels exists up to five times for a moment.
DECODING_MEMORY: Final = 1_400 * 1024 * 1024

#: Base64 of a JPEG, and a description of a hundred frames.
_MOST_ANSWER_BYTES: Final = MOST_JPEG_BYTES * 4 // 3 + 65_536


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
            told = answer_of(
                lambda: json.dumps(_decoded(self.decoder, body, request)).encode(),
                seconds=self.seconds,
                memory=self.memory,
                most_bytes=_MOST_ANSWER_BYTES,
                threads=self.decoder.heic,  # libde265 decodes in one of its own
            )
            return RenderAnswer.parse(json.loads(told))
        except DecodingTimeoutError:
            raise RefusedError(RefusalCode.DECODE_TIMEOUT, f"not decoded in {self.seconds:g} seconds") from None
        except (DecodingCrashedError, ValueError, RecursionError):
            raise RefusedError(RefusalCode.DECODER_CRASHED, "the decoder ended without an answer") from None


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
        message = f"damaged, cut off, or not what it says it is ({type(error).__name__})"
        return refusal_document(RefusedError(RefusalCode.UNREADABLE_IMAGE, message))


def _attempt(decoder: Decoder, body: bytes, request: RenderRequest) -> RenderAnswer:
    if request.frame is None:
        return decoder.describe(body, request.most_frames)
    return decoder.render(body, request.frame, request.background)
