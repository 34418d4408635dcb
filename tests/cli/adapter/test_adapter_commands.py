"""`adapter`: from decisions to training data, to an adapter, to whether it is any better."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from gatehouse.cli.adapter import export_command, train_command
from gatehouse.cli.clock import Clock
from gatehouse.moderation.decision import confirm
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from tests.cli.conftest import STANDARD, UPLOADS, Deployed, Run, policy_of
from tests.cli.review.conftest import KIM, MO, a_sample, acts, approved_by, blocked_by, in_review
from tests.unit.builders import NOON, a_claim, a_verdict, an_upload

TRAINING = "training"
PROJECT = "arn:aws:rekognition:us-east-1:123456789012:project/shop/1"
ARN = "arn:aws:rekognition:us-east-1:123456789012:project/shop/version/first/2"
TRAIN = ("--manifest", f"s3://{TRAINING}/first/manifest.jsonl", "--project", "shop", "--version", "first")
AT = "2026-11-22T14:00:00.000Z"


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """It is noon; the seconds that commands waited."""
    waited: list[float] = []
    for module in (export_command, train_command):
        monkeypatch.setattr(module, "CLOCK", Clock(now=lambda: NOON, pause=waited.append))
    return waited


def answer(truth: str | None, adapter: Mapping[str, float], base: Mapping[str, float]) -> str:
    """A line of the testing manifest."""

    def labels(found: Mapping[str, float]) -> dict[str, Any]:
        return {"ModerationLabels": [{"Name": name, "Confidence": n, "ParentName": ""} for name, n in found.items()]}

    return json.dumps(
        {
            "source-ref": f"s3://{TRAINING}/1.jpg",
            "content-moderation-groundtruth": {"ModerationLabels": [{"Name": truth}] if truth else []},
            "detect-moderation-labels": labels(adapter),
            "detect-moderation-labels-base-model": labels(base),
        }
    )


BETTER = (answer(None, {}, {"Violence": 60}), answer("Violence", {"Violence": 95}, {"Violence": 91}))


def serve_adapters(
    deployed: Deployed, *statuses: str, lines: tuple[str, ...] = BETTER, known: bool = True
) -> list[dict[str, Any]]:
    """Have Rekognition know a project with one adapter, in these statuses one after the other; what it was asked."""
    left, asked = list(statuses or ["TRAINING_COMPLETED"]), []
    deployed.s3.create_bucket(Bucket=TRAINING)
    body = "".join(f"{line}\n" for line in lines).encode()
    deployed.s3.put_object(Bucket=TRAINING, Key="first/output/testing.jsonl", Body=body)

    def version(_: Mapping[str, Any]) -> dict[str, Any]:
        status = left.pop(0) if len(left) > 1 else left[0]
        described: dict[str, Any] = {
            "ProjectVersionArn": ARN,
            "Status": status,
            "StatusMessage": "why",
            "CreationTimestamp": NOON,
            "BaseModelVersion": "7.0",
        }
        if status not in ("TRAINING_IN_PROGRESS", "TRAINING_FAILED"):
            place = {"S3Object": {"Bucket": TRAINING, "Name": "first/output/testing.jsonl"}}
            described["TestingDataResult"] = {"Output": {"Assets": [{"GroundTruthManifest": place}]}}
            described["EvaluationResult"] = {"F1Score": 0.5}
        return {"ProjectVersionDescriptions": [described]}

    def create(request: Mapping[str, Any]) -> dict[str, Any]:
        asked.append(json.loads(request["body"]))
        return {"ProjectArn": PROJECT, "ProjectVersionArn": ARN}

    projects = [{"ProjectArn": PROJECT, "AutoUpdate": "ENABLED"}] if known else []
    deployed.calls.answer_always("DescribeProjects", lambda _: {"ProjectDescriptions": projects})
    deployed.calls.answer_always("DescribeProjectVersions", version)
    for operation in ("CreateProject", "CreateProjectVersion"):
        deployed.calls.answer_always(operation, create)
    return asked


def stored(deployed: Deployed, key: str) -> Upload:
    """An upload whose version is in the bucket."""
    deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    written = deployed.s3.put_object(Bucket=UPLOADS, Key=key, Body=key.encode())
    return an_upload(key, version_id=written["VersionId"], etag=written["ETag"].strip('"'))


def exported(deployed: Deployed, gatehouse: Run, *arguments: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The report, and the manifest's lines."""
    line = ("adapter", "export", "--to", f"s3://{TRAINING}/first/", "--since", "2d", "--yes", "--output", "json")
    result = gatehouse(*line, *arguments)
    assert result.exit_code == 0, result.stderr
    keys = [entry["Key"] for entry in deployed.s3.list_objects_v2(Bucket=TRAINING).get("Contents", [])]
    lines: list[dict[str, Any]] = []
    if "first/manifest.jsonl" in keys:
        body = deployed.s3.get_object(Bucket=TRAINING, Key="first/manifest.jsonl")["Body"].read()
        lines = [json.loads(text) for text in body.splitlines()]
    return json.loads(result.stdout), lines


