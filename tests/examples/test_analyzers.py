"""The analyzers in `examples/analyzers`, as the local cloud chooses them."""

import hashlib
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image as Picture

from localcloud.rekognition.analyzer_choice import VARIABLE, AnalyzerError, chosen_model
from localcloud.rekognition.errors import ErrorName, ServiceError
from localcloud.rekognition.findings import Finding, Findings
from localcloud.rekognition.images import Image, open_image
from localcloud.rekognition.moderation_model import ModerationModel
from tests.localcloud.rekognition import pictures
from tests.localcloud.rekognition.small_model.test_analyzer import stored

ONNX = {VARIABLE: "examples.analyzers.onnx_file:OnnxFile"}
needs_onnx = pytest.mark.skipif(
    importlib.util.find_spec("onnxruntime") is None, reason="there is no ONNX Runtime for this Python or machine"
)


def opened(body: bytes) -> Image:
    return open_image(body, 10**7)


def filled(color: tuple[int, int, int]) -> Image:
    return opened(stored(Picture.new("RGB", (120, 90), color)))


def field(number: int, value: int | bytes | str) -> bytes:
    """One field of a Protocol Buffers message; numbers and lengths are below 16,384."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    encoded = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(encoded)) + encoded


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])


def color_model(shape: Sequence[int]) -> bytes:
    """An ONNX file whose three outputs are the mean of red, green and blue, by onnx.proto's numbers of fields."""
    axes = (2, 3) if shape[1] == 3 else (1, 2)
    attribute = field(1, "axes") + b"".join(field(8, axis) for axis in axes) + field(20, 7)  # INTS
    keep = field(1, "keepdims") + field(3, 0) + field(20, 2)  # INT
    node = field(1, "in") + field(2, "out") + field(4, "ReduceMean") + field(5, attribute) + field(5, keep)

    def value(name: str, dimensions: Sequence[int]) -> bytes:
        sizes = b"".join(field(1, field(1, dimension)) for dimension in dimensions)
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, sizes)))  # FLOAT

    graph = field(1, node) + field(2, "colors") + field(11, value("in", shape)) + field(12, value("out", (1, 3)))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


def onnx_model(folder: Path, monkeypatch: pytest.MonkeyPatch, shape: Sequence[int], **described: object) -> None:
    (folder / "colors.onnx").write_bytes(color_model(shape))
    described = {"outputs": ["Weapons", "Illustrated", None], "scores": "probabilities", **described}
    (folder / "colors.json").write_text(json.dumps(described), "utf-8")
    monkeypatch.setenv("GATEHOUSE_ANALYZER_MODEL", str(folder / "colors.onnx"))


def test_a_file_is_known_by_its_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known, other = pictures.jpeg(200, 100), pictures.jpeg(100, 200)
    (tmp_path / "known.json").write_text(json.dumps({hashlib.sha256(known).hexdigest(): {"Weapons": 97.5}}), "utf-8")
    monkeypatch.setenv("GATEHOUSE_ANALYZER_LIST", str(tmp_path / "known.json"))

    model = chosen_model({VARIABLE: "examples.analyzers.known_files:KnownFiles"})

    assert model.analyze(opened(known)) == Findings((Finding("Weapons", 97.5),), model_version="known files 1")
    assert model.analyze(opened(other)) == Findings(model_version="known files 1")


def test_a_list_with_a_label_that_there_is_not_approves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = pictures.jpeg(200, 100)
    (tmp_path / "known.json").write_text(json.dumps({hashlib.sha256(known).hexdigest(): {"Guns": 97.5}}), "utf-8")
    monkeypatch.setenv("GATEHOUSE_ANALYZER_LIST", str(tmp_path / "known.json"))

    with pytest.raises(ServiceError, match="'Guns' is no label of the taxonomy") as error:
        chosen_model({VARIABLE: "examples.analyzers.known_files:KnownFiles"}).analyze(opened(known))

    assert error.value.name is ErrorName.INVALID_PARAMETER


@needs_onnx
@pytest.mark.parametrize("shape", [(1, 3, 32, 48), (1, 32, 48, 3)])
def test_an_onnx_file_sees_the_colors_of_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...]
) -> None:
    onnx_model(tmp_path, monkeypatch, shape)

    found = chosen_model(ONNX).analyze(filled((204, 51, 0)))

    assert [each.name for each in (*found.labels, *found.content_types)] == ["Weapons", "Illustrated"]
    assert [found.labels[0].confidence, found.content_types[0].confidence] == pytest.approx([80, 20], abs=0.001)


@needs_onnx
@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ({"scores": "softmax"}, (50.0465, 27.4661)),
        ({"scores": "sigmoid"}, (68.9974, 54.9834)),
        ({"mean": [0.3, 0.1, 0], "deviation": [1, 0.5, 1], "version": "mine 2"}, (50.0, 20.0)),
    ],
)
def test_scores_become_confidences_as_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, described: dict[str, object], expected: tuple[float, float]
) -> None:
    onnx_model(tmp_path, monkeypatch, (1, 3, 32, 48), **described)

    found = chosen_model(ONNX).analyze(filled((204, 51, 0)))

    weapons, illustrated = found.labels[0].confidence, found.content_types[0].confidence
    assert (weapons, illustrated) == pytest.approx(expected, abs=0.001)
    assert found.model_version == described.get("version", "colors.onnx")


@needs_onnx
@pytest.mark.parametrize(
    ("shape", "described", "message"),
    [
        ((1, 3, 32, 48), {"outputs": ["Guns", None, None]}, r"\['Guns'\] are neither labels of taxonomy 7.0"),
        ((1, 3, 32, 48), {"scores": "votes"}, "KeyError: 'votes'"),
        ((1, 1, 32, 48), {}, r"its input is \[1, 1, 32, 48\]"),
    ],
)
def test_a_description_that_cannot_be_meant_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], described: dict[str, object], message: str
) -> None:
    onnx_model(tmp_path, monkeypatch, shape, **described)

    with pytest.raises(AnalyzerError, match=message):
        chosen_model(ONNX)


@needs_onnx
def test_scores_that_are_no_probabilities_approve_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx_model(tmp_path, monkeypatch, (1, 3, 32, 48), mean=[0.9, 0.9, 0.9])
    model: ModerationModel = chosen_model(ONNX)

    with pytest.raises(ServiceError, match=r"the confidence of 'Weapons' is -89\.9"):
        model.analyze(filled((0, 0, 0)))
