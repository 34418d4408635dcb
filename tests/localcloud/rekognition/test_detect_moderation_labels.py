"""DetectModerationLabels, driven by a real boto3 client."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.rekognition.images import MOST_BYTES_IN_A_REQUEST, MOST_BYTES_OF_AN_OBJECT
from localcloud.rekognition.planted_labels import plant
from tests.localcloud.rekognition import pictures
from tests.localcloud.rekognition.conftest import ADAPTER, NEW_ADAPTER, OLD_ADAPTER, Rekognition

EXPLOSION = plant(
    pictures.jpeg(),
    {
        "ModerationLabels": [{"Name": "Explosions and Blasts", "Confidence": 92.6}],
        "ContentTypes": [{"Name": "Illustrated", "Confidence": 93.9}],
    },
)
IN_S3 = {"S3Object": {"Bucket": "uploads", "Name": "a.jpg"}}


def detect(rekognition: Rekognition, image: dict[str, Any], **options: Any) -> dict[str, Any]:
    response: dict[str, Any] = rekognition.client.detect_moderation_labels(Image=image, **options)
    return response


def refusal(rekognition: Rekognition, image: dict[str, Any], **options: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        detect(rekognition, image, **options)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def names(response: dict[str, Any]) -> list[str]:
    return [label["Name"] for label in response["ModerationLabels"]]


def test_bytes_and_object_give_the_published_explosion(rekognition: Rekognition) -> None:
    rekognition.storage.put("uploads", "a.jpg", EXPLOSION)

    for image in ({"Bytes": EXPLOSION}, IN_S3):
        response = detect(rekognition, image)
        assert [(label["Name"], label["Confidence"]) for label in response["ModerationLabels"]] == [
            ("Explosions and Blasts", 92.6),
            ("Graphic Violence", 92.6),
            ("Violence", 92.6),
        ]
        assert response["ContentTypes"] == [{"Confidence": 93.9, "Name": "Illustrated"}]
        assert response["ModerationModelVersion"] == "7.0"
        assert "ProjectVersion" not in response


def test_a_clean_image_has_an_empty_list(rekognition: Rekognition) -> None:
    assert detect(rekognition, {"Bytes": pictures.png()})["ModerationLabels"] == []


def test_min_confidence_is_50_if_none_is_given(rekognition: Rekognition) -> None:
    document = {"ModerationLabels": [{"Name": "Gambling", "Confidence": 50}, {"Name": "Violence", "Confidence": 49}]}
    image = {"Bytes": plant(pictures.png(), document)}

    assert names(detect(rekognition, image)) == ["Gambling"]
    assert names(detect(rekognition, image, MinConfidence=0)) == ["Gambling", "Violence"]
    assert names(detect(rekognition, image, MinConfidence=50.5)) == []


def test_a_version_is_read_as_asked(rekognition: Rekognition) -> None:
    rekognition.storage.put("uploads", "a.jpg", EXPLOSION)
    rekognition.storage.put("uploads", "a.jpg", pictures.jpeg())

    assert names(detect(rekognition, IN_S3)) == []
    assert (
        names(detect(rekognition, {"S3Object": {**IN_S3["S3Object"], "Version": "v1"}}))[0] == "Explosions and Blasts"
    )


def test_metadata_of_the_object_can_hold_the_plant(rekognition: Rekognition) -> None:
    text = 'moderation-labels/1 {"ModerationLabels": [{"Name": "Gambling", "Confidence": 77}]}'
    rekognition.storage.put("uploads", "a.jpg", pictures.jpeg(), {"moderation-labels": text})

    assert names(detect(rekognition, IN_S3)) == ["Gambling"]


def test_images_in_s3_are_counted_once_they_have_an_answer(rekognition: Rekognition) -> None:
    refusal(rekognition, IN_S3)
    rekognition.storage.put("uploads", "a.jpg", EXPLOSION)
    detect(rekognition, IN_S3)

    assert rekognition.counters()["images_analyzed"] == {"s3://uploads/a.jpg": 1}


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b"a text", "InvalidImageFormatException", "Request has invalid image format"),
        (b"", "InvalidImageFormatException", "Request has invalid image format"),
        (EXPLOSION[:-2], "InvalidImageFormatException", "Request has invalid image format"),
        (EXPLOSION.ljust(MOST_BYTES_OF_AN_OBJECT + 1), "ImageTooLargeException", "Image size is too large"),
        (pictures.jpeg(20, 20), "InvalidParameterException", "Request has invalid parameters"),
        (
            pictures.commented_jpeg(b"moderation-labels/1 {}"),
            "InvalidParameterException",
            "Request has invalid parameters: planted labels",
        ),
    ],
    ids=["text", "empty", "cut off", "too large", "too small", "malformed plant"],
)
def test_an_image_that_cannot_be_analyzed_is_refused(
    rekognition: Rekognition, body: bytes, code: str, message: str
) -> None:
    rekognition.storage.put("uploads", "a.jpg", body)

    told_code, told = refusal(rekognition, IN_S3)

    assert told_code == code
    assert told.startswith(message)


def test_an_error_does_not_quote_a_whole_plant(rekognition: Rekognition) -> None:
    plant = {"ModerationLabels": [{"Name": "x" * 60_000, "Confidence": 1}]}
    body = pictures.commented_jpeg(b"moderation-labels/1 " + json.dumps(plant).encode())

    _, told = refusal(rekognition, {"Bytes": body})

    assert "xxx" in told
    assert len(told) < 400


def test_bytes_above_5_megabytes_are_too_large(rekognition: Rekognition) -> None:
    largest = EXPLOSION.ljust(MOST_BYTES_IN_A_REQUEST)

    assert names(detect(rekognition, {"Bytes": largest}))
    assert refusal(rekognition, {"Bytes": largest + b" "})[0] == "ImageTooLargeException"


@pytest.mark.parametrize("denied", [True, False])
def test_an_object_the_caller_cannot_read_is_invalid(rekognition: Rekognition, denied: bool) -> None:
    if denied:
        rekognition.storage.put("uploads", "a.jpg", EXPLOSION)
        rekognition.storage.denied_reads.add("a.jpg")

    code, message = refusal(rekognition, IN_S3)

    assert code == "InvalidS3ObjectException"
    assert message.startswith(
        "Unable to get object metadata from S3. Check object key, region and/or access permissions."
    )


@pytest.mark.parametrize("image", [{}, {"Bytes": b"a", **IN_S3}, {"S3Object": {"Bucket": "uploads"}}])
def test_an_image_is_either_bytes_or_a_named_object(rekognition: Rekognition, image: dict[str, Any]) -> None:
    assert refusal(rekognition, image)[0] == "InvalidParameterException"


def test_adapters_are_used_ignored_or_refused_by_their_status(rekognition: Rekognition) -> None:
    image = {"Bytes": EXPLOSION}

    assert detect(rekognition, image, ProjectVersion=ADAPTER)["ProjectVersion"] == ADAPTER
    assert "ProjectVersion" not in detect(rekognition, image, ProjectVersion=OLD_ADAPTER)
    assert refusal(rekognition, image, ProjectVersion=NEW_ADAPTER)[0] == "ResourceNotReadyException"
    assert refusal(rekognition, image, ProjectVersion=ADAPTER[:-1] + "9")[0] == "ResourceNotFoundException"


def test_a_human_loop_needs_a_flow_definition_which_there_is_none_of(rekognition: Rekognition) -> None:
    loop = {"HumanLoopName": "loop", "FlowDefinitionArn": "arn:aws:sagemaker:us-east-1:111122223333:flow-definition/a"}

    assert refusal(rekognition, {"Bytes": EXPLOSION}, HumanLoopConfig=loop)[0] == "ResourceNotFoundException"


def test_a_rate_quota_throttles(rekognition: Rekognition) -> None:
    rekognition.configure(requests_per_second={"DetectModerationLabels": 0.001})
    detect(rekognition, {"Bytes": EXPLOSION})

    assert refusal(rekognition, {"Bytes": EXPLOSION}) == (
        "ProvisionedThroughputExceededException",
        "Provisioned Rate exceeded",
    )
