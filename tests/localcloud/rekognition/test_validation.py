import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.rekognition.errors import ErrorName, ServiceError
from localcloud.rekognition.validation import validate
from tests.localcloud.rekognition.conftest import ADAPTER

START: dict[str, Any] = {
    "OperationsConfig": {"DetectModerationLabels": {"MinConfidence": 30}},
    "Input": {"S3Object": {"Bucket": "work", "Name": "manifest.jsonl"}},
    "OutputConfig": {"S3Bucket": "work"},
}


def refusal(operation: str, payload: object) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        validate(operation, payload)
    return caught.value


def with_s3_object(**members: object) -> dict[str, Any]:
    return {**START, "Input": {"S3Object": {**START["Input"]["S3Object"], **members}}}


def with_options(**members: object) -> dict[str, Any]:
    return {**START, "OperationsConfig": {"DetectModerationLabels": members}}


@pytest.mark.parametrize(
    "payload",
    [
        START,
        {**START, "ClientRequestToken": "a" * 64, "JobName": "a_.-", "KmsKeyId": "alias/key"},
        with_s3_object(Version="v"),
        with_options(),
        with_options(MinConfidence=0),
        with_options(MinConfidence=100.0, ProjectVersion=ADAPTER),
        {**START, "OutputConfig": {"S3Bucket": "work", "S3KeyPrefix": ""}},
        {**START, "OutputConfig": {"S3Bucket": "work", "S3KeyPrefix": "é" * 800}},
    ],
)
def test_what_the_model_allows_passes_unchanged(payload: dict[str, Any]) -> None:
    assert validate("StartMediaAnalysisJob", payload) == payload


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({key: value for key, value in START.items() if key != "Input"}, "input"),
        ({key: value for key, value in START.items() if key != "OutputConfig"}, "outputConfig"),
        ({key: value for key, value in START.items() if key != "OperationsConfig"}, "operationsConfig"),
        ({**START, "Input": {}}, "input.s3Object"),
        ({**START, "Input": None}, "input"),
        ({**START, "OutputConfig": {}}, "outputConfig.s3Bucket"),
        ({**START, "ClientRequestToken": ""}, "clientRequestToken"),
        ({**START, "ClientRequestToken": "a" * 65}, "clientRequestToken"),
        ({**START, "ClientRequestToken": "a b"}, "clientRequestToken"),
        ({**START, "ClientRequestToken": "a\n"}, "clientRequestToken"),
        ({**START, "JobName": "a/b"}, "jobName"),
        ({**START, "JobName": "a" * 65}, "jobName"),
        ({**START, "KmsKeyId": "-"}, "kmsKeyId"),
        (with_s3_object(Bucket="ab"), "input.s3Object.bucket"),
        (with_s3_object(Bucket="a" * 256), "input.s3Object.bucket"),
        (with_s3_object(Bucket="a b c"), "input.s3Object.bucket"),
        (with_s3_object(Name=""), "input.s3Object.name"),
        (with_s3_object(Name="a" * 1025), "input.s3Object.name"),
        (with_s3_object(Version=""), "input.s3Object.version"),
        (with_options(MinConfidence=-0.1), "operationsConfig.detectModerationLabels.minConfidence"),
        (with_options(MinConfidence=100.1), "operationsConfig.detectModerationLabels.minConfidence"),
        (with_options(ProjectVersion="arn:aws:rekognition"), "operationsConfig.detectModerationLabels.projectVersion"),
        (with_options(ProjectVersion=ADAPTER + "x"), "operationsConfig.detectModerationLabels.projectVersion"),
        ({**START, "OutputConfig": {"S3Bucket": "work", "S3KeyPrefix": "a b"}}, "outputConfig.s3KeyPrefix"),
        ({**START, "OutputConfig": {"S3Bucket": "work", "S3KeyPrefix": "a" * 801}}, "outputConfig.s3KeyPrefix"),
    ],
)
def test_a_violated_constraint_is_an_invalid_parameter_named_by_its_path(payload: dict[str, Any], path: str) -> None:
    error = refusal("StartMediaAnalysisJob", payload)

    assert error.name is ErrorName.INVALID_PARAMETER
    assert error.message.startswith("1 validation error detected: Value ")
    assert f" at '{path}' failed to satisfy constraint: Member must " in error.message


