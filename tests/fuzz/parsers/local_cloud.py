"""What the local cloud reads: images and plants, manifests, requests, switches, faults."""

import io
import json
import zlib
from random import Random
from typing import Any

import PIL.Image

from gatehouse.moderation.policy import taxonomy
from localcloud.faults import armed
from localcloud.rekognition import analysis, manifest, planted_labels
from localcloud.rekognition.errors import ServiceError
from localcloud.rekognition.findings import Findings
from localcloud.rekognition.images import LEAST_PIXELS_A_SIDE, MOST_PIXELS_A_SIDE, Image, ImageFormat, open_image
from localcloud.rekognition.operation import Operation
from localcloud.rekognition.settings import PREFIX, RekognitionSettings, SettingsError
from localcloud.rekognition.switches import SwitchError, Switches
from localcloud.rekognition.validation import validate
from tests.fuzz.mutation import encoded, mutated_bytes, mutated_document, mutated_json, mutated_text, written
from tests.fuzz.parser import Case, Parser

#: Far more than any image says about itself, and far less than a text can grow to when it is decompressed.
_MOST_TEXT = 1_000_000

_PLANT: dict[str, Any] = {
    "ModerationLabels": [{"Name": "Explosions and Blasts", "Confidence": 92.6}, {"Name": "Alcohol", "Confidence": 40}],
    "ContentTypes": [{"Name": "Illustrated", "Confidence": 93.9}],
}
_PLANT_WORDS = (*_PLANT, "Name", "Confidence", "Violence", "Weapons", "Animated", 50, 100.0)
_VERSION = "moderation-labels/1 "


def _encoded(image_format: str) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("RGB", (80, 80), (200, 120, 40)).save(buffer, image_format)
    return buffer.getvalue()


_JPEG, _PNG = _encoded("JPEG"), _encoded("PNG")
_BEHIND_HEADER = 8 + 12 + 13


def _plant(random: Random) -> str:
    text = _VERSION + mutated_json(random, _PLANT, _PLANT_WORDS, torn=0.1)
    return mutated_text(random, text) if random.random() < 0.05 else text


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def _segment(marker: int, data: bytes) -> bytes:
    data = data[: 0xFFFF - 2]
    return bytes((0xFF, marker)) + (len(data) + 2).to_bytes(2, "big") + data


def _draw_jpeg(random: Random) -> Case:
    parts = [
        _segment(
            random.choice((0xFE, 0xFE, 0xE1, 0xC4, 0xDA)),
            mutated_bytes(random, _plant(random).encode("utf-8", "replace")),
        )
        for _ in range(random.choice((0, 1, 1, 2)))
    ]
    if random.random() < 0.02:
        parts *= 300
    body = _JPEG[:2] + b"".join(parts) + _JPEG[2:]
    return mutated_bytes(random, body) if random.random() < 0.5 else body


#: Bytes of a drawn image, or a few more: beyond what Rekognition reads, and far below the memory of a process.
_LARGEST_IMAGE = 16 * 1024 * 1024


