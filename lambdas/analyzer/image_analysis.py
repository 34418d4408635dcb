"""Analysis of one image: as it is stored, or, where Rekognition does not read it or not the whole of it, as renditions.

Each frame of a rendered image is a call of DetectModerationLabels, at the same pace as all others. What is known of
some frames is kept, so that no frame is paid for twice if another one's call fails or the time is up.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Semaphore
from typing import Any

from gatehouse.aws.image_moderation import CallFailedError, ImageModeration
from gatehouse.aws.presigned_uploads import PresignedUploads
from gatehouse.aws.renderer_function import RendererFunction
from gatehouse.aws.upload_head import UploadHeads
from gatehouse.contracts.render_call import MOST_ANSWER_BYTES, RenderAnswer, RenderRequest
from gatehouse.moderation.analysis import ImageError, ResultLineError, SoFar
from gatehouse.moderation.chunk import ChunkMessage
from gatehouse.moderation.confirmation import SUPERSEDED
from gatehouse.moderation.image_errors import is_unsupported
from gatehouse.moderation.image_format import READ_BY_REKOGNITION, ImageFormat
from gatehouse.moderation.merging import merge
from gatehouse.moderation.rendition import Background, RefusalCode, RefusedError, Rendition
from gatehouse.moderation.upload import MAX_IMAGE_BYTES, Upload
from lambdas.analyzer.pace import Pace

#: Timeout of one call of Rekognition in seconds. AWS's guidance plans with 5 to 15.
ANSWER_SECONDS = 20

#: Timeout of one call of the renderer: a cold start, 10 seconds to fetch the file and 25 to decode it.
RENDER_SECONDS = 45

#: Images whose first bytes are read at a time. A chunk's threads all begin with that: without a limit the processor
#: would open a connection for each before the first call.
_PARALLEL_LOOKS = 16


def parallel_renderings(calls_per_second: float) -> int:
    """Images of one Analyzer that are rendered and judged at a time: as many as keep up with its calls.

    Each takes a second or less, may need the renderer, of the account's concurrency, and has a JPEG of up to 4 MB in
    memory, several times over (`stacks.constructs.image_analyzer.memory_size`).
    """
    return max(4, math.ceil(0.8 * calls_per_second))


#: Of a file that Rekognition refuses, so that nobody knows what it is.
_NO_FIRST_BYTES = ImageError(RefusalCode.NOT_FETCHED.value, "S3 did not give the file's first bytes")


class OutOfTimeError(Exception):
    """The run has no time left for another call."""


@dataclass(slots=True)
class Asked:
    """The result of the calls for one image.

    Attributes:
        answer: Rekognition's answer, or an error about the image; None if there is none yet.
        rendition: what the answer speaks of, if it is no answer about the stored file.
        so_far: what is known of some frames, while there is no answer.
        format: of the file; None if it is none of ours, or not known yet.
        looked: whether its first bytes were seen.
        is_rendered: whether it is judged by renditions.
        began: when the last call was made, by the clock.
        failure: of the last call that failed for a reason that is not the image.
        failed_calls: counted against the image, including earlier runs.
        frames: answers about renditions in this run, each of which is paid for.
        throttled: throttled calls in this run.
        failed: failed calls in this run.
    """

    answer: dict[str, Any] | ImageError | None = None
    rendition: Rendition | None = None
    so_far: SoFar | None = None
    format: ImageFormat | None = None
    looked: bool = False
    is_rendered: bool = False
    began: float = math.inf
    failure: ImageError | None = None
    failed_calls: int = 0
    frames: int = 0
    throttled: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class ImageAnalysis:
    """Makes the calls for images.

    Attributes:
        clock: seconds, monotonic; the same as the pace's.
        renderings: has as many slots as images are rendered at a time.
    """

    moderation: ImageModeration
    heads: UploadHeads
    uploads: PresignedUploads
    renderer: RendererFunction
    pace: Pace
    clock: Callable[[], float]
    renderings: Semaphore
    _looks: Semaphore = field(default_factory=lambda: Semaphore(_PARALLEL_LOOKS))

    def attempt(self, upload: Upload, message: ChunkMessage, until: float, asked: Asked) -> None:
        """Ask for what is not known of an image yet; `asked.answer` is set afterwards.

        Raises:
            CallThrottledError, CallFailedError: a call got no answer; try again for the rest.
            OutOfTimeError: the rest is for another run.
        """
        if message.formats and not asked.looked:
            self._look(upload, message, until, asked)
        if not asked.is_rendered:
            self._take_turn(until, asked)
            answer = self.moderation.detect(upload, message.min_confidence, message.adapter)
            if not isinstance(answer, ImageError) or not is_unsupported(answer.code, answer.message, message.adapter):
                asked.answer = answer
                return
            if message.formats and not asked.looked:
                raise CallFailedError(_NO_FIRST_BYTES)  # it may be of a format that is rendered
            if asked.format not in message.formats:
                asked.answer = answer
                return
            asked.is_rendered = True  # too large, too small, or of a kind that only browsers read
        self._enter(self.renderings, until)
        try:
            self._judge_frames(upload, message, until, asked)
        except RefusedError as error:
            asked.answer = _error(error)
        except ResultLineError as error:
            asked.answer = ImageError("UnreadableResult", str(error))
        finally:
            self.renderings.release()

    def _look(self, upload: Upload, message: ChunkMessage, until: float, asked: Asked) -> None:
        """Find out whether the image is to be rendered without asking Rekognition first.

        A file of another format than Rekognition's would be refused, at the cost of a turn; and of an animation it
        would look at one picture only.
        """
        self._enter(self._looks, until)
        try:
            asked.began = self.clock()
            if asked.began > until:
                raise OutOfTimeError
            head = self.heads.look(upload)
        finally:
            self._looks.release()
        asked.looked = head is not None
        if head and head.format in message.formats:
            asked.format = head.format
            is_read = head.format in READ_BY_REKOGNITION and upload.size <= MAX_IMAGE_BYTES
            asked.is_rendered = head.has_unseen_frames or not is_read

    def _judge_frames(self, upload: Upload, message: ChunkMessage, until: float, asked: Asked) -> None:
        answer = self._render(upload, until, asked, most_frames=message.max_frames)
        description, jpeg = answer.description, answer.jpeg
        if description is None:
            raise CallFailedError(ImageError("RendererFailed", "the renderer did not describe the picture"))
        if description.format is not asked.format or len(description.judged) > message.max_frames:
            raise CallFailedError(ImageError("RendererFailed", "the renderer described something else than was asked"))
        judged = asked.so_far.judged if asked.so_far else ()
        for frame in description.judged:
            for background in frame.backgrounds:
                if (frame.number, background) in judged:
                    continue
                if (frame.number, background) != (0, Background.WHITE):  # which came with the description
                    jpeg = self._render(upload, until, asked, frame=frame.number, background=background).jpeg
                self._take_turn(until, asked)
                said = self.moderation.detect_rendition(jpeg, message.min_confidence, message.adapter)
                if isinstance(said, ImageError):
                    asked.answer = said
                    return
                asked.frames += 1
                asked.so_far = _with(asked.so_far, frame.number, background, said)
        assert asked.so_far is not None  # noqa: S101 - a description names a frame
        asked.answer, asked.rendition = dict(asked.so_far.answer), Rendition.of(description)

    def _render(self, upload: Upload, until: float, asked: Asked, **wanted: Any) -> RenderAnswer:
        """The renderer's answer.

        Raises:
            RefusedError: the picture is the reason that there is none.
            CallThrottledError, CallFailedError, OutOfTimeError: as for `attempt`.
        """
        asked.began = self.clock()
        if asked.began > until + ANSWER_SECONDS - RENDER_SECONDS:
            raise OutOfTimeError
        request = RenderRequest(self.uploads.url(upload), **wanted).to_document()
        body = self.renderer.ask(request, MOST_ANSWER_BYTES)
        try:
            return RenderAnswer.read(body)
        except RefusedError as error:
            if error.code.is_about_the_call:
                raise CallFailedError(_error(error)) from error
            raise
        except ValueError as error:
            raise CallFailedError(ImageError("RendererFailed", str(error))) from error

    def _enter(self, slots: Semaphore, until: float) -> None:
        if not slots.acquire(timeout=max(0.0, until - self.clock())):
            raise OutOfTimeError

    def _take_turn(self, until: float, asked: Asked) -> None:
        if not self.pace.take_turn(until):
            raise OutOfTimeError
        asked.began = self.clock()


def _with(so_far: SoFar | None, number: int, background: Background, answer: dict[str, Any]) -> SoFar:
    judged = so_far.judged if so_far else ()
    return SoFar(merge(so_far.answer, answer) if so_far else answer, (*judged, (number, background)))


def _error(refused: RefusedError) -> ImageError:
    code = SUPERSEDED if refused.code is RefusalCode.GONE else refused.code.value
    return ImageError(code, refused.message)
