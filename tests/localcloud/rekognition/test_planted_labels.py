import contextlib
import io
import json
import zlib
from typing import Any

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.policy.taxonomy import PARENTS
from localcloud.rekognition import jpeg, planted_labels, png
from localcloud.rekognition.findings import Finding, Findings
from localcloud.rekognition.images import MOST_BYTES_OF_AN_OBJECT, Image, open_image
from tests.localcloud.rekognition import pictures

SMOKING = {"ModerationLabels": [{"Name": "Smoking", "Confidence": 99.4}], "ContentTypes": []}
SMOKING_TEXT = f"moderation-labels/1 {json.dumps(SMOKING)}"
SMOKING_FOUND = Findings((Finding("Smoking", 99.4),))


def opened(body: bytes, metadata: dict[str, str] | None = None) -> Image:
    return open_image(body, MOST_BYTES_OF_AN_OBJECT, metadata)


def confidences() -> st.SearchStrategy[float]:
    return st.floats(0, 100) | st.integers(0, 100).map(float)


def entries(names: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    entry = st.builds(lambda name, confidence: {"Name": name, "Confidence": confidence}, names, confidences())
    return st.lists(entry, unique_by=lambda item: item["Name"], max_size=50)


names_of_types = st.text(st.characters(codec="utf-8"), min_size=1, max_size=256)
documents = st.fixed_dictionaries(
    {"ModerationLabels": entries(st.sampled_from(sorted(PARENTS)))}, optional={"ContentTypes": entries(names_of_types)}
)


@given(documents, st.sampled_from([pictures.jpeg(), pictures.jpeg(progressive=True), pictures.png()]))
def test_what_is_planted_is_found(document: dict[str, Any], picture: bytes) -> None:
    found = planted_labels.find(opened(planted_labels.plant(picture, document)))

    assert [{"Name": label.name, "Confidence": label.confidence} for label in found.labels] == document[
        "ModerationLabels"
    ]
    assert [{"Name": kind.name, "Confidence": kind.confidence} for kind in found.content_types] == document.get(
        "ContentTypes", []
    )


@pytest.mark.parametrize("picture", [pictures.jpeg(), pictures.png()], ids=["jpeg", "png"])
def test_a_plant_changes_no_pixel(picture: bytes) -> None:
    planted = planted_labels.plant(picture, SMOKING)

    before, after = (PIL.Image.open(io.BytesIO(body)) for body in (picture, planted))
    assert planted != picture
    assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize("picture", [pictures.jpeg(), pictures.png()], ids=["jpeg", "png"])
def test_a_new_plant_replaces_the_one_before(picture: bytes) -> None:
    twice = planted_labels.plant(planted_labels.plant(picture, {"ModerationLabels": []}), SMOKING)

    assert twice == planted_labels.plant(picture, SMOKING)
    assert planted_labels.find(opened(twice)) == SMOKING_FOUND


def test_a_foreign_comment_is_kept_and_ignored() -> None:
    planted = planted_labels.plant(pictures.commented_jpeg(b"made by hand"), SMOKING)

    assert "made by hand" in opened(planted).texts
    assert planted_labels.find(opened(planted)) == SMOKING_FOUND


@pytest.mark.parametrize("body", [b"", b"GIF90a", pictures.jpeg()[:100]], ids=["empty", "unknown", "cut off"])
def test_only_a_picture_takes_a_plant_and_a_jpeg_only_if_it_is_whole(body: bytes) -> None:
    with pytest.raises(ValueError, match="JPEG"):
        planted_labels.plant(body, SMOKING)


def test_a_malformed_document_is_not_planted() -> None:
    with pytest.raises(planted_labels.MalformedPlantError, match="Smokin"):
        planted_labels.plant(pictures.png(), {"ModerationLabels": [{"Name": "Smokin", "Confidence": 50}]})


@pytest.mark.parametrize(
    "chunk",
    [
        pictures.chunk(b"tEXt", b"Comment\x00" + SMOKING_TEXT.encode()),
        pictures.chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(SMOKING_TEXT.encode())),
        pictures.chunk(b"iTXt", b"Comment\x00\x00\x00en\x00Comment\x00" + SMOKING_TEXT.encode()),
        pictures.chunk(b"iTXt", b"Comment\x00\x01\x00\x00\x00" + zlib.compress(SMOKING_TEXT.encode())),
    ],
    ids=["tEXt", "zTXt", "iTXt", "compressed iTXt"],
)
def test_a_plant_is_found_in_every_kind_of_text_chunk(chunk: bytes) -> None:
    assert planted_labels.find(opened(pictures.png_with(chunk))) == SMOKING_FOUND


def test_a_comment_written_by_another_program_is_found() -> None:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (90, 90)).save(buffer, "JPEG", comment=SMOKING_TEXT.encode() + b"\x00")

    assert planted_labels.find(opened(buffer.getvalue())) == SMOKING_FOUND


def test_metadata_counts_when_the_image_has_no_plant() -> None:
    assert planted_labels.find(opened(pictures.jpeg(), {"moderation-labels": SMOKING_TEXT})) == SMOKING_FOUND