def _draw_png(random: Random) -> Case:
    parts = [_text_chunk(random) for _ in range(random.choice((0, 1, 1, 2)))]
    size = sum(map(len, parts))
    if size and random.random() < 0.05:
        parts *= min(random.choice((10, 300)), 1 + _LARGEST_IMAGE // size)
    body = _PNG[:_BEHIND_HEADER] + b"".join(parts) + _PNG[_BEHIND_HEADER:]
    return mutated_bytes(random, body) if random.random() < 0.4 else body


def _text_chunk(random: Random) -> bytes:
    plant = _plant(random).encode("utf-8", "replace")
    text = random.choice((plant, plant, plant * 900, b"\0" * 300_000))
    kind = random.choice((b"tEXt", b"zTXt", b"iTXt", b"iTXt", b"IDAT", b"IHDR"))
    packed = zlib.compress(text)
    data = {
        b"zTXt": b"Comment\0\0" + packed,
        b"iTXt": random.choice((b"Comment\0\0\0\0\0" + text, b"Comment\0\1\0en\0\0" + packed)),
    }.get(kind, b"Comment\0" + text)
    return _chunk(kind, mutated_bytes(random, data, 2) if random.random() < 0.3 else data)


def _check_image(case: Case) -> bool:
    assert isinstance(case, bytes)
    try:
        image = open_image(case, 15 * 1024 * 1024)
    except ServiceError:
        return False
    assert min(image.width, image.height) >= LEAST_PIXELS_A_SIDE
    assert max(image.width, image.height) <= MOST_PIXELS_A_SIDE
    assert sum(map(len, image.texts)) <= max(_MOST_TEXT, 2 * len(case)), "texts that grew out of proportion"
    try:
        findings = planted_labels.find(image)
    except planted_labels.MalformedPlantError:
        return True
    _assert_as_planted(findings, [text for text in image.texts if text.startswith("moderation-labels")])
    try:
        replanted = planted_labels.plant(case, _PLANT)
    except ValueError:
        return True
    assert len(planted_labels.find(open_image(replanted, 2 * len(replanted))).labels) == 2
    return True


def _assert_as_planted(findings: Findings, plants: list[str]) -> None:
    """No labels is what the plant says, or there is none; and Rekognition's answer can be made of the findings."""
    planted = [json.loads(plant.removeprefix(_VERSION))["ModerationLabels"] for plant in plants]
    assert len(planted) <= 1
    assert [label.name for label in findings.labels] == [entry["Name"] for entry in (planted[0] if planted else ())]
    answer = analysis.answer(findings, 0.0, None)
    assert {label["Name"] for label in answer["ModerationLabels"]} >= {label.name for label in findings.labels}


def _check_plant(case: Case) -> bool:
    assert isinstance(case, str)
    image = Image(b"", ImageFormat.PNG, 80, 80, metadata={planted_labels.METADATA_KEY: case})
    try:
        findings = planted_labels.find(image)
    except planted_labels.MalformedPlantError:
        return False
    _assert_as_planted(findings, [case])
    assert all(0 <= found.confidence <= 100 for found in (*findings.labels, *findings.content_types))
    assert all(label.name in taxonomy.PARENTS for label in findings.labels)
    return True


def _draw_manifest(random: Random) -> Case:
    lines = [
        mutated_json(random, {"source-ref": f"s3://uploads/image-{n} ü%41.jpg"}, ("source-ref", "s3://b/k"), torn=0.1)
        for n in range(random.choice((0, 1, 2, 3)))
    ]
    if random.random() < 0.005:
        lines = ['{"source-ref": "s3://uploads/a"}'] * random.choice((9_999, 10_000, 10_001))
    text = "\n".join(lines) + random.choice(("", "\n", "\n\n"))
    return encoded(random, mutated_text(random, text) if random.random() < 0.1 else text)


def _check_manifest(case: Case) -> bool:
    assert isinstance(case, bytes)
    try:
        lines = manifest.parse(case)
    except manifest.ManifestError:
        return False
    assert 0 < len(lines) <= manifest.MOST_LINES
    for line in lines:
        if isinstance(line, manifest.ImageLine):
            assert line.source_ref == f"s3://{line.bucket}/{line.key}"
            line.source_ref.encode()
    return True


_REQUESTS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "StartMediaAnalysisJob",
        {
            "ClientRequestToken": "batch-1-1",
            "JobName": "batch-1",
            "OperationsConfig": {"DetectModerationLabels": {"MinConfidence": 30.0}},
            "Input": {"S3Object": {"Bucket": "work", "Name": "manifest.jsonl"}},
            "OutputConfig": {"S3Bucket": "work", "S3KeyPrefix": "out"},
        },
    ),
    ("GetMediaAnalysisJob", {"JobId": "a" * 64}),
    ("ListMediaAnalysisJobs", {"MaxResults": 10, "NextToken": "x"}),
    ("DetectModerationLabels", {"Image": {"Bytes": "AAAA"}, "MinConfidence": 30.0}),
    ("DetectModerationLabels", {"Image": {"S3Object": {"Bucket": "uploads", "Name": "a b.jpg", "Version": "v1"}}}),
)
_REQUEST_WORDS = (
    *_REQUESTS[0][1],
    "Bytes",
    "S3Object",
    "Version",
    "MinConfidence",
    "ProjectVersion",
    "A" * 70,
    " " * 1024,
)


def _draw_request(random: Random) -> Case:
    operation, document = random.choice(_REQUESTS)
    return operation + " " + written(random, mutated_document(random, document, _REQUEST_WORDS))


def _check_request(case: Case) -> bool:
    assert isinstance(case, str)
    operation, _, text = case.partition(" ")
    try:
        payload = json.loads(text, parse_constant=_refused)  # as the service reads it
    except (ValueError, RecursionError):
        return False
    try:
        request = validate(operation, payload)
    except ServiceError as error:
        assert len(error.message) < 20_000
        return False
    least = request.get("MinConfidence", 0)
    assert 0 <= least <= 100
    return True


def _refused(name: str) -> Any:
    raise ValueError(name)


_ARN = "arn:aws:rekognition:us-east-1:000000000000:project/p/version/v/1"
_SWITCHES: dict[str, Any] = {
    "hold_jobs": True,
    "fail_next_jobs": [{"code": "INTERNAL_ERROR", "message": "Told to."}],
    "concurrent_jobs": 5,
    "job_seconds": 0.5,
    "drop_result_lines": 3,
    "duplicate_result_lines": 1,
    "refuse_bulk": "closed",
    "throttle_calls": 2,
    "fail_next_calls": [{"operation": "DetectModerationLabels", "error": "InternalServerError", "times": 3}],
    "fail_images": ["a.jpg"],
    "requests_per_second": {"DetectModerationLabels": 50},
    "detect_seconds": 0.1,
    "adapters": {_ARN: "EXPIRED"},
}
_SWITCH_WORDS = (
    *_SWITCHES,
    *(operation.value for operation in Operation),
    "code",
    "error",
    "times",
    "permission",
    "EXPIRED",
)


