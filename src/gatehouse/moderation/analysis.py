"""An analysis: what Rekognition answered for one image, read from a result line of either engine."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from sys import intern
from typing import Any

from gatehouse.moderation.document import MISSHAPEN, is_confidence, is_text, shown, whole
from gatehouse.moderation.rendition import Background, Rendition

#: No answer of Rekognition's comes near these: all 52 labels, 50 content types and the longest key take some 20 KB. The
#: bounds keep 100 verdicts within DynamoDB's 4 MB transaction and a flag within SNS's 256 KB.
MAX_LINE_BYTES = 32 * 1024
MAX_ENTRIES = 128

#: Levels of the taxonomy.
LEVELS = (1, 2, 3)

#: Rekognition answers in single precision, so more decimals say nothing; and DynamoDB has no numbers below 1e-130.
CONFIDENCE_DECIMALS = 6


class ResultLineError(ValueError):
    """A result line that can't be trusted. The upload it speaks of has no analysis, and so no approval.

    Attributes:
        source: the image's `s3://bucket/key`, or None if the line does not even say that.
    """

    def __init__(self, message: str, source: str | None = None) -> None:
        super().__init__(message)
        self.source = source


@dataclass(frozen=True, slots=True)
class Label:
    """A moderation label. `parent` is `""` at level 1; `level` is 1-3, or None where the answer does not say."""

    name: str
    parent: str
    confidence: float
    level: int | None = None


@dataclass(frozen=True, slots=True)
class ContentType:
    """A kind of image, such as Animated or Illustrated (names are free text), with a confidence of 0-100."""

    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Analysis:
    """Rekognition's answer for one image; an empty `labels` is its way of saying "nothing found".

    `adapter` is the project version the answer names. It is None when the base model answered, which also happens
    when an adapter was asked for but has expired (Developer Guide, managing-adapters.html).

    Attributes:
        rendition: what Rekognition was shown in the file's place; None if it was shown the file.
    """

    labels: tuple[Label, ...] = ()
    content_types: tuple[ContentType, ...] = ()
    model_version: str | None = None
    adapter: str | None = None
    rendition: Rendition | None = None


@dataclass(frozen=True, slots=True)
class ImageError:
    """Why an image has no analysis: the service's name for it, and a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SoFar:
    """What Rekognition said of some frames of an image, while others are still to be judged.

    Attributes:
        answer: their merged answer (`merging.merge`), of DetectModerationLabels' shape.
        judged: each frame's number, and what it was shown over.
    """

    answer: Mapping[str, Any]
    judged: tuple[tuple[int, Background], ...]


@dataclass(frozen=True, slots=True)
class ResultLine:
    """One line of a result file.

    Attributes:
        source: the image's `s3://bucket/key`.
        analysis: None if the line carries none.
        n: the upload's number in its batch. Only our image engine writes it: it can analyze several versions of one
            object, which a source alone does not tell apart.
        error: why there is no analysis. Only our image engine writes it; bulk reports errors in its summary.
        failed_calls: how often the image was asked about, where `error` is of the last call and not about the image;
            0 where the line is an answer.
        so_far: what is known of some of the image's frames, where the line is no answer yet.
    """

    source: str
    analysis: Analysis | None
    n: int | None = None
    error: ImageError | None = None
    failed_calls: int = 0
    so_far: SoFar | None = None


#: Characters kept of an error, so that its line stays below `MAX_LINE_BYTES`.
_MAX_WORDS = 1024

#: What a result line keeps of a DetectModerationLabels response (Rekognition API reference).
_ANSWER_MEMBERS = ("ModerationLabels", "ModerationModelVersion", "ContentTypes", "ProjectVersion")


def answer_line(source: str, n: int, response: Mapping[str, Any], rendition: Rendition | None = None) -> str:
    """The result line of an image that was analyzed, without a line end.

    Args:
        rendition: what Rekognition was shown in the image's place, if it was.
    """
    document = {"source-ref": source, "n": n, "detect-moderation-labels": _kept(response)}
    return _json(document | (rendition.to_documents() if rendition else {}))


def error_line(source: str, n: int, error: ImageError, failed_calls: int = 0, so_far: SoFar | None = None) -> str:
    """The result line of an image that has no analysis, without a line end.

    Args:
        failed_calls: that came back for the image, where the error is not about it and may pass; 0 where the error is
            the answer.
        so_far: what is known of some of its frames.
    """
    document: dict[str, Any] = {
        "source-ref": source,
        "n": n,
        "error": {"code": error.code[:_MAX_WORDS], "message": error.message[:_MAX_WORDS]},
    }
    document |= {"failed_calls": failed_calls} if failed_calls else {}
    return _json(document | (_so_far_document(so_far) if so_far else {}))


def so_far_line(source: str, n: int, so_far: SoFar) -> str:
    """The result line of an image of which some frames are still to be judged, without a line end."""
    return _json({"source-ref": source, "n": n, **_so_far_document(so_far)})


def _kept(response: Mapping[str, Any]) -> dict[str, Any]:
    return {name: response[name] for name in _ANSWER_MEMBERS if name in response}


def _so_far_document(so_far: SoFar) -> dict[str, Any]:
    judged = [[number, background.value] for number, background in so_far.judged]
    return {"so_far": {"answer": _kept(so_far.answer), "judged": judged}}