def test_decisions_become_training_data_with_the_very_bytes(deployed: Deployed, gatehouse: Run) -> None:
    deployed.s3.create_bucket(Bucket=TRAINING)
    toy, knife, good = (stored(deployed, f"{name}.jpg") for name in ("toy", "knife", "good"))
    deployed.s3.put_object(Bucket=UPLOADS, Key="toy.jpg", Body=b"other bytes")
    deployed.put(
        acts(in_review(toy), approved_by(MO)),
        acts(in_review(knife), blocked_by(KIM)),
        acts(a_sample(good), confirm(KIM, None, AT)),
        in_review("waits.jpg"),
    )

    report, lines = exported(deployed, gatehouse)

    assert report["images"] == 3
    assert report["labels"]["Violence"] == {"labeled": 1, "false_positives": 1, "false_negatives": 0}
    assert len(report["warnings"]) == 1
    found = {}
    for line in lines:
        bucket, _, key = line["source-ref"].removeprefix("s3://").partition("/")
        body = deployed.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        found[body] = line["content-moderation-groundtruth"]["ModerationLabels"]
    assert found == {b"toy.jpg": [], b"knife.jpg": [{"Name": "Violence"}], b"good.jpg": []}


def test_what_is_gone_or_has_no_label_is_left_out_and_counted(deployed: Deployed, gatehouse: Run) -> None:
    deployed.s3.create_bucket(Bucket=TRAINING)
    gone, missed = stored(deployed, "gone.jpg"), stored(deployed, "missed.jpg")
    failed = stored(deployed, "failed.jpg")
    deployed.s3.delete_object(Bucket=UPLOADS, Key="gone.jpg", VersionId=str(gone.version_id))
    deployed.put(
        acts(in_review(gone), approved_by(MO)),
        acts(a_sample(missed), blocked_by(MO)),
        acts(a_verdict(Status.FAILED, a_claim(failed)), approved_by(MO)),
    )

    report, lines = exported(deployed, gatehouse)
    labeled, _ = exported(deployed, gatehouse, "--label", "spam=Gambling", "--dry-run")

    assert (report["gone"], report["unlabeled"], report["unjudged"], lines) == (1, 1, 1, [])
    assert report["warnings"] == ["No image: nothing can be trained."]
    assert labeled["labels"]["Gambling"] == {"labeled": 1, "false_positives": 0, "false_negatives": 1}


def test_overwritten_bytes_of_an_unversioned_bucket_are_not_exported(deployed: Deployed, gatehouse: Run) -> None:
    deployed.s3.create_bucket(Bucket=TRAINING)
    etag = deployed.s3.put_object(Bucket=UPLOADS, Key="a.jpg", Body=b"old")["ETag"].strip('"')
    deployed.s3.put_object(Bucket=UPLOADS, Key="a.jpg", Body=b"new")
    deployed.put(acts(in_review(an_upload("a.jpg", etag=etag)), approved_by(MO)))

    report, lines = exported(deployed, gatehouse)

    assert (report["gone"], lines) == (1, [])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--to", f"s3://{UPLOADS}/x"), "where copies would be moderated"),
        (("--to", "training/x"), "is not s3://bucket/prefix"),
        (("--to", "s3://training/a b"), "is not s3://bucket/prefix"),
        (("--to", "s3://training", "--label", "spam=Nothing"), "does not end in a moderation label"),
    ],
)
def test_a_place_or_a_label_that_can_not_be_is_refused(
    deployed: Deployed, gatehouse: Run, arguments: tuple[str, ...], told: str
) -> None:
    result = gatehouse("adapter", "export", *arguments, "--yes")

    assert result.exit_code == 1
    assert told in result.stderr


