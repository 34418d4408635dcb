"""Media analysis jobs, driven by a real boto3 client."""

import datetime
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.rekognition import service
from localcloud.rekognition.findings import Findings
from localcloud.rekognition.images import Image
from localcloud.rekognition.planted_labels import plant
from localcloud.rekognition.settings import RekognitionSettings
from tests.localcloud.rekognition import pictures
from tests.localcloud.rekognition.conftest import ADAPTER, NEW_ADAPTER, OLD_ADAPTER, ROLE, Rekognition, caller_of

SMOKING = plant(pictures.jpeg(), {"ModerationLabels": [{"Name": "Smoking", "Confidence": 99.4478}]})
EXPLOSION = plant(
    pictures.png(),
    {
        "ModerationLabels": [{"Name": "Explosions and Blasts", "Confidence": 92.6}],
        "ContentTypes": [{"Name": "Illustrated", "Confidence": 93.9}],
    },
)


def error_code(error: pytest.ExceptionInfo[ClientError]) -> str:
    code: str = error.value.response["Error"]["Code"]
    return code


def names(result: dict[str, Any]) -> list[str]:
    return [label["Name"] for label in result["detect-moderation-labels"]["ModerationLabels"]]


def test_a_job_answers_for_every_image_and_names_its_files(rekognition: Rekognition) -> None:
    rekognition.storage.put("uploads", "a.jpg", SMOKING)
    rekognition.storage.put("uploads", "b c+d.png", EXPLOSION)
    rekognition.storage.put("uploads", "clean.jpg", pictures.jpeg())
    rekognition.put_manifest(["a.jpg", "b c+d.png", "clean.jpg"])

    job = rekognition.run(JobName="a-job", KmsKeyId="alias/key")

    assert re.fullmatch("[0-9a-f]{64}", job["JobId"])
    assert job["Results"] == {
        "S3Object": {"Bucket": "work", "Name": f"out/{job['JobId']}-results.jsonl"},
        "ModelVersions": {"Moderation": "7.0"},
    }
    assert job["ManifestSummary"] == {
        "S3Object": {"Bucket": "work", "Name": f"out/{job['JobId']}-manifest-summary.json"}
    }
    assert (job["JobName"], job["KmsKeyId"], job["Status"]) == ("a-job", "alias/key", "SUCCEEDED")
    assert job["Input"] == {"S3Object": {"Bucket": "work", "Name": "manifest.jsonl"}}
    assert job["OperationsConfig"] == {"DetectModerationLabels": {"MinConfidence": 30}}
    assert isinstance(job["CreationTimestamp"], datetime.datetime)
    assert job["CompletionTimestamp"] >= job["CreationTimestamp"]
    assert "FailureDetails" not in job

    smoking, explosion, clean = rekognition.results(job)
    assert smoking == {
        "source-ref": "s3://uploads/a.jpg",
        "detect-moderation-labels": {
            "ModerationLabels": [
                {
                    "Confidence": 99.4478,
                    "Name": "Smoking",
                    "ParentName": "Drugs & Tobacco Paraphernalia & Use",
                    "TaxonomyLevel": 3,
                },
                {
                    "Confidence": 99.4478,
                    "Name": "Drugs & Tobacco Paraphernalia & Use",
                    "ParentName": "Drugs & Tobacco",
                    "TaxonomyLevel": 2,
                },
                {"Confidence": 99.4478, "Name": "Drugs & Tobacco", "ParentName": "", "TaxonomyLevel": 1},
            ],
            "ModerationModelVersion": "7.0",
            "ContentTypes": [],
        },
    }
    assert explosion["source-ref"] == "s3://uploads/b c+d.png"
    assert names(explosion) == ["Explosions and Blasts", "Graphic Violence", "Violence"]
    assert explosion["detect-moderation-labels"]["ContentTypes"] == [{"Confidence": 93.9, "Name": "Illustrated"}]
    assert clean["detect-moderation-labels"]["ModerationLabels"] == []
    assert rekognition.summary(job) == {
        "version": "1.0",
        "statistics": {"total-json-lines": 3, "valid-json-lines": 3, "invalid-json-lines": 0},
        "errors": [],
    }


