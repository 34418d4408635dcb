"""`jobs`: the media analysis jobs, with the batches they are for, what failed and what was found."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatehouse.cli.clock import Clock
from gatehouse.cli.jobs import list_command
from tests.cli.conftest import WORK, Deployed, Run
from tests.unit.aws_calls import an_error
from tests.unit.builders import NOON, result_line

BATCH = "0" * 32
FAILURE = {"Code": "INVALID_MANIFEST", "Message": "no lines"}


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_command, "CLOCK", Clock(now=lambda: NOON))


def a_job(n: int, status: str = "SUCCEEDED", *, bucket: str = WORK, hours: float = 1, **fields: Any) -> dict[str, Any]:
    """A job's description, as Rekognition returns it."""
    job_id = f"job-{n}"
    described: dict[str, Any] = {
        "JobId": job_id,
        "Status": status,
        "CreationTimestamp": (NOON - timedelta(hours=hours)).timestamp(),
        "OperationsConfig": {"DetectModerationLabels": {"MinConfidence": 30}},
        "Input": {"S3Object": {"Bucket": bucket, "Name": f"batches/{BATCH}/manifest.jsonl"}},
        "OutputConfig": {"S3Bucket": bucket},
    }
    if status == "SUCCEEDED":
        described |= {
            "CompletionTimestamp": NOON.timestamp(),
            "Results": {"S3Object": {"Bucket": bucket, "Name": f"{job_id}-results.jsonl"}, "ModelVersions": {}},
            "ManifestSummary": {"S3Object": {"Bucket": bucket, "Name": f"{job_id}-summary.json"}},
        }
    return described | fields


def serve(deployed: Deployed, *jobs: Mapping[str, Any], per_page: int = 2) -> None:
    """Have Rekognition return these jobs, newest first, some a page."""

    def page(request: Mapping[str, Any]) -> dict[str, Any]:
        start = int(json.loads(request["body"]).get("NextToken", 0))
        following = {"NextToken": str(start + per_page)} if start + per_page < len(jobs) else {}
        return {"MediaAnalysisJobs": [_times(job) for job in jobs[start : start + per_page]], **following}

    deployed.calls.answer_always("ListMediaAnalysisJobs", page)
    deployed.calls.answer_always(
        "GetMediaAnalysisJob", lambda request: _times(_named(jobs, json.loads(request["body"])["JobId"]))
    )


def _times(job: Mapping[str, Any]) -> dict[str, Any]:
    stamps = {name: datetime.fromtimestamp(job[name], UTC) for name in job if name.endswith("Timestamp")}
    return {**job, **stamps}


def _named(jobs: tuple[Mapping[str, Any], ...], job_id: str) -> Mapping[str, Any]:
    return next(job for job in jobs if job["JobId"] == job_id)


def store_output(deployed: Deployed, n: int, key: str = "line-numer") -> None:
    """What the job wrote: one image analyzed, one not."""
    errors = [{key: 2, "source-ref": "s3://uploads/b.jpg", "code": "InvalidImageFormatException", "message": "no"}]
    statistics = {"total-json-lines": 2, "valid-json-lines": 1, "invalid-json-lines": 1}
    summary = json.dumps({"version": "1.0", "statistics": statistics, "errors": errors})
    deployed.s3.put_object(Bucket=WORK, Key=f"job-{n}-summary.json", Body=summary.encode())
    lines = f"{result_line('s3://uploads/a.jpg', {'Violence': 91})}\nnot json\n"
    deployed.s3.put_object(Bucket=WORK, Key=f"job-{n}-results.jsonl", Body=lines.encode())


def listed(gatehouse: Run, *arguments: str) -> list[dict[str, Any]]:
    result = gatehouse("jobs", "list", *arguments, "--output", "json")
    assert result.exit_code == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_all_pages_are_listed_until_a_job_is_too_old(deployed: Deployed, gatehouse: Run) -> None:
    serve(deployed, *(a_job(n, hours=24 * n) for n in range(12)))

    assert [job["job_id"] for job in listed(gatehouse)] == [f"job-{n}" for n in range(8)]
    assert deployed.calls.made["ListMediaAnalysisJobs"] == 5
    assert [job["job_id"] for job in listed(gatehouse, "--since", "30d", "--limit", "1")] == ["job-0"]


def test_a_job_is_listed_with_its_batch_and_what_failed(deployed: Deployed, gatehouse: Run) -> None:
    serve(deployed, a_job(1, "FAILED", FailureDetails=FAILURE), a_job(2), a_job(3, bucket="somebody-elses"))
    store_output(deployed, 2)

    failed, succeeded = listed(gatehouse)

    assert (failed["batch_id"], failed["failure"]) == (BATCH, {"code": "INVALID_MANIFEST", "message": "no lines"})
    codes = {"InvalidImageFormatException": 1}
    assert succeeded["images"] == {"lines": 2, "analyzed": 1, "failed": 1, "codes": codes}
    assert [job["job_id"] for job in listed(gatehouse, "--status", "succeeded")] == ["job-2"]
    assert [job["batch_id"] for job in listed(gatehouse, "--all")] == [BATCH, BATCH, None]
    table = gatehouse("jobs", "list", env={"COLUMNS": "300"}).stdout
    assert "INVALID_MANIFEST" in table


@pytest.mark.parametrize("key", ["line-numer", "line-number"])
def test_a_job_is_shown_with_its_errors_and_results(deployed: Deployed, gatehouse: Run, key: str) -> None:
    serve(deployed, a_job(1))
    store_output(deployed, 1, key)

    document = json.loads(gatehouse("jobs", "show", "job-1", "--output", "json").stdout)

    assert document["errors"] == [
        {"line": 2, "object": "s3://uploads/b.jpg", "code": "InvalidImageFormatException", "message": "no"}
    ]
    (result,) = document["results_shown"]
    assert (result["object"], result["labels"][0]["name"]) == ("s3://uploads/a.jpg", "Violence")
    shown = gatehouse("jobs", "show", "job-1", env={"COLUMNS": "300"}).stdout
    assert "2 images: 1 analyzed, 1 not" in shown
    assert "Violence 91" in shown


def test_a_job_whose_files_have_expired_is_shown_without_them(deployed: Deployed, gatehouse: Run) -> None:
    serve(deployed, a_job(1))
    deployed.s3.put_object(Bucket=WORK, Key="job-1-summary.json", Body=b"[[")

    result = gatehouse("jobs", "show", "job-1")

    assert result.exit_code == 0
    assert "No results are left" in result.stdout


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnknownOperationException"])
@pytest.mark.parametrize("command", [("jobs", "list"), ("jobs", "show", "job-1")])
def test_an_account_without_bulk_is_told_both_readings(
    deployed: Deployed, gatehouse: Run, command: tuple[str, ...], code: str
) -> None:
    for operation in ("ListMediaAnalysisJobs", "GetMediaAnalysisJob"):
        deployed.calls.answer_always(operation, lambda _: an_error(code))

    result = gatehouse(*command)

    assert result.exit_code == 1
    assert "you may not ask, or it is closed to this account" in result.stderr


def test_a_job_that_is_not_known_says_so(deployed: Deployed, gatehouse: Run) -> None:
    deployed.calls.answer_always("GetMediaAnalysisJob", lambda _: an_error("ResourceNotFoundException"))

    assert "There is no job job-9 in this account and Region" in gatehouse("jobs", "show", "job-9").stderr
