"""The Analyzer and the renderer understand each other, and nothing else."""

import base64
import json
import tracemalloc
from typing import Any

import pytest

from gatehouse.contracts.render_call import (
    MOST_ANSWER_BYTES,
    MOST_JPEG_BYTES,
    RenderAnswer,
    RenderRequest,
    refusal_document,
)
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.rendition import Background, Description, JudgedFrame, RefusalCode, RefusedError

#: What a synchronous invocation may answer with (Lambda Developer Guide, quotas).
LAMBDA_RESPONSE_BYTES = 6 * 1024 * 1024

BOTH = (Background.WHITE, Background.BLACK)
JPEG = b"\xff\xd8\xff\xe0 and so on"
DESCRIPTION = Description(ImageFormat.WEBP, 90, 120, 6, 30, 12, (JudgedFrame(0), JudgedFrame(29, BOTH)))


@pytest.mark.parametrize(
    "request_",
    [RenderRequest("https://bucket"), RenderRequest("https://bucket", 0, Background.BLACK, 3)],
)
def test_a_request_arrives(request_: RenderRequest) -> None:
    assert RenderRequest.parse(json.loads(json.dumps(request_.to_document()))) == request_


def test_what_a_request_leaves_out_has_a_default() -> None:
    assert RenderRequest.parse({"url": "u"}) == RenderRequest("u", None, Background.WHITE, 8)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "url",
        {},
        {"url": None},
        {"url": "\ud800"},
        {"url": "x" * 10_000},
        {"url": "u", "frame": -1},
        {"url": "u", "frame": 1.5},
        {"url": "u", "frame": True},
        {"url": "u", "frame": "0"},
        {"url": "u", "background": "red"},
        {"url": "u", "background": []},
        {"url": "u", "most_frames": 0},
        {"url": "u", "most_frames": 101},
    ],
    ids=str,
)
def test_what_is_no_request_is_refused(document: Any) -> None:
    with pytest.raises(RefusedError) as refused:
        RenderRequest.parse(document)

    assert refused.value.code is RefusalCode.BAD_REQUEST


@pytest.mark.parametrize("answer", [RenderAnswer(JPEG), RenderAnswer(JPEG, DESCRIPTION)])
def test_an_answer_arrives(answer: RenderAnswer) -> None:
    assert RenderAnswer.parse(json.loads(json.dumps(answer.to_document()))) == answer


@pytest.mark.parametrize("code", RefusalCode)
def test_a_refusal_arrives(code: RefusalCode) -> None:
    document = json.loads(json.dumps(refusal_document(RefusedError(code, "why " * 1_000))))

    with pytest.raises(RefusedError) as refused:
        RenderAnswer.parse(document)

    assert (refused.value.code, refused.value.message[:8], len(refused.value.message)) == (code, "why why ", 200)


def test_the_largest_answer_fits_into_an_answer_of_lambdas() -> None:
    judged = tuple(JudgedFrame(10**6 + n, BOTH) for n in range(100))
    largest = Description(ImageFormat.WEBP, 10**9, 10**9, 8, 10**9, 10**9, judged)
    answer = RenderAnswer(b"\xff\xd8\xff".ljust(MOST_JPEG_BYTES, b"x"), largest)

    assert len(json.dumps(answer.to_document())) < LAMBDA_RESPONSE_BYTES - 500_000


@pytest.mark.parametrize("answer", [RenderAnswer(JPEG), RenderAnswer(JPEG, DESCRIPTION)])
def test_an_answer_is_read(answer: RenderAnswer) -> None:
    assert RenderAnswer.read(json.dumps(answer.to_document()).encode()) == answer


def test_the_largest_answer_is_read() -> None:
    judged = tuple(JudgedFrame(n, BOTH) for n in range(100))
    largest = Description(ImageFormat.WEBP, 10**9, 10**9, 8, 10**9, 10**9, judged)
    answer = RenderAnswer(b"\xff\xd8\xff".ljust(MOST_JPEG_BYTES, b"x"), largest)

    assert RenderAnswer.read(json.dumps(answer.to_document(), indent=4).encode()) == answer


@pytest.mark.parametrize(
    "payload",
    [
        b"[" + b"{}," * 1_900_000 + b"0]",
        b"[" * 3_000_000,
        b'{"":0}' * 1_000_000,
        "[".encode("utf-16") + ("0," * 500_000).encode("utf-16-le") + "0]".encode("utf-16-le"),
        b'"' + b"x" * 6_000_000 + b'"',
        b"9" * 6_000_000,
        b"9" * 5_000,
        b"no JSON",
        b"\xff",
        b"",
    ],
    ids=["objects", "nested", "joined", "utf-16", "a text", "a number", "a short number", "none", "no text", "nothing"],
)
def test_what_is_no_answer_takes_little_memory(payload: bytes) -> None:
    """Objects and lists take up to 100 times the memory that they take as JSON, and the Analyzer has 512 MB."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="renderer"):
            RenderAnswer.read(payload)
        assert tracemalloc.get_traced_memory()[1] < 3 * MOST_ANSWER_BYTES
    finally:
        tracemalloc.stop()


def changed(**members: Any) -> dict[str, Any]:
    document = RenderAnswer(JPEG, DESCRIPTION).to_document()
    return document | {"description": document["description"] | members}


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"jpeg": 1},
        {"jpeg": "*"},
        {"jpeg": base64.b64encode(b"no JPEG").decode()},
        {"jpeg": base64.b64encode(b"\xff\xd8\xff".ljust(MOST_JPEG_BYTES + 1, b"x")).decode()},
        {"refusal": {"code": "Unheard", "message": "of"}},
        {"refusal": {"code": "TooLarge"}},
        {"refusal": []},
        changed(format="SVG"),
        changed(width=0),
        changed(height=-1),
        changed(orientation=9),
        changed(frames=11),
        changed(distinct_frames=1),
        changed(judged=[]),
        changed(judged=[{"frame": 1, "backgrounds": ["white"]}]),
        changed(judged=[{"frame": 0, "backgrounds": []}]),
        changed(judged=[{"frame": 0, "backgrounds": ["black"]}]),
        changed(judged=[{"frame": 0, "backgrounds": ["white"]}] * 2),
        changed(judged=[{"frame": 0, "backgrounds": ["white"]}, {"frame": 30, "backgrounds": ["white"]}]),
    ],
    ids=lambda document: str(document)[:60],
)
def test_what_is_no_answer_is_an_error(document: Any) -> None:
    with pytest.raises(ValueError, match="not of the shape"):
        RenderAnswer.parse(document)