@pytest.mark.parametrize(
    ("output", "start"),
    [
        ({"S3Bucket": "work"}, ""),
        ({"S3Bucket": "work", "S3KeyPrefix": ""}, ""),
        ({"S3Bucket": "work", "S3KeyPrefix": "a/b"}, "a/b/"),
        ({"S3Bucket": "work", "S3KeyPrefix": "a/b/"}, "a/b/"),
    ],
)
def test_the_job_id_begins_the_files_names(rekognition: Rekognition, output: dict[str, str], start: str) -> None:
    rekognition.storage.put("uploads", "a.jpg", SMOKING)
    rekognition.put_manifest(["a.jpg"])

    job = rekognition.run(OutputConfig=output)

    assert job["Results"]["S3Object"]["Name"] == f"{start}{job['JobId']}-results.jsonl"
    assert len(rekognition.results(job)) == 1


@pytest.mark.parametrize("key", ["line-numer", "line-number"])
def test_an_image_that_fails_is_told_in_the_summary_only(rekognition: Rekognition, key: str) -> None:
    rekognition.configure(line_number_key=key)
    rekognition.storage.put("uploads", "a.jpg", SMOKING)
    rekognition.storage.put("uploads", "text.jpg", b"a text")
    rekognition.storage.put("uploads", "small.jpg", pictures.jpeg(20, 20))
    rekognition.storage.put("uploads", "planted.jpg", pictures.jpeg(), {"moderation-labels": "moderation-labels/1 {}"})
    rekognition.storage.put("uploads", "secret.jpg", SMOKING)
    rekognition.storage.denied_reads.add("secret.jpg")
    rekognition.put_manifest(["text.jpg", "gone.jpg", "a.jpg", "small.jpg", "planted.jpg", "secret.jpg"])
    manifest = rekognition.storage.body("work", "manifest.jsonl") + b"{nonsense\n"
    rekognition.storage.put("work", "manifest.jsonl", manifest)

    job = rekognition.run()

    assert job["Status"] == "SUCCEEDED"
    assert [result["source-ref"] for result in rekognition.results(job)] == ["s3://uploads/a.jpg"]
    summary = rekognition.summary(job)
    assert summary["statistics"] == {"total-json-lines": 7, "valid-json-lines": 1, "invalid-json-lines": 6}
    assert [(error[key], error.get("source-ref"), error["code"]) for error in summary["errors"]] == [
        (1, "s3://uploads/text.jpg", "InvalidImageFormatException"),
        (2, "s3://uploads/gone.jpg", "InvalidS3ObjectException"),
        (4, "s3://uploads/small.jpg", "InvalidParameterException"),
        (5, "s3://uploads/planted.jpg", "InvalidParameterException"),
        (6, "s3://uploads/secret.jpg", "InvalidS3ObjectException"),
        (7, None, "InvalidManifestException"),
    ]
    assert all(error["message"] for error in summary["errors"])


def test_a_line_given_twice_is_processed_twice(rekognition: Rekognition) -> None:
    rekognition.storage.put("uploads", "a.jpg", SMOKING)
    rekognition.put_manifest(["a.jpg", "a.jpg"])

    job = rekognition.run()

    assert len(rekognition.results(job)) == 2
    assert rekognition.counters()["images_analyzed"] == {"s3://uploads/a.jpg": 2}


def test_images_are_read_when_the_job_runs(rekognition: Rekognition) -> None:
    rekognition.storage.put("uploads", "a.jpg", pictures.jpeg())
    rekognition.put_manifest(["a.jpg"])
    rekognition.switch(hold_jobs=True)
    job_id = rekognition.start()
    rekognition.job_when(job_id, lambda job: job["Status"] == "QUEUED")

    rekognition.storage.put("uploads", "a.jpg", SMOKING)
    rekognition.switch(hold_jobs=False)

    (result,) = rekognition.results(rekognition.finished(job_id))
    assert names(result)[0] == "Smoking"


