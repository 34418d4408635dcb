"""Analysis of a chunk: have each image without a result analyzed, write the results, report.

The result file records progress. A chunk that is delivered again (a worker died, a message was duplicated, an execution
was redriven) continues where its file ends; a killed worker loses only the answers that it had not written, of one
chunk at most.

A chunk is done once each image has an answer or has failed often enough for this pass (`ImagePass.tries`), so an image
that keeps failing does not delay the others. Throttling does not count as a failure; it is retried without limit.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from math import inf

from gatehouse.aws.chunk_queue import ChunkQueue
from gatehouse.aws.image_moderation import CallFailedError, CallThrottledError
from gatehouse.aws.task_tokens import TaskTokens
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.moderation.analysis import ImageError, answer_line, error_line, so_far_line
from gatehouse.moderation.chunk import CHUNK_FAILED, Chunk, ChunkImage, ChunkLine, ChunkMessage
from lambdas.analyzer.image_analysis import ANSWER_SECONDS, Asked, ImageAnalysis, OutOfTimeError

#: Calls in flight. AWS publishes no latency; at 6 seconds each, this many keep up with 25 calls per second.
PARALLEL_CALLS = 150

#: Seconds reserved at the end of a run for the last answers and for writing the results.
CLOSING_SECONDS = ANSWER_SECONDS + 15

#: Deliveries of a message after which its chunk is given up. Each ended in a crash, in an error in our code, or for
#: lack of concurrency (for which Lambda's guide recommends five or more deliveries, services-sqs-configure.html).
MAX_DELIVERIES = 10

#: A call that takes this many seconds to fail uses up all tries of its pass, because it blocks a worker.
SLOW_SECONDS = 10

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 20.0


class ChunkOutcome(Enum):
    """The outcome of a chunk's message, which is deleted in every case."""

    ANALYZED = "analyzed"
    PUT_BACK = "put back"  # out of time: a new message has the rest
    GIVEN_UP = "given up"
    NOT_AWAITED = "not awaited"  # the workflow no longer waits; results so far are kept


