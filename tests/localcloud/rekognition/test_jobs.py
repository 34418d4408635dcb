import json
from typing import Any

import pytest

from localcloud.rekognition.caller import Caller
from localcloud.rekognition.errors import ErrorName, ServiceError
from localcloud.rekognition.job import FailureCode, Job, JobFailure, JobStatus, Output
from localcloud.rekognition.jobs import Jobs

CALLER = Caller("AKIA", None, "111122223333", "us-east-1")
OTHERS = [
    Caller("AKIA", None, "999999999999", "us-east-1"),
    Caller("AKIA", None, "111122223333", "eu-west-1"),
]


def request(token: str | None = None, name: str = "a") -> dict[str, Any]:
    made: dict[str, Any] = {
        "JobName": name,
        "OperationsConfig": {"DetectModerationLabels": {}},
        "Input": {"S3Object": {"Bucket": "work", "Name": "manifest.jsonl"}},
        "OutputConfig": {"S3Bucket": "work"},
    }
    return {**made, "ClientRequestToken": token} if token else made


def created(jobs: Jobs, caller: Caller = CALLER, **details: Any) -> Job:
    job, is_new = jobs.create(caller, request(**details), 100)
    assert is_new
    return job


def test_an_id_is_64_lower_case_hexadecimal_digits() -> None:
    job = created(Jobs())

    assert len(job.id) == 64
    assert set(job.id) <= set("0123456789abcdef")


def test_a_token_repeated_gives_the_same_job_even_after_it_failed_and_with_no_room_left() -> None:
    jobs = Jobs()
    first = created(jobs, token="t")
    jobs.fail(first.id, JobFailure(FailureCode.INTERNAL_ERROR, "no"))

    again, is_new = jobs.create(CALLER, request(token="t"), 0)

    assert (again.id, again.status, is_new) == (first.id, JobStatus.FAILED, False)


def test_a_token_with_other_parameters_is_a_mismatch() -> None:
    jobs = Jobs()
    created(jobs, token="t")

    with pytest.raises(ServiceError, match="The ClientRequestToken: t you have supplied is already in use") as caught:
        jobs.create(CALLER, request(token="t", name="b"), 100)
    assert caught.value.name is ErrorName.IDEMPOTENT_PARAMETER_MISMATCH


@pytest.mark.parametrize("other", OTHERS)
def test_accounts_and_regions_share_nothing(other: Caller) -> None:
    jobs = Jobs()
    job = created(jobs, token="t")

    assert created(jobs, caller=other, token="t").id != job.id
    jobs.check_quota(other, 2)
    assert len(jobs.page(other, None, 100)[0]) == 1
    with pytest.raises(ServiceError) as caught:
        jobs.get(other, job.id)
    assert caught.value.name is ErrorName.RESOURCE_NOT_FOUND


def test_every_open_job_counts_against_the_quota_and_a_finished_one_does_not() -> None:
    jobs = Jobs()
    waiting, running, failed, succeeded = (created(jobs) for _ in range(4))
    jobs.advance(waiting.id, JobStatus.QUEUED)
    jobs.advance(running.id, JobStatus.IN_PROGRESS)
    jobs.fail(failed.id, JobFailure(FailureCode.THROTTLED, "no"))
    jobs.succeed(succeeded.id, Output("r", "s", "7.0"))

    jobs.check_quota(CALLER, 3)
    with pytest.raises(ServiceError) as caught:
        jobs.create(CALLER, request(), 2)
    assert caught.value.name is ErrorName.LIMIT_EXCEEDED
    assert caught.value.message == "2 open Jobs for User arn:aws:iam::111122223333:root Maximum limit: 2"


def test_pages_go_from_the_newest_to_the_oldest_undisturbed_by_new_jobs() -> None:
    jobs = Jobs()
    ids = [created(jobs).id for _ in range(5)]

    page, token = jobs.page(CALLER, None, 2)
    seen = [job.id for job in page]
    while token is not None:
        created(jobs)
        page, token = jobs.page(CALLER, token, 2)
        seen += [job.id for job in page]

    assert seen == ids[::-1]


def test_a_page_that_ends_with_the_last_job_has_no_token() -> None:
    jobs = Jobs()
    for _ in range(2):
        created(jobs)

    assert jobs.page(CALLER, None, 2)[1] is None


@pytest.mark.parametrize("token", ["", "nonsense", "YWZ0ZXI6YQ==", "é", "===="])
def test_a_foreign_pagination_token_is_refused(token: str) -> None:
    jobs = Jobs()
    created(jobs)

    with pytest.raises(ServiceError) as caught:
        jobs.page(CALLER, token, 2)
    assert caught.value.name is ErrorName.INVALID_PAGINATION_TOKEN


def test_jobs_survive_as_json_and_open_ones_have_failed_then() -> None:
    jobs = Jobs()
    still_open, failed, succeeded = (created(jobs, token=token) for token in "abc")
    jobs.fail(failed.id, JobFailure(FailureCode.ACCESS_DENIED, "no"))
    jobs.succeed(succeeded.id, Output("r", "s", "7.0"))

    restored = Jobs()
    restored.restore(json.loads(json.dumps(jobs.document())))

    assert restored.get(CALLER, failed.id) == jobs.get(CALLER, failed.id)
    assert restored.get(CALLER, succeeded.id) == jobs.get(CALLER, succeeded.id)
    lost = restored.get(CALLER, still_open.id)
    assert lost.failure is not None
    assert (lost.status, lost.failure.code) == (JobStatus.FAILED, FailureCode.INTERNAL_ERROR)
    assert restored.find_repeated(CALLER, request(token="c")) == succeeded_now(jobs, succeeded)


def succeeded_now(jobs: Jobs, job: Job) -> Job:
    return jobs.get(CALLER, job.id)