def test_a_manifest_can_be_pinned_to_a_version(rekognition: Rekognition) -> None:
    rekognition.storage.put("uploads", "a.jpg", SMOKING)
    rekognition.put_manifest(["a.jpg"])
    rekognition.put_manifest(["other.jpg"])

    job = rekognition.run(Input={"S3Object": {"Bucket": "work", "Name": "manifest.jsonl", "Version": "v1"}})

    assert [result["source-ref"] for result in rekognition.results(job)] == ["s3://uploads/a.jpg"]


def test_everything_is_read_as_the_caller(rekognition: Rekognition) -> None:
    rekognition.storage.put("uploads", "a.jpg", SMOKING)
    rekognition.put_manifest(["a.jpg"])

    rekognition.run()

    assert {caller.role_arn for caller, *_ in rekognition.storage.reads} == {ROLE}


def test_min_confidence_is_50_if_the_job_gives_none(rekognition: Rekognition) -> None:
    half = plant(
        pictures.jpeg(),
        {"ModerationLabels": [{"Name": "Gambling", "Confidence": 50}, {"Name": "Violence", "Confidence": 49}]},
    )
    rekognition.storage.put("uploads", "a.jpg", half)
    rekognition.put_manifest(["a.jpg"])

    (result,) = rekognition.results(rekognition.run(OperationsConfig={"DetectModerationLabels": {}}))

    assert names(result) == ["Gambling"]


def test_a_token_protects_against_a_second_job(rekognition: Rekognition) -> None:
    rekognition.put_manifest(["a.jpg"])

    first = rekognition.start(ClientRequestToken="batch-1")

    assert rekognition.start(ClientRequestToken="batch-1") == first
    assert rekognition.start(ClientRequestToken="batch-2") != first
    assert rekognition.counters()["jobs_started"] == 2
    with pytest.raises(ClientError) as error:
        rekognition.start(ClientRequestToken="batch-1", JobName="other")
    assert error_code(error) == "IdempotentParameterMismatchException"


def test_starting_at_the_same_moment_with_one_token_makes_one_job(rekognition: Rekognition) -> None:
    rekognition.put_manifest(["a.jpg"])
    rekognition.switch(hold_jobs=True)
    both_read_the_manifest = threading.Barrier(2, timeout=20)
    rekognition.storage.before_read = both_read_the_manifest.wait

    with ThreadPoolExecutor(2) as pool:
        ids = list(pool.map(lambda _: rekognition.start(ClientRequestToken="batch-1"), range(2)))

    assert len(set(ids)) == 1
    assert rekognition.counters()["jobs_started"] == 1


def test_a_full_quota_refuses_until_a_job_has_ended(rekognition: Rekognition) -> None:
    rekognition.put_manifest(["a.jpg"])
    rekognition.switch(hold_jobs=True, concurrent_jobs=2)
    held = [rekognition.start(ClientRequestToken=f"batch-{number}") for number in range(2)]

    with pytest.raises(ClientError) as error:
        rekognition.start()
    assert error_code(error) == "LimitExceededException"
    assert error.value.response["Error"]["Message"] == f"2 open Jobs for User {ROLE} Maximum limit: 2"
    assert rekognition.start(ClientRequestToken="batch-0") == held[0]

    rekognition.switch(hold_jobs=False)
    for job_id in held:
        rekognition.finished(job_id)
    assert rekognition.run()["Status"] == "SUCCEEDED"


def test_an_empty_manifest_is_refused_at_once(rekognition: Rekognition) -> None:
    rekognition.storage.put("work", "manifest.jsonl", b"")

    with pytest.raises(ClientError) as error:
        rekognition.start()
    assert error_code(error) == "InvalidManifestException"
    assert rekognition.counters()["jobs_started"] == 0


def test_a_manifest_above_10000_lines_is_refused_at_once(rekognition: Rekognition) -> None:
    rekognition.put_manifest(["a.jpg"] * 10_001)

    with pytest.raises(ClientError) as error:
        rekognition.start()
    assert error_code(error) == "InvalidManifestException"


