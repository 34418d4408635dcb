"""The renderer from event to answer: what it says, counts and logs."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from gatehouse.contracts.function_metrics import RendererMetric
from gatehouse.contracts.render_call import RenderAnswer, RenderRequest
from gatehouse.moderation.rendition import Background, RefusalCode, RefusedError
from lambdas.renderer import handler as renderer
from lambdas.renderer.presigned_object import PresignedObject
from tests.emitted_metrics import EMITTED
from tests.unit.emitted import dimensions_in, metrics_in
from tests.unit.lambda_context import a_context
from tests.unit.lambdas.drawn_pictures import drawn, heic, written

URL = "https://bucket.s3.us-east-1.amazonaws.com/secret-key.webp?X-Amz-Signature=abc"

Invoke = Callable[..., dict[str, Any]]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr(renderer.logger.registered_handler, "stream", stream)
    return stream


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Invokes the function where S3 has one object."""

    def run(body: bytes | RefusedError, event: object = None, *, heic_is_on: bool = False) -> dict[str, Any]:
        def fetch(_: PresignedObject, url: str) -> bytes:
            assert url == URL
            if isinstance(body, RefusedError):
                raise body
            return body

        monkeypatch.setenv("HEIC", "on" if heic_is_on else "off")
        monkeypatch.setattr(PresignedObject, "fetch", fetch)
        renderer._rendering.cache_clear()
        document = RenderRequest(URL).to_document() if event is None else event
        answer = renderer.handler(document, a_context())
        return dict(json.loads(json.dumps(answer)))

    return run


def counted(output: str) -> dict[str, float]:
    return {name: value for name, (value,) in metrics_in(output).items() if value}


def test_a_picture_is_described_with_its_first_frame(invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    answer = RenderAnswer.parse(invoke(written(drawn(), "WEBP")))

    assert answer.description is not None
    assert (answer.description.width, answer.jpeg[:3]) == (128, b"\xff\xd8\xff")
    output = capsys.readouterr().out
    assert counted(output) == {RendererMetric.PICTURES_DESCRIBED: 1, RendererMetric.FRAMES_RENDERED: 1}
    assert set(metrics_in(output)) == EMITTED["renderer"].names
    assert dimensions_in(output) == {EMITTED["renderer"].dimensions}


def test_a_frame_is_rendered(invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    event = RenderRequest(URL, 0, Background.BLACK).to_document()

    assert RenderAnswer.parse(invoke(written(drawn(), "WEBP"), event)).description is None
    assert counted(capsys.readouterr().out) == {RendererMetric.FRAMES_RENDERED: 1}


@pytest.mark.parametrize(
    ("body", "code", "counts"),
    [
        (b"nonsense", RefusalCode.UNSUPPORTED_FORMAT, {RendererMetric.PICTURES_REFUSED: 1}),
        (b"", RefusalCode.UNREADABLE_IMAGE, {RendererMetric.PICTURES_REFUSED: 1}),
        (RefusedError(RefusalCode.GONE, ""), RefusalCode.GONE, {RendererMetric.PICTURES_REFUSED: 1}),
        (RefusedError(RefusalCode.NOT_FETCHED, ""), RefusalCode.NOT_FETCHED, {RendererMetric.CALLS_REFUSED: 1}),
        *(
            (RefusedError(code, ""), code, {RendererMetric.PICTURES_REFUSED: 1, RendererMetric.DECODERS_STOPPED: 1})
            for code in (RefusalCode.DECODE_TIMEOUT, RefusalCode.DECODER_CRASHED, RefusalCode.TOO_MUCH_MEMORY)
        ),
    ],
)
def test_a_refusal_is_an_answer(
    invoke: Invoke,
    capsys: pytest.CaptureFixture[str],
    body: bytes | RefusedError,
    code: RefusalCode,
    counts: dict[str, float],
) -> None:
    answer = invoke(body)

    assert set(answer) == {"refusal"}
    assert answer["refusal"]["code"] == code
    assert counted(capsys.readouterr().out) == counts


@pytest.mark.parametrize("event", [{}, [], "x", {"url": 7}, {"url": URL, "frame": "first"}], ids=str)
def test_what_is_no_request_is_an_answer_too(invoke: Invoke, capsys: pytest.CaptureFixture[str], event: object) -> None:
    assert invoke(b"", event)["refusal"]["code"] == RefusalCode.BAD_REQUEST
    assert counted(capsys.readouterr().out) == {RendererMetric.CALLS_REFUSED: 1}


def test_heic_is_decoded_only_if_it_is_turned_on(invoke: Invoke) -> None:
    assert invoke(heic())["refusal"]["code"] == RefusalCode.UNSUPPORTED_FORMAT
    assert "description" in invoke(heic(), heic_is_on=True)


def test_the_log_tells_codes_and_neither_urls_nor_keys(
    invoke: Invoke, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    invoke(b"nonsense")
    invoke(written(drawn(), "PNG"))

    assert '"UnsupportedFormat"' in log.getvalue()
    for told in (log.getvalue(), capsys.readouterr().out):
        assert "secret-key" not in told
        assert "Signature" not in told