def _draw_switches(random: Random) -> Case:
    names = random.sample(list(_SWITCHES), random.randint(1, 4))
    return written(random, mutated_document(random, {name: _SWITCHES[name] for name in names}, _SWITCH_WORDS, most=2))


def _check_switches(case: Case) -> bool:
    try:
        document = json.loads(case)
    except (ValueError, RecursionError):
        return False
    if not isinstance(document, dict):
        return False
    switches = Switches()
    before = switches.document()
    try:
        switches.set(document)
    except SwitchError:
        assert switches.document() == before, "some were set though one was refused"
        return False
    json.dumps(switches.document())
    switches.take_failing_call("DetectModerationLabels")
    switches.take_failure()
    assert 0 <= switches.detect_seconds(0.0) < float("inf")
    assert all(rate > 0 for rate in switches.requests_per_second({}).values())
    return True


_VARIABLES = {
    "JOB_SECONDS": "0.5",
    "IMAGES_PER_SECOND": "100",
    "CONCURRENT_JOBS": "20",
    "DETECT_SECONDS": "0",
    "REQUESTS_PER_SECOND": "DetectModerationLabels=50,StartMediaAnalysisJob=5",
    "ADAPTERS": f"{_ARN}=EXPIRED",
    "LINE_NUMBER_KEY": "line-number",
    "REFUSE_BULK": "closed",
}


def _draw_variables(random: Random) -> Case:
    names = random.sample(list(_VARIABLES), random.randint(1, 3))
    changed = {PREFIX + name: mutated_text(random, _VARIABLES[name], 1) for name in names}
    if random.random() < 0.1:
        changed[mutated_text(random, PREFIX + names[0])] = "1"
    return json.dumps(changed)


def _check_variables(case: Case) -> bool:
    try:
        settings = RekognitionSettings.from_environment(json.loads(case))
    except SettingsError:
        return False
    assert 0 <= settings.job_seconds < float("inf")
    assert settings.concurrent_jobs >= 0
    assert all(0 < rate < float("inf") for rate in settings.requests_per_second.values())
    return True


_CALL_FAULTS: tuple[dict[str, Any], ...] = (
    {"caller": "Batcher", "call": "s3:PutObject", "when": "after", "nth": 2, "times": 1, "action": "kill"},
    {"caller": "x", "call": "s3:GetObject", "when": "before", "action": "error", "code": "SlowDown", "status": 503},
    {
        "caller": "x",
        "call": "dynamodb:TransactWriteItems",
        "action": "cancel",
        "reasons": ["TransactionConflict", "None"],
    },
    {"caller": "x", "call": "sns:PublishBatch", "action": "partial", "entries": [0, 3]},
    {"caller": "x", "call": "s3:PutObject", "when": "after", "action": "delay", "seconds": 1.5},
)
_DELIVERY_FAULTS: tuple[dict[str, Any], ...] = (
    {"delivery": "duplicate", "times": 5, "copies": 2, "seconds": 1.5},
    {"delivery": "reorder", "times": 20, "seed": 7, "matching": "x"},
    {"delivery": "delay", "seconds": 2},
)


def _draw_fault(random: Random) -> Case:
    document = random.choice((*_CALL_FAULTS, *_DELIVERY_FAULTS))
    words = ("before", "after", "kill", "error", "seen", "fired", "reorder", 3, *random.choice(_CALL_FAULTS), *document)
    return encoded(random, written(random, mutated_document(random, document, words)))


def _check_fault(case: Case) -> bool:
    assert isinstance(case, bytes)
    try:
        status, _, body = armed.administer("POST", case)
    finally:
        armed.administer("DELETE", b"")
    answer = json.loads(body)
    if status == 400:
        assert answer["message"]
        return False
    (fault,) = answer["faults"]
    assert fault["seen"] == fault["fired"] == 0
    assert fault["times"] >= 1
    assert 0 <= fault["seconds"] <= 86_400
    return True


PARSERS = (
    Parser("rekognition.jpeg", _draw_jpeg, _check_image),
    Parser("rekognition.png", _draw_png, _check_image, 8),
    Parser("rekognition.planted_labels", _plant, _check_plant),
    Parser("rekognition.manifest", _draw_manifest, _check_manifest),
    Parser("rekognition.validation", _draw_request, _check_request),
    Parser("rekognition.switches", _draw_switches, _check_switches),
    Parser("rekognition.settings", _draw_variables, _check_variables, 5),
    Parser("faults.administer", _draw_fault, _check_fault, 5),
)