@pytest.mark.parametrize("denied", [True, False])
def test_a_manifest_the_caller_cannot_read_is_an_invalid_s3_object(rekognition: Rekognition, denied: bool) -> None:
    if denied:
        rekognition.put_manifest(["a.jpg"])
        rekognition.storage.denied_reads.add("manifest.jsonl")

    with pytest.raises(ClientError) as error:
        rekognition.start()
    assert error_code(error) == "InvalidS3ObjectException"
    assert error.value.response["Error"]["Message"].startswith("Unable to get object metadata from S3.")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda storage: storage.denied_reads.add("manifest.jsonl"), "ACCESS_DENIED"),
        (lambda storage: storage.put("work", "manifest.jsonl", b""), "INVALID_MANIFEST"),
        (lambda storage: storage.denied_writes.add("out/"), "ACCESS_DENIED"),
        (lambda storage: storage.missing_buckets.add("work"), "INVALID_OUTPUT_CONFIG"),
        (lambda storage: setattr(storage, "broken", OSError("disk on fire")), "INTERNAL_ERROR"),
    ],
    ids=["manifest denied", "manifest emptied", "output denied", "output bucket gone", "storage broken"],
)
def test_what_goes_wrong_after_the_start_fails_the_job(rekognition: Rekognition, spoil: Any, code: str) -> None:
    rekognition.storage.put("uploads", "a.jpg", SMOKING)
    rekognition.put_manifest(["a.jpg"])
    rekognition.switch(hold_jobs=True)
    job_id = rekognition.start()

    spoil(rekognition.storage)
    rekognition.switch(hold_jobs=False)

    job = rekognition.finished(job_id)
    assert (job["Status"], job["FailureDetails"]["Code"]) == ("FAILED", code)
    assert job["FailureDetails"]["Message"]
    assert "CompletionTimestamp" in job
    assert not {"Results", "ManifestSummary"} & set(job)


def test_a_manifest_deleted_before_the_job_runs_fails_it(rekognition: Rekognition) -> None:
    rekognition.put_manifest(["a.jpg"])
    rekognition.switch(hold_jobs=True)
    job_id = rekognition.start()

    rekognition.storage.forget("work", "manifest.jsonl")
    rekognition.switch(hold_jobs=False)

    assert rekognition.finished(job_id)["FailureDetails"]["Code"] == "INVALID_S3_OBJECT"


class BrokenModel:
    def analyze(self, image: Image) -> Findings:
        raise ZeroDivisionError("no neurons")


def test_a_model_that_breaks_fails_the_job_with_its_message(rekognition: Rekognition) -> None:
    service.configure(rekognition.storage, caller_of, RekognitionSettings(job_seconds=0), BrokenModel())
    rekognition.storage.put("uploads", "a.jpg", SMOKING)
    rekognition.put_manifest(["a.jpg"])

    assert rekognition.run()["FailureDetails"] == {
        "Code": "INTERNAL_ERROR",
        "Message": "ZeroDivisionError: no neurons",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"OperationsConfig": {}},
        {"Input": {"S3Object": {"Bucket": "work"}}},
        {"Input": {"S3Object": {"Name": "manifest.jsonl"}}},
    ],
)
def test_a_request_that_asks_for_nothing_is_an_invalid_parameter(
    rekognition: Rekognition, changes: dict[str, Any]
) -> None:
    rekognition.put_manifest(["a.jpg"])

    with pytest.raises(ClientError) as error:
        rekognition.start(**changes)
    assert error_code(error) == "InvalidParameterException"


def test_an_adapter_is_named_in_every_result_that_it_made(rekognition: Rekognition) -> None:
    rekognition.storage.put("uploads", "a.jpg", SMOKING)
    rekognition.put_manifest(["a.jpg"])

    (with_adapter,) = rekognition.results(rekognition.run(OperationsConfig=using(ADAPTER)))
    (with_expired,) = rekognition.results(rekognition.run(OperationsConfig=using(OLD_ADAPTER)))

    assert with_adapter["detect-moderation-labels"]["ProjectVersion"] == ADAPTER
    assert "ProjectVersion" not in with_expired["detect-moderation-labels"]