def test_a_training_is_started_waited_for_and_told_what_to_write(
    deployed: Deployed, gatehouse: Run, pauses: list[float]
) -> None:
    asked = serve_adapters(deployed, "TRAINING_IN_PROGRESS", "TRAINING_IN_PROGRESS", "TRAINING_COMPLETED", known=False)
    # The project is there as soon as it was created.
    answers = iter([[], [{"ProjectArn": PROJECT}]])
    last: list[dict[str, Any]] = []

    def projects(_: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal last
        last = next(answers, last)
        return {"ProjectDescriptions": last}

    deployed.calls.answer_always("DescribeProjects", projects)

    result = gatehouse("adapter", "train", *TRAIN, "--threshold", "60", "--yes")

    assert result.exit_code == 0, result.stderr
    assert f"adapter: {ARN}" in result.stdout
    assert pauses == [60.0, 60.0]
    created, version = asked
    assert created == {"ProjectName": "shop", "Feature": "CONTENT_MODERATION", "AutoUpdate": "ENABLED"}
    place = {"S3Object": {"Bucket": TRAINING, "Name": "first/manifest.jsonl"}}
    assert version == {
        "ProjectArn": PROJECT,
        "VersionName": "first",
        "OutputConfig": {"S3Bucket": TRAINING, "S3KeyPrefix": "first/output"},
        "TrainingData": {"Assets": [{"GroundTruthManifest": place}]},
        "TestingData": {"AutoCreate": True},
        "FeatureConfig": {"ContentModeration": {"ConfidenceThreshold": 60.0}},
    }


def test_a_training_that_fails_says_why(deployed: Deployed, gatehouse: Run) -> None:
    asked = serve_adapters(deployed, "TRAINING_FAILED")

    result = gatehouse("adapter", "train", *TRAIN, "--yes")

    assert result.exit_code == 1
    assert "TRAINING_FAILED: why" in result.stdout
    assert len(asked) == 1  # the project was there


@pytest.mark.parametrize(
    ("status", "told"), [("DEPRECATED", "expires 60 to 90 days after"), ("EXPIRED", "ignores it in silence")]
)
def test_adapters_that_end_are_named(deployed: Deployed, gatehouse: Run, status: str, told: str) -> None:
    serve_adapters(deployed, status)

    result = gatehouse("adapter", "list", env={"COLUMNS": "200"})

    assert status in result.stdout
    assert told in result.stdout
    (document,) = json.loads(gatehouse("adapter", "list", "--output", "json").stdout)
    assert (document["arn"], document["status"], document["auto_update"]) == (ARN, status, "ENABLED")


def test_an_adapter_is_compared_at_our_thresholds(deployed: Deployed, gatehouse: Run) -> None:
    deployed.record(policy_of(STANDARD))
    serve_adapters(deployed, lines=(*BETTER, "{}"))

    result = gatehouse("adapter", "compare", ARN, "--policy", "standard", "--output", "json")
    words = gatehouse("adapter", "compare", ARN, "--policy", "standard", env={"COLUMNS": "200"})

    assert result.exit_code == 0
    document = json.loads(result.stdout)
    (found,) = document["policies"]
    assert (found["images"], document["unreadable"]) == (2, 1)
    assert (found["base"]["wrong_flags"]["count"], found["adapter"]["wrong_flags"]["count"]) == (1, 0)
    assert f"adapter: {ARN}" in words.stdout


def test_an_adapter_that_is_not_better_ends_with_3(deployed: Deployed, gatehouse: Run) -> None:
    deployed.record(policy_of(STANDARD))
    serve_adapters(deployed, lines=(answer("Violence", {}, {"Violence": 95}), *[BETTER[0]] * 3))

    result = gatehouse("adapter", "compare", ARN, "--policy", "standard")

    assert result.exit_code == 3
    assert "not better by every policy" in result.stdout


def test_an_adapter_without_an_evaluation_or_that_is_not_there_is_not_compared(
    deployed: Deployed, gatehouse: Run
) -> None:
    serve_adapters(deployed, "TRAINING_IN_PROGRESS")

    assert "has no evaluation: it is TRAINING_IN_PROGRESS" in gatehouse("adapter", "compare", ARN).stderr
    for arn in (ARN[:-1] + "9", "arn:nothing"):
        assert f"There is no adapter {arn}" in gatehouse("adapter", "compare", arn).stderr
