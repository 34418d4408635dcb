"""Projects and adapters: the calls, a training with its files, and what the trained adapter answers."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.rekognition.planted_labels import plant
from tests.localcloud.rekognition import pictures
from tests.localcloud.rekognition.conftest import Rekognition

PROJECT = {"ProjectName": "shop", "Feature": "CONTENT_MODERATION", "AutoUpdate": "ENABLED"}


def refused(call: Callable[..., Any], **request: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**request)
    code: str = error.value.response["Error"]["Code"]
    return code


def put_training_data(
    rekognition: Rekognition, bucket: str = "training", **labels: tuple[str | None, str | None]
) -> None:
    """Images by name, each with what the base model finds in it and what people say it has."""
    lines = []
    for name, (found, truth) in labels.items():
        picture = pictures.jpeg()
        if found:
            picture = plant(picture, {"ModerationLabels": [{"Name": found, "Confidence": 90}]})
        rekognition.storage.put(bucket, name, picture)
        entries = [{"Name": truth}] if truth else []
        line = {"source-ref": f"s3://{bucket}/{name}", "content-moderation-groundtruth": {"ModerationLabels": entries}}
        lines.append(json.dumps(line))
    rekognition.storage.put(bucket, "manifest.jsonl", "\n".join(lines).encode())


def version_request(rekognition: Rekognition, name: str = "first", **changes: Any) -> dict[str, Any]:
    found = rekognition.client.describe_projects(Features=["CONTENT_MODERATION"])["ProjectDescriptions"]
    arn = found[0]["ProjectArn"] if found else rekognition.client.create_project(**PROJECT)["ProjectArn"]
    place = {"S3Object": {"Bucket": "training", "Name": "manifest.jsonl"}}
    return {
        "ProjectArn": arn,
        "VersionName": name,
        "OutputConfig": {"S3Bucket": "work", "S3KeyPrefix": "out"},
        "TrainingData": {"Assets": [{"GroundTruthManifest": place}]},
        "TestingData": {"AutoCreate": True},
        "FeatureConfig": {"ContentModeration": {"ConfidenceThreshold": 70}},
        **changes,
    }


def trained(rekognition: Rekognition, request: dict[str, Any]) -> dict[str, Any]:
    """The version at the end of its training."""
    arn = rekognition.client.create_project_version(**request)["ProjectVersionArn"]
    deadline = time.monotonic() + 20
    while True:
        answer = rekognition.client.describe_project_versions(
            ProjectArn=request["ProjectArn"], VersionNames=[request["VersionName"]]
        )
        (version,) = answer["ProjectVersionDescriptions"]
        assert version["ProjectVersionArn"] == arn
        if version["Status"] != "TRAINING_IN_PROGRESS":
            found: dict[str, Any] = version
            return found
        assert time.monotonic() < deadline, version
        time.sleep(0.01)


def test_a_project_is_found_by_its_feature_and_its_name(rekognition: Rekognition) -> None:
    client = rekognition.client
    arn = client.create_project(**PROJECT)["ProjectArn"]

    (found,) = client.describe_projects(Features=["CONTENT_MODERATION"], ProjectNames=["shop"])["ProjectDescriptions"]

    assert (found["ProjectArn"], found["AutoUpdate"], found["Status"]) == (arn, "ENABLED", "CREATED")
    assert client.describe_projects()["ProjectDescriptions"] == []  # of Custom Labels
    assert client.describe_projects(Features=["CONTENT_MODERATION"], ProjectNames=["x"])["ProjectDescriptions"] == []
    assert refused(client.create_project, **PROJECT) == "ResourceInUseException"


@pytest.mark.parametrize(
    "changes", [{"Feature": "CUSTOM_LABELS"}, {"AutoUpdate": None}, {"ProjectName": "no spaces"}, {"Feature": "OTHER"}]
)
def test_a_project_needs_what_moderation_needs(rekognition: Rekognition, changes: dict[str, Any]) -> None:
    request = {name: value for name, value in {**PROJECT, **changes}.items() if value is not None}

    assert refused(rekognition.client.create_project, **request) == "InvalidParameterException"


def test_projects_come_in_pages(rekognition: Rekognition) -> None:
    for n in range(5):
        rekognition.client.create_project(**{**PROJECT, "ProjectName": f"p{n}"})

    pages = rekognition.client.get_paginator("describe_projects").paginate(
        Features=["CONTENT_MODERATION"], PaginationConfig={"PageSize": 2}
    )

    assert [len(page["ProjectDescriptions"]) for page in pages] == [2, 2, 1]
    token = {"NextToken": "x", "Features": ["CONTENT_MODERATION"]}
    assert refused(rekognition.client.describe_projects, **token) == "InvalidPaginationTokenException"


def test_a_training_ends_with_the_documented_files(rekognition: Rekognition) -> None:
    put_training_data(
        rekognition,
        a=("Gambling", None),
        b=("Gambling", None),
        c=("Violence", "Violence"),
        d=(None, None),
        e=(None, None),
    )

    version = trained(rekognition, version_request(rekognition))

    assert version["Status"] == "TRAINING_COMPLETED"
    assert version["Feature"] == "CONTENT_MODERATION"
    place = version["TestingDataResult"]["Output"]["Assets"][0]["GroundTruthManifest"]["S3Object"]
    (line,) = [json.loads(text) for text in rekognition.storage.body(place["Bucket"], place["Name"]).splitlines()]
    assert line["source-ref"] == "s3://training/a"
    assert line["content-moderation-groundtruth"] == {"ModerationLabels": []}
    assert [label["Name"] for label in line["detect-moderation-labels-base-model"]["ModerationLabels"]] == ["Gambling"]
    assert line["detect-moderation-labels"]["ModerationLabels"] == []
    summary = version["EvaluationResult"]["Summary"]["S3Object"]
    evaluation = json.loads(rekognition.storage.body(summary["Bucket"], summary["Name"]))
    assert evaluation["EvaluationDetails"]["NumberOfTrainingImages"] == 4
    assert evaluation["AggregatedEvaluationResults"]["F1Score"] == version["EvaluationResult"]["F1Score"]


def test_a_trained_adapter_answers_until_it_is_deleted(rekognition: Rekognition) -> None:
    put_training_data(rekognition, "training", **{str(n): ("Gambling", None) for n in range(5)})
    version = trained(rekognition, version_request(rekognition))
    arn = version["ProjectVersionArn"]
    picture = plant(pictures.jpeg(), {"ModerationLabels": [{"Name": "Gambling", "Confidence": 90}]})

    def names(**asked: str) -> tuple[list[str], str | None]:
        answer = rekognition.client.detect_moderation_labels(Image={"Bytes": picture}, **asked)
        return [label["Name"] for label in answer["ModerationLabels"]], answer.get("ProjectVersion")

    assert names() == (["Gambling"], None)
    assert names(ProjectVersion=arn) == ([], arn)
    rekognition.switch(adapters={arn: "EXPIRED"})
    assert names(ProjectVersion=arn) == (["Gambling"], None)
    rekognition.switch(adapters={})
    assert rekognition.client.delete_project_version(ProjectVersionArn=arn)["Status"] == "DELETING"
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        names(ProjectVersion=arn)
    assert refused(rekognition.client.delete_project_version, ProjectVersionArn=arn) == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (b"", "is empty"),
        (b'{"source-ref": "s3://training/a"}', "has no content-moderation-groundtruth"),
        (
            b'{"source-ref":"s3://training/a","content-moderation-groundtruth":{"ModerationLabels":[{"Name":"x"}]}}',
            "no moderation label",
        ),
        (
            b'{"source-ref": "s3://training/gone", "content-moderation-groundtruth": {"ModerationLabels": []}}',
            "s3://training/gone can't be used",
        ),
    ],
)
def test_a_training_on_bad_data_fails_and_says_why(rekognition: Rekognition, manifest: bytes, told: str) -> None:
    put_training_data(rekognition, a=(None, None))
    rekognition.storage.put("training", "manifest.jsonl", manifest)

    version = trained(rekognition, version_request(rekognition))

    assert version["Status"] == "TRAINING_FAILED"
    assert told in version["StatusMessage"]


def test_a_training_reads_and_writes_as_its_caller(rekognition: Rekognition) -> None:
    put_training_data(rekognition, a=(None, None), b=(None, None))
    rekognition.storage.denied_writes.add("out/first/evaluation_summary.json")

    assert trained(rekognition, version_request(rekognition))["Status"] == "TRAINING_FAILED"
    rekognition.storage.denied_reads.add("manifest.jsonl")
    assert trained(rekognition, version_request(rekognition, "second"))["Status"] == "TRAINING_FAILED"


def test_a_version_needs_both_sets_of_data_and_a_new_name(rekognition: Rekognition) -> None:
    put_training_data(rekognition, a=(None, None), b=(None, None))
    request = version_request(rekognition)
    create = rekognition.client.create_project_version

    assert refused(create, **{name: request[name] for name in request if name != "TestingData"}) == (
        "InvalidParameterException"
    )
    assert refused(create, **{**request, "ProjectArn": request["ProjectArn"][:-1] + "0"}) == "ResourceNotFoundException"
    trained(rekognition, request)
    assert refused(create, **request) == "ResourceInUseException"