@pytest.mark.parametrize(
    ("operation", "payload"),
    [
        ("GetMediaAnalysisJob", {}),
        ("GetMediaAnalysisJob", {"JobId": "a b"}),
        ("GetMediaAnalysisJob", {"JobId": "a" * 65}),
        ("ListMediaAnalysisJobs", {"MaxResults": 0}),
        ("ListMediaAnalysisJobs", {"MaxResults": 101}),
        ("ListMediaAnalysisJobs", {"NextToken": "a" * 1025}),
        ("DetectModerationLabels", {}),
        ("DetectModerationLabels", {"Image": {"Bytes": ""}}),
        ("DetectModerationLabels", {"Image": {}, "MinConfidence": 101}),
        ("DetectModerationLabels", {"Image": {}, "HumanLoopConfig": {"HumanLoopName": "a"}}),
        (
            "DetectModerationLabels",
            {
                "Image": {},
                "HumanLoopConfig": {
                    "HumanLoopName": "a",
                    "FlowDefinitionArn": "arn",
                    "DataAttributes": {"ContentClassifiers": ["FreeOfCharge"]},
                },
            },
        ),
    ],
)
def test_the_other_operations_are_checked_too(operation: str, payload: dict[str, Any]) -> None:
    assert refusal(operation, payload).name is ErrorName.INVALID_PARAMETER


def test_all_violations_are_told_at_once() -> None:
    message = refusal("StartMediaAnalysisJob", {**START, "JobName": "", "KmsKeyId": ""}).message

    assert message.startswith("2 validation errors detected: ")


@pytest.mark.parametrize(
    ("operation", "payload"),
    [
        ("StartMediaAnalysisJob", None),
        ("StartMediaAnalysisJob", []),
        ("StartMediaAnalysisJob", {**START, "Input": "s3://work/manifest.jsonl"}),
        ("StartMediaAnalysisJob", {**START, "JobName": 5}),
        ("StartMediaAnalysisJob", {**START, "JobName": "\ud800"}),
        ("StartMediaAnalysisJob", with_options(MinConfidence="30")),
        ("StartMediaAnalysisJob", with_options(MinConfidence=True)),
        ("ListMediaAnalysisJobs", {"MaxResults": 1.5}),
        ("ListMediaAnalysisJobs", {"MaxResults": True}),
        ("DetectModerationLabels", {"Image": {"Bytes": "not base64"}}),
        ("DetectModerationLabels", {"Image": {"Bytes": "é"}}),
    ],
)
def test_a_wrong_type_is_a_serialization_error(operation: str, payload: object) -> None:
    assert refusal(operation, payload).name is ErrorName.SERIALIZATION


def test_nulls_and_unknown_members_are_left_out() -> None:
    assert validate("GetMediaAnalysisJob", {"JobId": "a", "Unknown": 1}) == {"JobId": "a"}
    assert validate("StartMediaAnalysisJob", {**START, "JobName": None}) == START


def test_bytes_arrive_decoded() -> None:
    payload = {"Image": {"Bytes": base64.b64encode(b"picture").decode()}}

    assert validate("DetectModerationLabels", payload) == {"Image": {"Bytes": b"picture"}}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["S3Object", "Bucket", "Name", "DetectModerationLabels"]), inner)
    ),
)


@given(st.dictionaries(st.sampled_from([*START, "JobName", "ClientRequestToken"]), json_values))
def test_hostile_requests_raise_declared_errors_only(payload: dict[str, Any]) -> None:
    try:
        validate("StartMediaAnalysisJob", payload)
        outcome = None
    except ServiceError as error:
        outcome = error.name

    assert outcome in (None, ErrorName.SERIALIZATION, ErrorName.INVALID_PARAMETER)
