"""What the Analyzer asks about one image: the file, or renditions of it, each frame once and each call in its turn."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Semaphore
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.response import StreamingBody
from PIL import Image

from gatehouse.aws.image_moderation import CallFailedError, CallThrottledError, ImageModeration
from gatehouse.aws.presigned_uploads import URL_SECONDS, PresignedUploads
from gatehouse.aws.renderer_function import RendererFunction
from gatehouse.aws.upload_head import UploadHeads
from gatehouse.contracts.render_call import MOST_ANSWER_BYTES, RenderAnswer, RenderRequest, refusal_document
from gatehouse.moderation.analysis import ImageError, SoFar
from gatehouse.moderation.chunk import Chunk, ChunkMessage
from gatehouse.moderation.image_format import DEFAULT_FORMATS, ImageFormat, format_of
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.rendition import Background, Description, JudgedFrame, RefusalCode, RefusedError, Rendition
from gatehouse.moderation.upload import MAX_IMAGE_BYTES, Upload
from lambdas.analyzer.image_analysis import ANSWER_SECONDS, RENDER_SECONDS, Asked, ImageAnalysis, OutOfTimeError
from lambdas.analyzer.pace import Pace
from lambdas.renderer.decoder import Decoder
from lambdas.renderer.presigned_object import PresignedObject
from lambdas.renderer.rendering import Rendering
from tests.benchmarks import cost
from tests.unit.aws_calls import an_error
from tests.unit.builders import an_answer, an_upload
from tests.unit.clock import Clock
from tests.unit.conftest import UPLOADS, Storage
from tests.unit.lambdas.drawn_pictures import animated as animated_file
from tests.unit.lambdas.drawn_pictures import drawn, frames, heic, written
from tests.unit.pngs import animated, png

DETECT, INVOKE = "DetectModerationLabels", "Invoke"
JPEG = b"\xff\xd8\xff"
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 "
REFUSED_FORMAT = an_error("InvalidImageFormatException", "Request has invalid image format")
WHITE, BLACK = Background.WHITE, Background.BLACK


def described(
    *judged: JudgedFrame, frames: int | None = None, image_format: ImageFormat = ImageFormat.WEBP
) -> RenderAnswer:
    """A description of a WebP, with its first frame."""
    most = frames or len(judged)
    return RenderAnswer(JPEG + b"0 white", Description(image_format, 90, 120, 6, most, most, judged))


@dataclass
class Studio:
    """An image in S3, a renderer and a Rekognition.

    Attributes:
        description: what the renderer says of the picture; or its refusal, or the body of an error.
        said: rendition -> what Rekognition says of it; else nothing found.
        stored: what Rekognition says of the file.
        shown: the renditions that Rekognition was shown, in order.
        moments: when Rekognition was called.
        requests: what the renderer was asked.
    """

    storage: Storage
    body: bytes = WEBP
    clock: Clock = field(default_factory=Clock)
    description: RenderAnswer | RefusedError | dict[str, Any] = field(default_factory=lambda: described(JudgedFrame(0)))
    said: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    stored: dict[str, Any] = field(default_factory=an_answer)
    shown: list[str] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    requests: list[RenderRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.storage.calls.answer_always(DETECT, self._detect)
        self.storage.calls.answer_always(INVOKE, self._invoke)
        config = Config(retries={"total_max_attempts": 1}, signature_version="s3v4")
        rekognition, functions = boto3.client("rekognition", config=config), boto3.client("lambda", config=config)
        s3 = boto3.client("s3", config=config)
        self.storage.calls.watch(rekognition, functions, s3)
        self.analysis = ImageAnalysis(
            moderation=ImageModeration(rekognition),
            heads=UploadHeads(s3),
            uploads=PresignedUploads(s3),
            renderer=RendererFunction(functions, "renderer"),
            pace=Pace(2.0, self.clock.monotonic, self.clock.sleep),
            clock=self.clock.monotonic,
            renderings=Semaphore(4),
        )

    def upload(self) -> Upload:
        """The image, as a user stores it."""
        self.storage.s3.put_object(Bucket=UPLOADS, Key="photo", Body=self.body)
        self.storage.calls.made.clear()
        return an_upload("photo", bucket=UPLOADS, size=len(self.body), version_id=None)

    def ask(
        self, asked: Asked | None = None, seconds: float = 1000.0, formats: Sequence[ImageFormat] = DEFAULT_FORMATS
    ) -> Asked:
        """One attempt."""
        asked = asked or Asked()
        chunk = Chunk("batch-1", ImagePass.FIRST, 0, 100)
        message = ChunkMessage("token", chunk, 30.0, None, frozenset(formats), max_frames=8)
        self.analysis.attempt(self.upload(), message, self.clock.monotonic() + seconds, asked)
        return asked

    def _detect(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self.moments.append(self.clock.monotonic())
        image = json.loads(request["body"])["Image"]
        if "S3Object" in image:
            self.shown.append("file")
            return dict(self.stored)
        shown = base64.b64decode(image["Bytes"]).removeprefix(JPEG).decode()
        self.shown.append(shown)
        script = self.said.get(shown, [an_answer()])
        return dict(script.pop(0) if len(script) > 1 else script[0])

    def _invoke(self, request: Mapping[str, Any]) -> dict[str, Any]:
        asked = RenderRequest.parse(json.loads(request["body"]))
        self.requests.append(asked)
        if isinstance(self.description, dict):
            return dict(self.description)
        if isinstance(self.description, RefusedError):
            document: Any = refusal_document(self.description)
        elif asked.frame is None:
            document = self.description.to_document()
        else:
            document = RenderAnswer(JPEG + f"{asked.frame} {asked.background}".encode()).to_document()
        return payload(json.dumps(document).encode())


def payload(body: bytes, **more: str) -> dict[str, Any]:
    """An answer of Invoke."""
    return {"StatusCode": 200, "Payload": StreamingBody(io.BytesIO(body), len(body)), **more}


@pytest.fixture
def studio(storage: Storage) -> Studio:
    return Studio(storage)


@pytest.mark.parametrize("body", [b"\xff\xd8\xff\xe0", png(), b"no picture", b""])
def test_what_rekognition_may_read_is_not_rendered(studio: Studio, body: bytes) -> None:
    studio.body = body

    asked = studio.ask()

    assert (asked.rendition, studio.shown) == (None, ["file"])
    assert isinstance(asked.answer, dict)
    assert studio.storage.calls.made["GetObject"] == 1
    assert not studio.requests


def test_a_file_that_is_too_large_for_rekognition_is_rendered_without_asking_it(studio: Studio) -> None:
    studio.body = JPEG + bytes(MAX_IMAGE_BYTES)
    studio.description = described(JudgedFrame(0), image_format=ImageFormat.JPEG)

    studio.ask()

    assert studio.shown == ["0 white"]


def test_a_still_picture_takes_one_call_of_the_renderer_and_one_of_rekognition(studio: Studio) -> None:
    asked = studio.ask()

    assert (asked.frames, studio.shown) == (1, ["0 white"])
    assert isinstance(asked.answer, dict)
    assert asked.rendition == Rendition(ImageFormat.WEBP, 90, 120, 6, frames=1, judged=1)
    assert len(studio.requests) == 1


def test_the_renderer_is_given_a_url_for_one_version_and_a_short_time(studio: Studio) -> None:
    studio.storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    version = studio.storage.s3.put_object(Bucket=UPLOADS, Key="photo", Body=WEBP)["VersionId"]
    upload = an_upload("photo", bucket=UPLOADS, version_id=version)

    query = parse_qs(urlsplit(studio.analysis.uploads.url(upload)).query)

    assert (query["versionId"], query["X-Amz-Expires"]) == ([version], [str(URL_SECONDS)])


@pytest.mark.parametrize("body", [animated(), JPEG])
def test_animations_and_what_rekognition_refuses_is_rendered(studio: Studio, body: bytes) -> None:
    studio.body, studio.stored = body, REFUSED_FORMAT
    image_format = format_of(body)
    assert image_format
    studio.description = described(JudgedFrame(0), image_format=image_format)

    studio.ask()

    assert studio.shown == (["0 white"] if body == animated() else ["file", "0 white"])


@pytest.mark.parametrize("body", [WEBP, JPEG, animated()])
def test_formats_that_a_lane_does_not_name_are_left_to_rekognition(studio: Studio, body: bytes) -> None:
    studio.body, studio.stored = body, REFUSED_FORMAT

    asked = studio.ask(formats=[ImageFormat.GIF])

    assert isinstance(asked.answer, ImageError)
    assert (asked.answer.code, studio.requests) == ("InvalidImageFormatException", [])


def test_each_frame_is_shown_over_each_background_in_its_turn(studio: Studio) -> None:
    studio.description = described(JudgedFrame(0), JudgedFrame(4, (WHITE, BLACK)), JudgedFrame(9), frames=12)
    studio.said = {"4 black": [an_answer({"Violence": 91.0})], "9 white": [an_answer({"Violence": 70.0})]}

    asked = studio.ask()

    assert studio.shown == ["0 white", "4 white", "4 black", "9 white"]
    assert [later - earlier for earlier, later in zip(studio.moments, studio.moments[1:], strict=False)] == [0.5] * 3
    assert isinstance(asked.answer, dict)
    assert [(label["Name"], label["Confidence"]) for label in asked.answer["ModerationLabels"]] == [("Violence", 91.0)]
    assert asked.rendition
    assert (asked.rendition.frames, asked.rendition.judged, asked.frames) == (12, 3, 4)


def test_no_frame_is_paid_twice_when_another_ones_call_fails(studio: Studio) -> None:
    studio.description = described(JudgedFrame(0), JudgedFrame(1), JudgedFrame(2))
    studio.said = {"1 white": [an_error("InternalServerError", "later", 500), an_answer()]}
    asked = Asked()

    with pytest.raises(CallFailedError):
        studio.ask(asked)
    studio.ask(asked)

    assert studio.shown == ["0 white", "1 white", "1 white", "2 white"]
    assert asked.frames == 3


def test_a_later_run_goes_on_where_the_file_ends(studio: Studio) -> None:
    studio.description = described(JudgedFrame(0), JudgedFrame(1))
    asked = Asked(so_far=SoFar(an_answer({"Violence": 91.0}), ((0, WHITE),)))

    studio.ask(asked)

    assert studio.shown == ["1 white"]
    assert isinstance(asked.answer, dict)
    assert asked.answer["ModerationLabels"]


@pytest.mark.parametrize("code", sorted(set(RefusalCode) - {RefusalCode.NOT_FETCHED, RefusalCode.BAD_REQUEST}))
def test_a_refusal_about_the_picture_is_its_answer(studio: Studio, code: RefusalCode) -> None:
    studio.description = RefusedError(code, "no")

    asked = studio.ask()

    assert asked.answer == ImageError("Superseded" if code is RefusalCode.GONE else code.value, "no")
    assert studio.shown == []


@pytest.mark.parametrize(
    "answer",
    [
        RefusedError(RefusalCode.NOT_FETCHED, "S3 answered 503"),
        RefusedError(RefusalCode.BAD_REQUEST, "no URL"),
        payload(b"{}"),
        payload(b"no JSON"),
        payload(json.dumps(RenderAnswer(JPEG).to_document()).encode()),
        payload(json.dumps(described(*(JudgedFrame(n) for n in range(9))).to_document()).encode()),
        payload(json.dumps(described(JudgedFrame(0), image_format=ImageFormat.GIF).to_document()).encode()),
        payload(b"[" + b"0," * 100_000 + b"0]"),
        payload(b'"' + bytes(MOST_ANSWER_BYTES) + b'"'),
        payload(b'{"errorMessage": "x"}', FunctionError="Unhandled"),
        an_error("ServiceException", "later", 500),
        an_error("ResourceNotFoundException", "no function", 404),
        an_error("AccessDeniedException", "no", 403),
    ],
)
def test_what_says_nothing_of_the_picture_is_a_failed_call(
    studio: Studio, answer: RefusedError | dict[str, Any]
) -> None:
    studio.description = answer

    with pytest.raises(CallFailedError):
        studio.ask()

    assert studio.shown == []


def test_a_renderer_without_room_is_asked_again(studio: Studio) -> None:
    studio.description = an_error("TooManyRequestsException", "Rate Exceeded", 429)

    with pytest.raises(CallThrottledError):
        studio.ask()


def test_an_image_is_not_looked_at_by_guess_while_s3_fails(studio: Studio) -> None:
    studio.storage.calls.answer_next("GetObject", an_error("InternalError", "later", 500), 500)

    with pytest.raises(CallFailedError):
        studio.ask()

    assert studio.shown == []


def test_a_file_whose_first_bytes_were_refused_once_is_not_unsupported_for_that(studio: Studio) -> None:
    studio.storage.calls.answer_next("GetObject", an_error("AccessDenied", "not yet", 403), 403)
    studio.stored, asked = REFUSED_FORMAT, Asked()

    with pytest.raises(CallFailedError) as raised:
        studio.ask(asked)
    studio.ask(asked)

    assert raised.value.error.code == RefusalCode.NOT_FETCHED
    assert (studio.shown, asked.frames) == (["file", "0 white"], 1)
    assert isinstance(asked.answer, dict)


def test_no_rendering_begins_that_might_outlast_the_run(studio: Studio) -> None:
    with pytest.raises(OutOfTimeError):
        studio.ask(seconds=RENDER_SECONDS - ANSWER_SECONDS - 1)

    assert studio.requests == []


def test_an_answer_that_is_none_is_no_answer(studio: Studio) -> None:
    studio.description = described(JudgedFrame(0), JudgedFrame(1))
    studio.said = {"1 white": [{"ModerationLabels": "many"}]}

    asked = studio.ask()

    assert isinstance(asked.answer, ImageError)
    assert asked.answer.code == "UnreadableResult"


def _files() -> Mapping[str, bytes]:
    """A file of each sort that the page of costs tells of."""
    still = {name: written(drawn(), name) for name in ("WEBP", "AVIF", "GIF", "TIFF", "BMP")} | {"HEIC": heic()}
    clear = Image.new("RGBA", (90, 90), (255, 255, 255, 0))
    return {
        **still,
        "plain": written(drawn(), "JPEG"),
        "small": written(drawn((40, 40)), "JPEG"),
        "clear": written(clear, "WEBP", lossless=True),
        "three": animated_file("GIF", frames(3)),
        "many": animated_file("GIF", frames(20)),
        "cut": still["WEBP"][:-40],
    }


@pytest.mark.parametrize("name", cost.file_cases())
def test_the_page_of_costs_counts_the_calls_that_are_made(studio: Studio, name: str) -> None:
    studio.body, case = _files()[name], cost.file_cases()[name]
    decoder = Decoder(heic=True)
    decoder.prepare()
    try:
        told = Rendering(PresignedObject(), decoder).decode(studio.body, RenderRequest("", most_frames=8))
        studio.description = RenderAnswer(JPEG + b"0 white", told.description)
    except RefusedError as refusal:
        studio.description = refusal
    if name == "small":
        studio.stored = an_error("InvalidParameterException", "Request has invalid parameters")

    asked = studio.ask(formats=tuple(ImageFormat))

    answers = len(studio.shown) - (name == "small")  # a refusal is not charged
    assert (len(studio.requests), answers) == (case.renderings, case.analyses)
    assert asked.frames == (0 if name == "plain" else case.analyses)
    assert 1 + len(studio.requests) == case.reads
    assert studio.storage.calls.made["GetObject"] == 1
