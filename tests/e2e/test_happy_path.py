"""From upload to verdict and flag, through the unmodified stacks, with IAM enforced."""

import json
from collections import Counter
from decimal import Decimal

import pytest

from demo.pipeline import DemoUpload
from demo.samples import sample_images
from gatehouse.moderation.status import FLAGGED, Status
from gatehouse.moderation.verdict_item import STATUS
from localcloud.rekognition.planted_labels import plant
from tests.e2e.pipeline import Pipeline

EXPECTED = {
    "sunset.jpg": Status.APPROVED,
    "illustrated-explosion.jpg": Status.REVIEW,
    "beach-umbrella.jpg": Status.REVIEW,
    "wine-still-life.jpg": Status.APPROVED,
    "cigarette.png": Status.REVIEW,
    "gray-card.png": Status.BLOCKED,
    "party/50% off + 🎉 for you.png": Status.APPROVED,
    "notes.jpg": Status.UNSUPPORTED,
    "empty.jpg": Status.UNSUPPORTED,
    "sunset.gif": Status.APPROVED,
}
SAMPLES = {sample.key: sample.body for sample in sample_images()}


@pytest.fixture
def samples_uploaded(pipeline: Pipeline, prefix: str) -> dict[str, str]:
    """The samples under the test's own prefix; key -> version id."""
    return pipeline.upload_many(DemoUpload(prefix + key, body) for key, body in SAMPLES.items())


def test_every_sample_gets_the_verdict_the_shipped_policy_gives_it(
    pipeline: Pipeline, prefix: str, samples_uploaded: dict[str, str]
) -> None:
    items = pipeline.wait_for_verdicts(len(SAMPLES), prefix)

    assert {item["key"].removeprefix(prefix): item[STATUS] for item in items} == EXPECTED
    assert {item["key"]: item["version_id"] for item in items} == samples_uploaded


def test_every_flagged_sample_and_no_other_is_received_by_a_subscriber_that_filters(
    pipeline: Pipeline, prefix: str, samples_uploaded: dict[str, str]
) -> None:
    pipeline.wait_for_verdicts(len(SAMPLES), prefix)
    flagged = {prefix + key: status for key, status in EXPECTED.items() if status in FLAGGED}

    flags = pipeline.wait_for_flags(len(flagged), prefix)

    assert {flag["object"]["key"]: flag["status"] for flag in flags} == flagged
    assert {flag["object"]["version_id"] for flag in flags} == {samples_uploaded[key] for key in flagged}


def test_the_published_example_keeps_its_labels_with_parents_and_content_type(pipeline: Pipeline, prefix: str) -> None:
    key = f"{prefix}illustrated-explosion.jpg"
    pipeline.upload(key, SAMPLES["illustrated-explosion.jpg"])
    (item,) = pipeline.wait_for_verdicts(1, prefix)

    labels = {label["name"]: (label["parent"], label["level"], label["confidence"]) for label in item["labels"]}

    assert labels == {
        "Violence": ("", 1, Decimal("92.6")),
        "Graphic Violence": ("Violence", 2, Decimal("92.6")),
        "Explosions and Blasts": ("Graphic Violence", 3, Decimal("92.6")),
    }
    assert [(entry["name"], entry["confidence"]) for entry in item["content_types"]] == [
        ("Illustrated", Decimal("93.9"))
    ]
    assert [reason["label"] for reason in item["reasons"]] == ["Explosions and Blasts"]


def test_labels_planted_in_the_objects_metadata_count_as_well(pipeline: Pipeline, prefix: str) -> None:
    plant_text = 'moderation-labels/1 {"ModerationLabels": [{"Name": "Smoking", "Confidence": 99.4}]}'
    pipeline.cloud.client("s3").put_object(
        Bucket=pipeline.upload_bucket,
        Key=f"{prefix}sunset.jpg",
        Body=SAMPLES["sunset.jpg"],
        Metadata={"moderation-labels": plant_text},
    )

    (item,) = pipeline.wait_for_verdicts(1, prefix)

    assert item[STATUS] == Status.REVIEW


def test_a_new_version_of_an_object_gets_a_verdict_of_its_own(pipeline: Pipeline, prefix: str) -> None:
    key = f"{prefix}picture.jpg"
    first = pipeline.upload(key, SAMPLES["illustrated-explosion.jpg"])
    pipeline.wait_for_verdicts(1, prefix)
    second = pipeline.upload(key, SAMPLES["sunset.jpg"])
    pipeline.wait_for_verdicts(2, prefix)

    newest = pipeline.verdict(key)

    assert newest is not None
    assert (newest["version_id"], newest[STATUS]) == (second, Status.APPROVED)
    assert [item["version_id"] for item in pipeline.verdicts(prefix)] == [first, second]


def test_the_pipeline_leaves_nothing_in_the_watched_bucket_but_the_uploads(
    pipeline: Pipeline, prefix: str, samples_uploaded: dict[str, str]
) -> None:
    pipeline.wait_for_verdicts(len(SAMPLES), prefix)

    pages = (
        pipeline.cloud.client("s3")
        .get_paginator("list_object_versions")
        .paginate(Bucket=pipeline.upload_bucket, Prefix=prefix)
    )
    found = [(version["Key"], version["VersionId"]) for page in pages for version in page.get("Versions", [])]

    assert sorted(found) == sorted(samples_uploaded.items())


def test_flags_carry_attributes_that_a_raw_subscription_delivers(pipeline: Pipeline, prefix: str) -> None:
    queues = pipeline.cloud.client("sqs")
    url = pipeline.new_flag_queue({"categories": ["Drugs & Tobacco"]})
    pipeline.upload(f"{prefix}cigarette.png", SAMPLES["cigarette.png"])
    pipeline.upload(f"{prefix}explosion.jpg", SAMPLES["illustrated-explosion.jpg"])
    pipeline.wait_for_verdicts(2, prefix)
    pipeline.wait_for_flags(2, prefix)

    messages = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])["Messages"]

    assert [json.loads(message["Body"])["object"]["key"] for message in messages] == [f"{prefix}cigarette.png"]
    attributes = messages[0]["MessageAttributes"]
    assert attributes["status"]["StringValue"] == "REVIEW"
    assert json.loads(attributes["categories"]["StringValue"]) == ["Drugs & Tobacco"]
    assert float(attributes["max_confidence"]["StringValue"]) == 96.4


def test_hundreds_of_uploads_become_a_verdict_each_and_a_flag_for_each_flagged_one(
    pipeline: Pipeline, prefix: str
) -> None:
    pipeline.let_call(250)
    clean = SAMPLES["sunset.jpg"]
    flagged = plant(clean, {"ModerationLabels": [{"Name": "Smoking", "Confidence": 91.5}]})

    pipeline.upload_many(
        DemoUpload(f"{prefix}{number:04}.jpg", clean if number % 5 else flagged) for number in range(400)
    )
    items = pipeline.wait_for_verdicts(400, prefix, deadline=180)
    flags = pipeline.wait_for_flags(80, prefix)

    assert Counter(item[STATUS] for item in items) == {Status.APPROVED: 320, Status.REVIEW: 80}
    assert len({item["object"] for item in items}) == 400
    assert Counter(flag["object"]["key"] for flag in flags) == {
        f"{prefix}{number:04}.jpg": 1 for number in range(0, 400, 5)
    }
    assert pipeline.dead_letters() == []