@dataclass(frozen=True, slots=True)
class ChunkRun:
    """The result of one run.

    Attributes:
        analyzed: images that got an answer in this run.
        rendered: those of them that were judged by renditions.
        frames: answers about renditions in this run, each of which is paid for.
        refused: images that Rekognition or the renderer rejected in this run.
        straggling: images whose every call failed; they are left for the next pass.
        known: images with a result from an earlier run.
        throttled: calls over the account's rate.
        failed: calls that failed for another reason that is not the image.
    """

    chunk: Chunk
    outcome: ChunkOutcome
    analyzed: int = 0
    rendered: int = 0
    frames: int = 0
    refused: int = 0
    straggling: int = 0
    known: int = 0
    throttled: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class ChunkAnalysis:
    """Analyzes chunks.

    Attributes:
        clock: seconds, monotonic; the same as that of `images`.
        pause: waits the given number of seconds.
    """

    work: WorkBucket
    tokens: TaskTokens
    queue: ChunkQueue
    images: ImageAnalysis
    clock: Callable[[], float]
    pause: Callable[[float], None]

    def analyze(self, body: str, deliveries: int, until: float) -> ChunkRun:
        """Analyze the chunk of a message.

        Args:
            body: of the message.
            deliveries: how often the message was received, this time included.
            until: when to stop making calls, by the clock. A new message then continues with the other images.

        Raises:
            ChunkMessageError: the message is not the workflow's.
            ClientError: a call to S3, SQS or Step Functions failed; deliver the message again.
        """
        message = ChunkMessage.parse(body)
        if deliveries > MAX_DELIVERIES:
            cause = f"{MAX_DELIVERIES} runs of the Analyzer ended without a result; its log says why"
            is_awaited = self.tokens.fail(message.token, CHUNK_FAILED, cause)
            return ChunkRun(message.chunk, ChunkOutcome.GIVEN_UP if is_awaited else ChunkOutcome.NOT_AWAITED)
        if not self.tokens.is_awaited(message.token):
            return ChunkRun(message.chunk, ChunkOutcome.NOT_AWAITED)
        images = self.work.read_images(message.chunk)
        known = self.work.read_chunk_lines(message.chunk)
        tries = message.chunk.image_pass.tries
        open_images = [image for image in images if not _is_settled(known.get(image.n), tries)]
        asked, trouble = self._ask(open_images, known, message, until)
        lines = {
            image.n: line
            for image, one in zip(open_images, asked, strict=True)
            if (line := _line(image, one)) is not None
        }
        found = self._keep(message.chunk, images, known, lines)
        if trouble is not None:
            raise trouble  # the results that were paid for are written
        refused = sum(isinstance(one.answer, ImageError) for one in asked)
        return ChunkRun(
            message.chunk,
            outcome=self._report(message, is_done=all(_is_settled(found.get(image.n), tries) for image in images)),
            analyzed=sum(one.answer is not None for one in asked) - refused,
            rendered=sum(one.rendition is not None for one in asked),
            frames=sum(one.frames for one in asked),
            refused=refused,
            straggling=sum(one.answer is None and one.failed_calls >= tries for one in asked),
            known=len(images) - len(open_images),
            throttled=sum(one.throttled for one in asked),
            failed=sum(one.failed for one in asked),
        )

    def _keep(
        self,
        chunk: Chunk,
        images: Sequence[ChunkImage],
        known: Mapping[int, ChunkLine],
        lines: Mapping[int, ChunkLine],
    ) -> Mapping[int, ChunkLine]:
        """Write the chunk's result file. Returns its lines."""
        found: Mapping[int, ChunkLine] = {**known, **lines}
        if lines:
            if not all(_is_answer(found.get(image.n)) for image in images):
                # A duplicate of the message may have let another worker write results in the meantime.
                found = _furthest(self.work.read_chunk_lines(chunk), found)
            self.work.write_results(chunk, [line.text for line in found.values()])
        return found

    def _report(self, message: ChunkMessage, *, is_done: bool) -> ChunkOutcome:
        if is_done:
            is_awaited = self.tokens.succeed(message.token, {"first": message.chunk.first})
            return ChunkOutcome.ANALYZED if is_awaited else ChunkOutcome.NOT_AWAITED
        if not self.tokens.is_awaited(message.token):
            return ChunkOutcome.NOT_AWAITED
        self.queue.put_back(message.to_body())
        return ChunkOutcome.PUT_BACK

    def _ask(
        self, images: Sequence[ChunkImage], known: Mapping[int, ChunkLine], message: ChunkMessage, until: float
    ) -> tuple[list[Asked], BaseException | None]:
        """Call Rekognition for all images in parallel; an unexpected error with one does not discard the others."""
        if not images:
            return [], None
        with ThreadPoolExecutor(min(PARALLEL_CALLS, len(images))) as threads:
            futures = [
                threads.submit(self._ask_about, image, _asked_before(known.get(image.n)), message, until)
                for image in images
            ]
        trouble = next((error for future in futures if (error := future.exception())), None)
        return [Asked() if future.exception() else future.result() for future in futures], trouble

    def _ask_about(self, image: ChunkImage, asked: Asked, message: ChunkMessage, until: float) -> Asked:
        tries = message.chunk.image_pass.tries
        while True:
            try:
                self.images.attempt(image.upload, message, until, asked)
                return asked
            except OutOfTimeError:
                return asked
            except CallThrottledError:
                asked.throttled += 1
            except CallFailedError as error:
                asked.failed += 1
                asked.failure = error.error
                asked.failed_calls += tries if self.clock() - asked.began >= SLOW_SECONDS else 1
                if asked.failed_calls >= tries:
                    return asked
            # Full jitter: images that were throttled together are not retried together.
            longest = min(_FIRST_PAUSE * 2 ** (asked.failed + asked.throttled), _LONGEST_PAUSE)
            self.pause(random.uniform(0, min(longest, max(0.0, until - self.clock()))))  # noqa: S311 - no secret


def _line(image: ChunkImage, asked: Asked) -> ChunkLine | None:
    """The image's line of the result file; None if nothing is known of it yet."""
    source, n, so_far = image.upload.object, image.n, asked.so_far
    if isinstance(asked.answer, ImageError):
        return ChunkLine(error_line(source, n, asked.answer))
    if asked.answer is not None:
        return ChunkLine(answer_line(source, n, asked.answer, asked.rendition))
    if asked.failure is not None:
        line = error_line(source, n, asked.failure, asked.failed_calls, so_far)
        return ChunkLine(line, asked.failed_calls, so_far)
    return ChunkLine(so_far_line(source, n, so_far), 0, so_far) if so_far else None


def _is_settled(line: ChunkLine | None, tries: int) -> bool:
    """Whether an image is done for this pass: it has an answer, or failed often enough."""
    return line is not None and (line.is_answer or line.failed_calls >= tries)


def _is_answer(line: ChunkLine | None) -> bool:
    return line is not None and line.is_answer


def _progress(line: ChunkLine | None) -> tuple[float, int]:
    """An image's progress: what is paid for, an answer before some frames, counts more than failed calls."""
    if line is None:
        return 0, 0
    return (inf if line.is_answer else len(line.so_far.judged) if line.so_far else 0), line.failed_calls


def _furthest(theirs: Mapping[int, ChunkLine], ours: Mapping[int, ChunkLine]) -> Mapping[int, ChunkLine]:
    """Merge the lines of two workers: for each image, the one with more progress."""
    return {**ours, **{n: line for n, line in theirs.items() if _progress(line) > _progress(ours.get(n))}}


def _asked_before(line: ChunkLine | None) -> Asked:
    """An image that earlier runs know something of, or nothing."""
    return Asked(so_far=line.so_far, failed_calls=line.failed_calls) if line else Asked()
