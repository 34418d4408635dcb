"""Analysis of a chunk: ask about each image that nobody has asked about yet, write the answers down, report.

The result file is the memory. A chunk that comes again (a worker died, a message came twice, an execution was
redriven) goes on where its file ends; so a killed worker costs the answers it had not written yet, of one chunk
at most.

A chunk is done once each image has an answer or has failed often enough for this pass (`ImagePass.tries`): what only
fails holds up no image beside it. Throttling is no failure, and is waited for as long as it takes.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import Any

from gatehouse.aws.chunk_queue import ChunkQueue
from gatehouse.aws.image_moderation import CallFailedError, CallThrottledError, ImageModeration
from gatehouse.aws.task_tokens import TaskTokens
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.moderation.analysis import ImageError, answer_line, error_line
from gatehouse.moderation.chunk import CHUNK_FAILED, Chunk, ChunkImage, ChunkLine, ChunkMessage
from lambdas.analyzer.pace import Pace

#: Calls in flight. AWS publishes no latency; at 6 seconds this many keep up with 5 calls a second.
PARALLEL_CALLS = 32

#: Seconds that Rekognition is given for one answer. Planning figures in AWS's own guidance are 5 to 15.
ANSWER_SECONDS = 20

#: Seconds at the end of a run for the last answers and for writing everything down.
CLOSING_SECONDS = ANSWER_SECONDS + 15

#: Deliveries of a message after which its chunk is given up. Each ended in a crash, in an error of ours, or in want of
#: concurrency in the account (Lambda's guide asks for five or more for that, services-sqs-configure.html).
MAX_DELIVERIES = 10

#: A call that fails only after so many seconds is worth all tries of its pass: it keeps a worker from other images.
SLOW_SECONDS = 10

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 20.0


class ChunkOutcome(Enum):
    """What became of a chunk's message. In every case the message is done with."""

    ANALYZED = "analyzed"
    PUT_BACK = "put back"  # out of time: the rest under a new message
    GIVEN_UP = "given up"
    NOT_AWAITED = "not awaited"  # the workflow has stopped waiting; what was analyzed is kept


@dataclass(frozen=True, slots=True)
class ChunkRun:
    """What one run did.

    Attributes:
        analyzed: images that Rekognition answered for, in this run.
        refused: images that it has an error for, in this run.
        straggling: images that only failed calls came back for, and that are left for the next pass.
        known: images that an earlier run had a line for.
        throttled: calls that were refused because the account's rate was used up.
        failed: calls that failed for another reason that is not the image's.
    """

    chunk: Chunk
    outcome: ChunkOutcome
    analyzed: int = 0
    refused: int = 0
    straggling: int = 0
    known: int = 0
    throttled: int = 0
    failed: int = 0


@dataclass(slots=True)
class _Asked:
    """What came of asking about an image.

    Attributes:
        answer: Rekognition's, or its error about the image, or None if there is none yet.
        failure: of the last call that failed for a reason that is not the image's.
        failed_calls: that the image is charged with, those of earlier runs included.
        throttled: calls of this run.
        failed: calls of this run.
    """

    answer: dict[str, Any] | ImageError | None = None
    failure: ImageError | None = None
    failed_calls: int = 0
    throttled: int = 0
    failed: int = 0

    def line(self, image: ChunkImage) -> ChunkLine | None:
        """The image's line of the result file; None if there is nothing to say of it yet."""
        source, n = image.upload.object, image.n
        if isinstance(self.answer, ImageError):
            return ChunkLine(error_line(source, n, self.answer))
        if self.answer is not None:
            return ChunkLine(answer_line(source, n, self.answer))
        if self.failure is not None:
            return ChunkLine(error_line(source, n, self.failure, self.failed_calls), self.failed_calls)
        return None


