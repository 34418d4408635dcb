"""Pictures that Rekognition does not read get verdicts, the same by both engines; and each frame is paid for once."""

import io
from collections.abc import Mapping
from typing import Any

import pytest
from PIL import Image

from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import MAX_IMAGE_BYTES
from localcloud.rekognition.planted_labels import METADATA_KEY
from tests.e2e.pipeline import Pipeline
from tests.unit.lambdas.drawn_pictures import heic

LANES = """
image_engine: {calls_per_second: 250}
lanes:
  default: {engine: bulk, formats: [avif, bmp, gif, heic, jpeg, png, tiff, webp]}
  image: {prefixes: [image/], engine: image, formats: [avif, bmp, gif, heic, jpeg, png, tiff, webp]}
  plain: {prefixes: [plain/], engine: image, formats: []}
"""

WEAPONS = 'moderation-labels/1 {"ModerationLabels": [{"Name": "Weapon Violence", "Confidence": 99.0}]}'


@pytest.fixture(scope="module")
def settings() -> str:
    return LANES


def picture(image_format: str, size: tuple[int, int] = (90, 120), **options: Any) -> bytes:
    """A picture with something in it, in one of Pillow's formats."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(options.pop("mode", "RGB")).save(file, image_format, **options)
    return file.getvalue()


def frames(count: int) -> list[Image.Image]:
    """So many different frames."""
    return [Image.new("RGB", (80, 80), (n % 256, n // 256, 90)) for n in range(count)]


def animation(image_format: str, count: int, **options: Any) -> bytes:
    """An animation of so many frames."""
    file = io.BytesIO()
    first, *others = frames(count)
    first.save(file, image_format, save_all=True, append_images=others, duration=50, **options)
    return file.getvalue()


STILL: Mapping[str, tuple[bytes, str]] = {
    "photo.webp": (picture("WEBP"), "WEBP"),
    "photo.avif": (picture("AVIF"), "AVIF"),
    "photo.gif": (picture("GIF"), "GIF"),
    "photo.tiff": (picture("TIFF"), "TIFF"),
    "photo.bmp": (picture("BMP"), "BMP"),
    "disguised.jpg": (picture("WEBP"), "WEBP"),
    "tiny.jpg": (picture("JPEG", (40, 40)), "JPEG"),
    "wide.png": (picture("PNG", (10_100, 80), mode="L"), "PNG"),
    "heavy.jpg": (picture("JPEG") + bytes(MAX_IMAGE_BYTES), "JPEG"),
    "photo.heic": (heic(), "HEIC"),
    "print.tif": (picture("TIFF", mode="CMYK"), "TIFF"),
    "fax.tif": (picture("TIFF", mode="1"), "TIFF"),
    "scan.tif": (picture("TIFF", mode="I;16"), "TIFF"),
    "palette.tif": (picture("TIFF", mode="P"), "TIFF"),
}

#: What Rekognition reads itself; of a JPEG with a second picture (MPO) the one that browsers show.
AS_THEY_ARE: Mapping[str, bytes] = {
    "stereo.jpg": animation("MPO", 2),
    "print.jpg": picture("JPEG", mode="CMYK"),
    "deep.png": picture("PNG", mode="I;16"),
    "palette.png": picture("PNG", mode="P"),
    "fax.png": picture("PNG", mode="1"),
}


def upload(pipeline: Pipeline, key: str, body: bytes, **metadata: str) -> None:
    """Put an object, with plants beside it."""
    pipeline.cloud.client("s3").put_object(Bucket=pipeline.upload_bucket, Key=key, Body=body, Metadata=metadata)


def verdicts(pipeline: Pipeline, count: int, prefix: str) -> dict[str, dict[str, Any]]:
    """The final items under a prefix, by the rest of their keys."""
    return {item["key"].removeprefix(prefix): item for item in pipeline.wait_for_verdicts(count, prefix, deadline=180)}


def paid(pipeline: Pipeline, prefix: str) -> dict[str, int]:
    """How often each frame of each object under a prefix was analyzed, by key, frame and background."""
    counts: dict[str, int] = pipeline.cloud.rekognition_counters()["renditions_analyzed"]
    start = f"s3://{pipeline.upload_bucket}/{prefix}"
    return {source.removeprefix(start): count for source, count in counts.items() if source.startswith(start)}


@pytest.mark.parametrize("engine", ["image", "bulk"])
def test_a_picture_of_any_format_gets_the_verdict_that_its_labels_ask_for(pipeline: Pipeline, engine: str) -> None:
    prefix = f"{engine}/still/"
    for name, (body, _) in STILL.items():
        upload(pipeline, prefix + name, body)
        upload(pipeline, f"{prefix}armed-{name}", body, **{METADATA_KEY: WEAPONS})

    items = verdicts(pipeline, 2 * len(STILL), prefix)

    assert {name: items[name]["status"] for name in STILL} == dict.fromkeys(STILL, Status.APPROVED)
    assert {name: items[f"armed-{name}"]["status"] for name in STILL} == dict.fromkeys(STILL, Status.BLOCKED)
    assert {name: items[name]["rendition"]["format"] for name in STILL} == {
        name: image_format for name, (_, image_format) in STILL.items()
    }
    assert {(item["frames"]["total"], item["frames"]["judged"]) for item in items.values()} == {(1, 1)}
    assert {item["engine"] for item in items.values()} == {"image"}
    assert set(paid(pipeline, prefix).values()) == {1}
    assert len(paid(pipeline, prefix)) == len(items)


@pytest.mark.parametrize("engine", ["image", "bulk"])
def test_what_rekognition_reads_is_not_rendered_whatever_its_pixels_are(pipeline: Pipeline, engine: str) -> None:
    prefix = f"{engine}/plain-look/"
    for name, body in AS_THEY_ARE.items():
        upload(pipeline, prefix + name, body)
        upload(pipeline, f"{prefix}armed-{name}", body, **{METADATA_KEY: WEAPONS})

    items = verdicts(pipeline, 2 * len(AS_THEY_ARE), prefix)

    assert {name: items[name]["status"] for name in AS_THEY_ARE} == dict.fromkeys(AS_THEY_ARE, Status.APPROVED)
    assert {name: items[f"armed-{name}"]["status"] for name in AS_THEY_ARE} == dict.fromkeys(
        AS_THEY_ARE, Status.BLOCKED
    )
    assert not any("rendition" in item for item in items.values())
    assert {item["engine"] for item in items.values()} == {engine}
    assert paid(pipeline, prefix) == {}


def test_what_a_file_says_of_itself_is_not_believed(pipeline: Pipeline) -> None:
    s3, prefix = pipeline.cloud.client("s3"), "image/disguised/"
    for name, declared, body in (
        ("page.png", "text/html", picture("WEBP")),
        ("photo.webp", "image/webp", picture("PNG")),
        ("photo.gif", "image/gif", b"<html>no picture</html>"),
        ("none", "application/octet-stream", picture("AVIF")),
    ):
        s3.put_object(Bucket=pipeline.upload_bucket, Key=prefix + name, Body=body, ContentType=declared)

    items = verdicts(pipeline, 4, prefix)

    assert {name: item.get("rendition", {}).get("format") for name, item in items.items()} == {
        "page.png": "WEBP",
        "photo.webp": None,
        "photo.gif": None,
        "none": "AVIF",
    }
    assert {name: item["status"] for name, item in items.items()} == {
        **dict.fromkeys(("page.png", "photo.webp", "none"), Status.APPROVED),
        "photo.gif": Status.UNSUPPORTED,
    }


#: Name -> file, frames that it has, and calls that it costs.
MOVING: Mapping[str, tuple[bytes, int, int]] = {
    "short.gif": (animation("GIF", 3), 3, 3),
    "moving.png": (animation("PNG", 4), 4, 4),
    # A browser shows the default image to nobody who sees the animation.
    "hidden.png": (animation("PNG", 4, default_image=True), 4, 4),
    "moving.webp": (animation("WEBP", 5, lossless=True), 5, 5),
    "moving.avif": (animation("AVIF", 3, quality=100), 3, 3),
    "pages.tiff": (animation("TIFF", 2), 2, 2),
}


@pytest.mark.parametrize("engine", ["image", "bulk"])
def test_each_frame_of_an_animation_is_looked_at_and_paid_for_once(pipeline: Pipeline, engine: str) -> None:
    prefix = f"{engine}/moving/"
    for name, (body, _, _) in MOVING.items():
        upload(pipeline, prefix + name, body)
        upload(pipeline, f"{prefix}armed-{name}", body, **{f"{METADATA_KEY}-1": WEAPONS})

    items = verdicts(pipeline, 2 * len(MOVING), prefix)
    calls = paid(pipeline, prefix)

    assert {name: items[name]["status"] for name in MOVING} == dict.fromkeys(MOVING, Status.APPROVED)
    assert {name: items[f"armed-{name}"]["status"] for name in MOVING} == dict.fromkeys(MOVING, Status.BLOCKED)
    for name, (_, total, count) in MOVING.items():
        assert items[name]["frames"] == {"total": total, "judged": total}
        assert sum(call.startswith(f"{name} ") for call in calls) == count
    assert set(calls.values()) == {1}


@pytest.mark.parametrize("engine", ["image", "bulk"])
def test_frames_that_nobody_looked_at_are_for_a_person(pipeline: Pipeline, engine: str) -> None:
    prefix = f"{engine}/long/"
    upload(pipeline, f"{prefix}long.gif", animation("GIF", 300))

    (item,) = verdicts(pipeline, 1, prefix).values()

    assert (item["status"], item["reasons"]) == (Status.REVIEW, [])
    assert item["frames"] == {"total": 300, "judged": 8}
    assert len(paid(pipeline, prefix)) == 8
    (flag,) = pipeline.wait_for_flags(1, prefix)
    assert (flag["frames"], flag["rendition"]["format"]) == ({"total": 300, "judged": 8}, "GIF")


@pytest.mark.parametrize("engine", ["image", "bulk"])
def test_what_is_transparent_is_looked_at_over_white_and_over_black(pipeline: Pipeline, engine: str) -> None:
    prefix, file = f"{engine}/clear/", io.BytesIO()
    Image.new("RGBA", (80, 80), (255, 255, 255, 0)).save(file, "WEBP", lossless=True)
    upload(pipeline, f"{prefix}clear.webp", file.getvalue())

    (item,) = verdicts(pipeline, 1, prefix).values()

    assert item["status"] == Status.APPROVED
    assert paid(pipeline, prefix) == {"clear.webp 0 white": 1, "clear.webp 0 black": 1}


@pytest.mark.parametrize("engine", ["image", "bulk"])
def test_what_can_not_be_rendered_is_unsupported_with_its_code(pipeline: Pipeline, engine: str) -> None:
    prefix = f"{engine}/bad/"
    bomb = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(bomb, "GIF")
    bad = {
        "cut.webp": (picture("WEBP")[:-40], "UnreadableImage"),
        "cut.gif": (animation("GIF", 3)[:-20], "UnreadableImage"),
        "cut.jpg": (picture("JPEG")[:-40], "UnreadableImage"),
        "bomb.gif": (bomb.getvalue(), "TooManyPixels"),
        "text.webp": (b"no picture at all", "InvalidImageFormatException"),
    }
    for name, (body, _) in bad.items():
        upload(pipeline, prefix + name, body)

    items = verdicts(pipeline, len(bad), prefix)

    assert {name: item["status"] for name, item in items.items()} == dict.fromkeys(bad, Status.UNSUPPORTED)
    assert {name: item["error"]["code"] for name, item in items.items()} == {
        name: code for name, (_, code) in bad.items()
    }
    assert paid(pipeline, prefix) == {}


def test_a_lane_may_render_nothing(pipeline: Pipeline) -> None:
    upload(pipeline, "plain/photo.webp", STILL["photo.webp"][0])
    upload(pipeline, "plain/moving.png", MOVING["moving.png"][0])

    items = verdicts(pipeline, 2, "plain/")

    assert {name: item["error"]["code"] for name, item in items.items()} == {
        "photo.webp": "InvalidImageFormatException",
        "moving.png": "Animated",
    }
    assert paid(pipeline, "plain/") == {}


FAULTS: tuple[Mapping[str, Any], ...] = (
    {"call": "lambda:InvokeFunction", "action": "error", "code": "TooManyRequestsException", "status": 429},
    {"call": "lambda:InvokeFunction", "action": "error", "code": "ServiceException", "status": 500},
    {"call": "lambda:InvokeFunction", "action": "error", "code": "AccessDeniedException", "status": 403},
    {"call": "lambda:InvokeFunction", "action": "disconnect"},
    {"call": "lambda:InvokeFunction", "action": "disconnect", "when": "after"},
    {"call": "rekognition:DetectModerationLabels", "action": "error", "code": "InternalServerError", "status": 500},
    # The first bytes, of the version that was uploaded.
    {"call": "s3:GetObjectVersion", "nth": 1, "action": "error", "code": "InternalError", "status": 500},
)


@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: "-".join(str(fault.get(name, "")) for name in ("call", "code", "when"))
)
def test_what_fails_for_a_moment_costs_no_verdict_and_no_frame(pipeline: Pipeline, fault: Mapping[str, Any]) -> None:
    prefix = f"image/struck-{FAULTS.index(fault)}/"
    pipeline.cloud.faults({"caller": "Analyzer", "when": "before", "nth": 2, **fault})

    upload(pipeline, f"{prefix}moving.png", MOVING["moving.png"][0])
    (item,) = verdicts(pipeline, 1, prefix).values()

    assert (item["status"], item["frames"]) == (Status.APPROVED, {"total": 4, "judged": 4})
    assert set(paid(pipeline, prefix).values()) == {1}
    assert not pipeline.cloud.armed_faults()
    pipeline.cloud.clear_faults()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_killed_analyzer_pays_twice_for_its_own_frames_at_most(pipeline: Pipeline, when: str) -> None:
    prefix = f"image/killed-{when}/"
    fault = {"caller": "Analyzer", "call": "rekognition:DetectModerationLabels", "nth": 3, "action": "kill"}
    pipeline.cloud.faults({**fault, "when": when})

    upload(pipeline, f"{prefix}moving.png", MOVING["moving.png"][0])
    (item,) = verdicts(pipeline, 1, prefix).values()

    assert (item["status"], item["frames"]) == (Status.APPROVED, {"total": 4, "judged": 4})
    assert max(paid(pipeline, prefix).values()) == 2
    pipeline.cloud.clear_faults()