def test_the_image_outranks_its_metadata() -> None:
    planted = planted_labels.plant(pictures.jpeg(), {"ModerationLabels": []})

    assert planted_labels.find(opened(planted, {"moderation-labels": SMOKING_TEXT})) == Findings()


def test_without_any_plant_nothing_is_found() -> None:
    assert planted_labels.find(opened(pictures.jpeg(), {"other": "entry"})) == Findings()
    assert planted_labels.planted(opened(pictures.jpeg(), {"other": "entry"})) is None


def test_two_plants_in_one_image_are_refused() -> None:
    image = opened(pictures.commented_jpeg(SMOKING_TEXT.encode(), SMOKING_TEXT.encode()))

    with pytest.raises(planted_labels.MalformedPlantError, match="2 of them"):
        planted_labels.find(image)


@pytest.mark.parametrize(
    "text",
    [
        "moderation-labels",
        "moderation-labels/1",
        'moderation-labels/2 {"ModerationLabels": []}',
        'moderation-labels/10 {"ModerationLabels": []}',
        'moderation-labels/1{"ModerationLabels": []}',
        "moderation-labels/1 {}",
        "moderation-labels/1 []",
        "moderation-labels/1 null",
        'moderation-labels/1 {"ModerationLabels": []',
        'moderation-labels/1 {"ModerationLabels": []} more',
        'moderation-labels/1 {"ModerationLabels": {}}',
        'moderation-labels/1 {"ModerationLabels": null}',
        'moderation-labels/1 {"moderationlabels": []}',
        'moderation-labels/1 {"ModerationLabels": [], "Labels": []}',
        'moderation-labels/1 {"ModerationLabels": [], "ModerationLabels": []}',
        'moderation-labels/1 {"ModerationLabels": ["Smoking"]}',
        'moderation-labels/1 {"ModerationLabels": [{"Name": "Smoking"}]}',
        'moderation-labels/1 {"ModerationLabels": [{"Confidence": 9}]}',
        'moderation-labels/1 {"ModerationLabels": [{"Name": "Smoking", "Confidence": 9, "Level": 3}]}',
        'moderation-labels/1 {"ModerationLabels": [{"Name": "smoking", "Confidence": 9}]}',
        'moderation-labels/1 {"ModerationLabels": [{"Name": 5, "Confidence": 9}]}',
        'moderation-labels/1 {"ModerationLabels": [{"Name": "Smoking", "Confidence": "9"}]}',
        'moderation-labels/1 {"ModerationLabels": [{"Name": "Smoking", "Confidence": true}]}',
        'moderation-labels/1 {"ModerationLabels": [{"Name": "Smoking", "Confidence": null}]}',
        'moderation-labels/1 {"ModerationLabels": [{"Name": "Smoking", "Confidence": NaN}]}',
        'moderation-labels/1 {"ModerationLabels": [{"Name": "Smoking", "Confidence": Infinity}]}',
        'moderation-labels/1 {"ModerationLabels": [{"Name": "Smoking", "Confidence": 1e999}]}',
        'moderation-labels/1 {"ModerationLabels": [{"Name": "Smoking", "Confidence": 100.1}]}',
        'moderation-labels/1 {"ModerationLabels": [{"Name": "Smoking", "Confidence": -0.1}]}',
        'moderation-labels/1 {"ModerationLabels": [%s, %s]}' % (2 * ('{"Name": "Gambling", "Confidence": 1}',)),
        'moderation-labels/1 {"ModerationLabels": [], "ContentTypes": [{"Name": "", "Confidence": 9}]}',
        'moderation-labels/1 {"ModerationLabels": [], "ContentTypes": [{"Name": "\\ud800", "Confidence": 9}]}',
        f'moderation-labels/1 {{"ModerationLabels": {"[" * 100_000}',
    ],
)
def test_a_malformed_plant_is_an_error_wherever_it_stands(text: str) -> None:
    in_metadata = opened(pictures.jpeg(), {"moderation-labels": text})
    with pytest.raises(planted_labels.MalformedPlantError):
        planted_labels.find(in_metadata)

    in_the_image = opened(pictures.png_with(pictures.chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(text.encode()))))
    with pytest.raises(planted_labels.MalformedPlantError):
        planted_labels.find(in_the_image)


@given(st.text())
def test_any_other_metadata_text_is_an_error_and_nothing_else(text: str) -> None:
    with pytest.raises(planted_labels.MalformedPlantError):
        planted_labels.find(opened(pictures.jpeg(), {"moderation-labels": text}))


@given(st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_whatever_follows_the_version_is_read_or_refused(content: str) -> None:
    with contextlib.suppress(planted_labels.MalformedPlantError):
        planted_labels.parse(f"moderation-labels/1 {content}")


def test_the_signatures_are_those_of_the_formats() -> None:
    assert pictures.jpeg().startswith(jpeg.SIGNATURE)
    assert pictures.png().startswith(png.SIGNATURE)