@dataclass(frozen=True, slots=True)
class ChunkAnalysis:
    """Analyzes chunks.

    Attributes:
        clock: seconds, monotonic; the same as the pace's.
        pause: waits the given number of seconds.
    """

    work: WorkBucket
    tokens: TaskTokens
    queue: ChunkQueue
    moderation: ImageModeration
    pace: Pace
    clock: Callable[[], float]
    pause: Callable[[float], None]

    def analyze(self, body: str, deliveries: int, until: float) -> ChunkRun:
        """Analyze the chunk of a message.

        Args:
            body: of the message.
            deliveries: how often the message was received, this time included.
            until: when to make no more calls, by the clock. What is not answered then goes on under a new message.

        Raises:
            ChunkMessageError: the message is not the workflow's.
            ClientError: S3, SQS or Step Functions did not answer; deliver the message again.
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
            if (line := one.line(image)) is not None
        }
        found = self._keep(message.chunk, images, known, lines)
        if trouble is not None:
            raise trouble  # what was paid is written down
        refused = sum(isinstance(one.answer, ImageError) for one in asked)
        return ChunkRun(
            message.chunk,
            outcome=self._report(message, is_done=all(_is_settled(found.get(image.n), tries) for image in images)),
            analyzed=sum(one.answer is not None for one in asked) - refused,
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
        """Write the chunk's result file. Returns what it says now."""
        found: Mapping[int, ChunkLine] = {**known, **lines}
        if lines:
            if not all(_is_answer(found.get(image.n)) for image in images):
                # A twin of the message may have brought another worker further meanwhile.
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
    ) -> tuple[list[_Asked], BaseException | None]:
        """Ask about all images at once; if something unforeseen happens with one, the others count all the same."""
        if not images:
            return [], None
        with ThreadPoolExecutor(min(PARALLEL_CALLS, len(images))) as threads:
            futures = [
                threads.submit(self._ask_about, image, _failed_calls(known.get(image.n)), message, until)
                for image in images
            ]
        trouble = next((error for future in futures if (error := future.exception())), None)
        return [_Asked() if future.exception() else future.result() for future in futures], trouble

    def _ask_about(self, image: ChunkImage, failed_calls: int, message: ChunkMessage, until: float) -> _Asked:
        asked, tries = _Asked(failed_calls=failed_calls), message.chunk.image_pass.tries
        while self.pace.take_turn(until):
            began = self.clock()
            try:
                asked.answer = self.moderation.detect(image.upload, message.min_confidence, message.adapter)
                return asked
            except CallThrottledError:
                asked.throttled += 1
            except CallFailedError as error:
                asked.failed += 1
                asked.failure = error.error
                asked.failed_calls += tries if self.clock() - began >= SLOW_SECONDS else 1
                if asked.failed_calls >= tries:
                    return asked
            # Full jitter: images that were refused together do not come back together.
            longest = min(_FIRST_PAUSE * 2 ** (asked.failed + asked.throttled), _LONGEST_PAUSE)
            self.pause(random.uniform(0, min(longest, max(0.0, until - self.clock()))))  # noqa: S311 - no secret
        return asked


def _is_settled(line: ChunkLine | None, tries: int) -> bool:
    """Whether an image is not asked about any more in this pass: it has an answer, or failed often enough."""
    return _progress(line) >= tries


def _is_answer(line: ChunkLine | None) -> bool:
    return _progress(line) == inf


def _progress(line: ChunkLine | None) -> float:
    """How far an image has come: an answer, which is paid, counts more than any number of failed calls."""
    if line is None:
        return 0
    return line.failed_calls or inf


def _furthest(theirs: Mapping[int, ChunkLine], ours: Mapping[int, ChunkLine]) -> Mapping[int, ChunkLine]:
    """Of the lines of two workers, for each image the one that has come further."""
    return {**ours, **{n: line for n, line in theirs.items() if _progress(line) > _progress(ours.get(n))}}


def _failed_calls(line: ChunkLine | None) -> int:
    return line.failed_calls if line else 0