@pytest.mark.parametrize(
    ("adapter", "code"),
    [(NEW_ADAPTER, "ResourceNotReadyException"), (ADAPTER[:-1] + "9", "ResourceNotFoundException")],
)
def test_an_adapter_that_cannot_be_used_refuses_the_job(rekognition: Rekognition, adapter: str, code: str) -> None:
    rekognition.put_manifest(["a.jpg"])

    with pytest.raises(ClientError) as error:
        rekognition.start(OperationsConfig=using(adapter))
    assert error_code(error) == code


def using(adapter: str) -> dict[str, Any]:
    return {"DetectModerationLabels": {"MinConfidence": 30, "ProjectVersion": adapter}}


def test_an_unknown_job_is_not_found(rekognition: Rekognition) -> None:
    with pytest.raises(ClientError) as error:
        rekognition.job("0" * 64)
    assert error_code(error) == "ResourceNotFoundException"


def test_jobs_are_listed_newest_first_in_pages(rekognition: Rekognition) -> None:
    rekognition.put_manifest(["a.jpg"])
    ids = [rekognition.run()["JobId"] for _ in range(5)]

    listed: list[str] = []
    page = rekognition.client.list_media_analysis_jobs(MaxResults=2)
    listed += [job["JobId"] for job in page["MediaAnalysisJobs"]]
    while "NextToken" in page:
        page = rekognition.client.list_media_analysis_jobs(MaxResults=2, NextToken=page["NextToken"])
        listed += [job["JobId"] for job in page["MediaAnalysisJobs"]]

    assert listed == ids[::-1]
    everything = rekognition.client.list_media_analysis_jobs()
    assert [job["Status"] for job in everything["MediaAnalysisJobs"]] == ["SUCCEEDED"] * 5
    assert "NextToken" not in everything


@pytest.mark.parametrize(
    ("request_", "code"),
    [({"MaxResults": 101}, "InvalidParameterException"), ({"NextToken": "x"}, "InvalidPaginationTokenException")],
)
def test_a_list_request_out_of_bounds_is_refused(rekognition: Rekognition, request_: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as error:
        rekognition.client.list_media_analysis_jobs(**request_)
    assert error_code(error) == code


def test_10000_tiny_images_are_analyzed_in_one_job(rekognition: Rekognition) -> None:
    rekognition.storage.put("uploads", "a.jpg", SMOKING)
    rekognition.put_manifest(["a.jpg"] * 10_000)

    job = rekognition.run()

    assert len(rekognition.results(job)) == 10_000


def test_a_reset_forgets_jobs_and_silences_those_that_run(rekognition: Rekognition) -> None:
    rekognition.storage.put("uploads", "a.jpg", SMOKING)
    rekognition.put_manifest(["a.jpg"])
    rekognition.configure(job_seconds=3600)
    job_id = rekognition.start()
    rekognition.job_when(job_id, lambda job: job["Status"] == "IN_PROGRESS")

    (thread,) = (thread for thread in threading.enumerate() if thread.name == f"rekognition-job-{job_id[:8]}")

    service.reset()

    thread.join(20)
    assert not thread.is_alive()
    assert rekognition.client.list_media_analysis_jobs()["MediaAnalysisJobs"] == []
    assert rekognition.storage.keys("work") == ["manifest.jsonl"]


def test_jobs_survive_a_restart(rekognition: Rekognition) -> None:
    rekognition.storage.put("uploads", "a.jpg", SMOKING)
    rekognition.put_manifest(["a.jpg"])
    before = rekognition.run(ClientRequestToken="batch-1")
    state = json.loads(json.dumps(service.get_state()))

    rekognition.configure()
    service.load_persisted_state(state)

    after = rekognition.job(before["JobId"])
    assert {**after, "ResponseMetadata": None} == {**before, "ResponseMetadata": None}
    assert rekognition.start(ClientRequestToken="batch-1") == before["JobId"]


def test_an_empty_state_is_no_error(rekognition: Rekognition) -> None:
    service.load_persisted_state(None)

    assert service.get_state() == {"jobs": []}