def parse_result_line(line: str | bytes) -> ResultLine:
    """Read `{"source-ref": ..., "detect-moderation-labels": {...}}`; our own lines have `n`, and may have `error`.

    The value under `detect-moderation-labels` is DetectModerationLabels' response (Developer Guide,
    bulk-analysis-output-manifests.html). A line without it is accepted: how a failed image looks is not documented.

    Raises:
        ResultLineError: not JSON, a member given twice, not of this shape, or a number or name that can't be what
            Rekognition said.
    """
    try:
        document = json.loads(line, object_pairs_hook=_members)
    except (ValueError, RecursionError) as error:
        raise ResultLineError(f"a result line is not JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("source-ref"), str):
        raise ResultLineError("a result line has no source-ref")
    source: str = document["source-ref"]
    if len(line) > MAX_LINE_BYTES:
        raise ResultLineError(f"a result line of {len(line)} bytes; at most {MAX_LINE_BYTES} are read", source)
    answer, n = document.get("detect-moderation-labels"), document.get("n")
    try:
        return ResultLine(
            source,
            None if answer is None else replace(parse_answer(answer), rendition=_rendition(document)),
            n if type(n) is int else None,
            _error(document.get("error")),
            _failed_calls(document),
            _so_far(document.get("so_far")),
        )
    except ResultLineError as error:
        raise ResultLineError(str(error), source) from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's members. JSON's readers keep the last of two silently; which of them was meant nobody can tell."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("an object has a member twice")
    return members


def parse_answer(answer: object) -> Analysis:
    """Read a DetectModerationLabels response.

    Raises:
        ResultLineError: the labels are missing or malformed. Missing labels never count as "no labels".
    """
    if not isinstance(answer, dict) or not isinstance(answer.get("ModerationLabels"), list):
        raise ResultLineError("an analysis has no ModerationLabels")
    labels, content_types = answer["ModerationLabels"], _optional_list(answer, "ContentTypes")
    if max(len(labels), len(content_types)) > MAX_ENTRIES:
        raise ResultLineError(f"an analysis of more than {MAX_ENTRIES} labels or content types")
    return Analysis(
        labels=tuple(_label(entry) for entry in labels),
        content_types=tuple(_content_type(entry) for entry in content_types),
        model_version=_optional_text(answer, "ModerationModelVersion"),
        adapter=_optional_text(answer, "ProjectVersion"),
    )


def _label(entry: object) -> Label:
    fields = _fields(entry)
    parent = fields.get("ParentName") or ""
    level = fields.get("TaxonomyLevel")
    if not is_text(parent):
        raise ResultLineError("a label has a ParentName that is not text")
    return Label(
        _name(fields), intern(parent), _confidence(fields), level if type(level) is int and level in LEVELS else None
    )


def _content_type(entry: object) -> ContentType:
    fields = _fields(entry)
    return ContentType(_name(fields), _confidence(fields))


def _fields(entry: object) -> Mapping[str, Any]:
    if not isinstance(entry, dict):
        raise ResultLineError("an entry of the analysis is not an object")
    return entry


def _name(fields: Mapping[str, Any]) -> str:
    """A name, which the labels of thousands of images share."""
    name = fields.get("Name")
    if not is_text(name) or not name:
        raise ResultLineError("an entry of the analysis has no Name")
    return intern(name)


def _confidence(fields: Mapping[str, Any]) -> float:
    value = fields.get("Confidence")
    if not is_confidence(value):
        raise ResultLineError(
            f"an entry of the analysis has a Confidence of {shown(value)}, not a number from 0 to 100"
        )
    return round(float(value), CONFIDENCE_DECIMALS)


def _optional_text(answer: Mapping[str, Any], key: str) -> str | None:
    value = answer.get(key)
    if value is not None and not is_text(value):
        raise ResultLineError(f"{key} is not text")
    return value or None


def _optional_list(answer: Mapping[str, Any], key: str) -> Sequence[object]:
    value = answer.get(key)
    if value is not None and not isinstance(value, list):
        raise ResultLineError(f"{key} is not a list")
    return value or ()


def _error(value: object) -> ImageError | None:
    if not isinstance(value, dict):
        return None
    code, message = value.get("code"), value.get("message")
    return ImageError(code, message) if isinstance(code, str) and isinstance(message, str) else None


def _rendition(document: Mapping[str, Any]) -> Rendition | None:
    if "frames" not in document and "rendition" not in document:
        return None
    try:
        return Rendition.from_documents(document)
    except MISSHAPEN as error:
        raise ResultLineError("a rendition can't be read") from error


def _so_far(document: Any) -> SoFar | None:
    if document is None:
        return None
    try:
        parse_answer(document["answer"])
        return SoFar(
            document["answer"], tuple((whole(number), Background(name)) for number, name in document["judged"])
        )
    except MISSHAPEN as error:
        raise ResultLineError("what is known so far can't be read") from error


def _failed_calls(document: Mapping[str, Any]) -> int:
    value = document.get("failed_calls", 0)
    if type(value) is not int or value < 0:
        raise ResultLineError(f"failed_calls of {shown(value)}, not a number of calls")
    return value


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))  # ASCII: JSON can escape what UTF-8 can't carry


def labels_document(analysis: Analysis) -> list[dict[str, Any]]:
    """The labels as flags and items carry them."""
    return [
        {"name": label.name, "parent": label.parent, "confidence": label.confidence, "level": label.level}
        for label in analysis.labels
    ]


def content_types_document(analysis: Analysis) -> list[dict[str, Any]]:
    """The content types as flags and items carry them."""
    return [{"name": entry.name, "confidence": entry.confidence} for entry in analysis.content_types]
