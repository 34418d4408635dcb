"""Answers of a renderer that was taken over, as the Analyzer reads them: a JPEG's beginning, a refusal, or an error."""

import base64
from random import Random
from typing import Any

from gatehouse.contracts.render_call import MOST_JPEG_BYTES, RenderAnswer
from gatehouse.moderation.rendition import MOST_FRAMES_JUDGED, RefusalCode, RefusedError, Rendition
from tests.fuzz.mutation import mutated_json
from tests.fuzz.parser import Case, Parser

_JPEG = base64.b64encode(b"\xff\xd8\xff\xe0 a rendition").decode()
_DESCRIPTION: dict[str, Any] = {
    "format": "GIF",
    "width": 90,
    "height": 120,
    "orientation": 6,
    "frames": 12,
    "distinct_frames": 9,
    "judged": [{"frame": 0, "backgrounds": ["white"]}, {"frame": 11, "backgrounds": ["white", "black"]}],
}
_DOCUMENTS: tuple[dict[str, Any], ...] = (
    {"jpeg": _JPEG},
    {"jpeg": _JPEG, "description": _DESCRIPTION},
    *({"refusal": {"code": code.value, "message": "no"}} for code in RefusalCode),
)
_WORDS: tuple[Any, ...] = (
    _JPEG,
    "jpeg",
    "description",
    "refusal",
    "judged",
    "white",
    "black",
    "GIF",
    0,
    1,
    8,
    9,
    2**63,
    -1,
    0.5,
    [],
    {},
)


def _draw(random: Random) -> Case:
    return mutated_json(random, random.choice(_DOCUMENTS), _WORDS)


def _check(case: Case) -> bool:
    try:
        answer = RenderAnswer.read(str(case).encode("utf-8", "surrogatepass"))
    except RefusedError as error:
        assert isinstance(error.code, RefusalCode)
        return True
    except ValueError:
        return False
    assert answer.jpeg.startswith(b"\xff\xd8\xff")
    assert len(answer.jpeg) <= MOST_JPEG_BYTES
    if answer.description:
        rendition = Rendition.of(answer.description)
        assert Rendition.from_documents(rendition.to_documents()) == rendition
        assert rendition.judged <= MOST_FRAMES_JUDGED
    return True


PARSERS = (Parser("render_call.RenderAnswer.read", _draw, _check, 4),)
