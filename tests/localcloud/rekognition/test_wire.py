"""The JSON 1.1 protocol and the names on it."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localcloud.rekognition import service
from localcloud.rekognition.errors import ErrorName
from localcloud.rekognition.job import FailureCode, JobStatus
from localcloud.rekognition.operation import Operation
from tests.localcloud.rekognition import pictures
from tests.localcloud.rekognition.conftest import Rekognition

PROTOCOL_ERRORS = {ErrorName.SERIALIZATION, ErrorName.UNKNOWN_OPERATION}
MODEL = botocore.session.get_session().get_service_model("rekognition")


def call(target: str, body: bytes | str) -> tuple[int, dict[str, str], dict[str, Any]]:
    headers = {"x-amz-target": target}
    status, answer_headers, answer = asyncio.run(service.handle_request("POST", "/", headers, body, {}))
    return status, answer_headers, json.loads(answer)


def test_every_error_name_is_declared_by_one_of_the_operations() -> None:
    declared = {shape.name for operation in Operation for shape in MODEL.operation_model(operation).error_shapes}

    assert set(ErrorName) - PROTOCOL_ERRORS <= declared


def test_statuses_and_failure_codes_are_those_of_the_model() -> None:
    assert set(JobStatus) == set(MODEL.shape_for("MediaAnalysisJobStatus").metadata["enum"])
    assert set(FailureCode) == set(MODEL.shape_for("MediaAnalysisJobFailureCode").metadata["enum"])


def test_an_error_looks_as_documented(rekognition: Rekognition) -> None:
    status, headers, error = call("RekognitionService.GetMediaAnalysisJob", b'{"JobId": "a"}')

    assert status == 400
    assert headers["Content-Type"] == "application/x-amz-json-1.1"
    assert error["__type"] == error["Code"] == "ResourceNotFoundException"
    assert set(error) == {"__type", "Code", "Logref", "Message"}


def test_times_are_numbers(rekognition: Rekognition) -> None:
    rekognition.put_manifest(["a.jpg"])
    job_id = rekognition.run()["JobId"]

    _, _, job = call("RekognitionService.GetMediaAnalysisJob", json.dumps({"JobId": job_id}))

    assert isinstance(job["CreationTimestamp"], float)
    assert isinstance(job["CompletionTimestamp"], float)


@pytest.mark.parametrize("target", ["RekognitionService.DetectFaces", "RekognitionService.", "", "Other.Start"])
def test_an_unknown_operation_is_told(rekognition: Rekognition, target: str) -> None:
    status, _, error = call(target, b"{}")

    assert (status, error["__type"]) == (400, "UnknownOperationException")


@pytest.mark.parametrize("body", [b"{", b"\xff", b"NaN", b'{"MaxResults": Infinity}', b"[" * 100_000])
def test_what_is_not_json_is_told(rekognition: Rekognition, body: bytes) -> None:
    status, _, error = call("RekognitionService.ListMediaAnalysisJobs", body)

    assert (status, error["__type"]) == (400, "SerializationException")


@pytest.mark.parametrize("body", [b"", "", "{}"])
def test_an_empty_body_and_a_text_are_read(rekognition: Rekognition, body: bytes | str) -> None:
    assert call("RekognitionService.ListMediaAnalysisJobs", body)[2] == {"MediaAnalysisJobs": []}


def test_a_storage_that_breaks_is_an_internal_server_error(rekognition: Rekognition) -> None:
    rekognition.storage.broken = OSError("disk on fire")
    body = json.dumps({"Image": {"S3Object": {"Bucket": "uploads", "Name": "a.jpg"}}})

    status, _, error = call("RekognitionService.DetectModerationLabels", body)

    assert (status, error["__type"], error["Message"]) == (500, "InternalServerError", "OSError: disk on fire")


def test_latency_delays_the_answer_and_not_the_service(rekognition: Rekognition) -> None:
    rekognition.configure(detect_seconds=3600)
    detect = service.handle_request(
        "POST", "/", {"x-amz-target": "RekognitionService.DetectModerationLabels"}, "{}", {}
    )
    listing = service.handle_request(
        "POST", "/", {"x-amz-target": "RekognitionService.ListMediaAnalysisJobs"}, "{}", {}
    )

    async def both() -> tuple[bool, int]:
        slow = asyncio.create_task(detect)
        status, _, _ = await listing
        waiting = not slow.done()
        slow.cancel()
        return waiting, status

    assert asyncio.run(both()) == (True, 200)


@given(
    st.sampled_from([*Operation, "Other"]),
    st.binary(max_size=80) | st.dictionaries(st.text(), st.text()).map(json.dumps),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_hostile_requests_get_an_error_answer(rekognition: Rekognition, operation: str, body: bytes | str) -> None:
    status, _, answer = call(f"RekognitionService.{operation}", body)

    assert status in (200, 400)
    assert status == 200 or answer["__type"] in list(ErrorName)


def test_the_modules_load_without_pillow_and_without_the_local_cloud() -> None:
    program = (
        "import sys; sys.modules['PIL'] = None; sys.modules['ministack'] = None; import localcloud.rekognition.service"
    )
    root = Path(__file__).parents[3]

    subprocess.run([sys.executable, "-c", program], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, check=True)


def test_a_picture_in_bytes_survives_the_wire(rekognition: Rekognition) -> None:
    response = rekognition.client.detect_moderation_labels(Image={"Bytes": pictures.png()})

    assert response["ResponseMetadata"]["HTTPStatusCode"] == 200
