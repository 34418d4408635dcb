"""The bulk engine in the analysis workflow: its path through every outcome, and how long it is patient."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from gatehouse.configuration.call_rate import CallRate
from gatehouse.moderation.batch import Batch, bulk_output_prefix, execution_key, manifest_key
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.lane import Lane
from lambdas.results.bulk_run import BulkRun
from lambdas.results.image_run import ImageRun
from lambdas.results.request import Request
from stacks.constructs.workflow.bulk_engine_states import MAX_JOBS, TRANSIENT_FAILURES
from tests.stacks.workflow import (
    ADAPTER,
    ID,
    IN_PROGRESS,
    JOB,
    SUCCEEDED,
    Workflow,
    answering,
    batch_document,
    failed_job,
    patience,
    retrier_of,
    settled,
)
from tests.stacks.workflow_run import Run, TaskError
from tests.unit.builders import a_policy

#: Events an execution's history may have (Step Functions Developer Guide, service quotas). One that reaches it fails,
#: and can't be redriven.
HISTORY = 25_000

#: The state a lane's engine starts a job in.
STARTS = {"bulk": "Start job", "auto": "Try to start job"}

#: So many uploads are no work for the image engine, so `auto` asks for a job.
MANY = 10_000

#: Passes of the image engine over a batch at most: one over all or the leftovers, the others over stragglers.
IMAGE_PASSES = 1 + sum(each.is_of_stragglers for each in ImagePass)


def job_given_to_results(run: Run) -> dict[str, Any]:
    """What Results was told of the job. The image engine had no part in it."""
    (call,) = run.calls["Write verdicts"]
    payload = dict(call["Payload"])
    assert isinstance(Request.parse(payload).analysis, BulkRun)  # the function takes what the workflow sends
    assert payload.pop("batch_id") == ID
    job: dict[str, Any] = payload.pop("job")
    assert payload == {"images": None, "fallback": None}
    return job


def requests(run: Run) -> list[Request]:
    return [Request.parse(call["Payload"]) for call in run.calls["Write verdicts"]]


def test_the_batches_of_these_tests_are_like_those_of_the_batcher() -> None:
    batch = Batch.of(ID, Lane(name="default"), {"standard": a_policy()}, "2026-01-01T00:00:00Z", [])

    assert json.loads(batch.execution("work")) == batch_document("auto", 0)


@pytest.mark.parametrize("engine", STARTS)
def test_a_batch_is_analyzed_by_a_job_and_its_verdicts_written(live: Workflow, engine: str) -> None:
    done = live.run(batch_document(engine, MANY))

    looks = [] if engine == "bulk" else ["Look at chunk queue", "How soon?"]
    assert done.states == [
        *("Read batch", "Which engine?", *looks, STARTS[engine], "Wait for job", "Get job", "Job done?"),
        *("Write verdicts", "Analyzed?", "Done"),
    ]
    assert done.calls["Read batch"] == [{"Bucket": "work", "Key": execution_key(ID)}]
    assert done.calls["Get job"] == [{"JobId": JOB}]
    assert job_given_to_results(done) == {
        "job_id": JOB,
        "results": {"bucket": "work", "key": "results.jsonl"},
        "summary": {"bucket": "work", "key": "summary.json"},
        "failure": None,
    }
    assert done.output == settled()["Payload"]


@pytest.mark.parametrize("engine", Engine)
def test_a_batch_with_nothing_to_analyze_is_given_to_no_engine(
    live: Workflow, fast: Workflow, backfill: Workflow, engine: Engine
) -> None:
    for workflow in (live, fast, backfill):
        done = workflow.run(batch_document(engine, analyzable=0))

        assert done.states[-4:] == ["Which engine?", "Write verdicts", "Analyzed?", "Done"]
        assert set(done.calls) <= {"Read batch", "Count batches ahead", "Write verdicts"}
        assert job_given_to_results(done) == {"job_id": None, "results": None, "summary": None, "failure": None}


@pytest.mark.parametrize("adapter", [None, ADAPTER])
@pytest.mark.parametrize("engine", STARTS)
def test_the_job_is_asked_for_as_the_api_wants_it(live: Workflow, engine: str, adapter: str | None) -> None:
    (request,) = live.run(batch_document(engine, MANY, adapter=adapter)).calls[STARTS[engine]]

    assert request["OperationsConfig"] == {
        "DetectModerationLabels": {"MinConfidence": 30.0, **({"ProjectVersion": adapter} if adapter else {})}
    }
    assert request["Input"] == {"S3Object": {"Bucket": "work", "Name": manifest_key(ID)}}
    assert request["OutputConfig"] == {"S3Bucket": "work", "S3KeyPrefix": bulk_output_prefix(ID)}
    assert request["ClientRequestToken"] == request["JobName"] == f"{ID}-1"


def test_a_summary_that_is_not_there_is_null(live: Workflow) -> None:
    without = {name: value for name, value in SUCCEEDED.items() if name not in ("ManifestSummary", "Results")}

    job = job_given_to_results(live.run(batch_document("bulk"), Get_job=answering(without)))

    assert (job["results"], job["summary"], job["failure"]) == (None, None, None)


@pytest.mark.parametrize("engine", STARTS)
@pytest.mark.parametrize("code", TRANSIENT_FAILURES)
def test_a_job_that_failed_for_a_passing_reason_is_started_anew_under_a_new_token(
    live: Workflow, engine: str, code: str
) -> None:
    start = answering({"JobId": "one"}, {"JobId": "two"})

    done = live.run(
        batch_document(engine, MANY),
        Get_job=answering(failed_job(code), SUCCEEDED),
        **{STARTS[engine].replace(" ", "_"): start},
    )

    assert [call["ClientRequestToken"] for call in done.calls[STARTS[engine]]] == [f"{ID}-1", f"{ID}-2"]
    assert [call["JobId"] for call in done.calls["Get job"]] == ["one", "two"]
    assert done.waits[1] == 60
    job = job_given_to_results(done)
    assert (job["job_id"], job["failure"]) == ("two", None)
    assert done.states[-1] == "Done"


def test_three_jobs_are_started_at_most(live: Workflow) -> None:
    done = live.run(batch_document("bulk"), Get_job=answering(failed_job("THROTTLED", "slow down")))

    assert len(done.calls["Start job"]) == MAX_JOBS == 3
    assert job_given_to_results(done)["failure"] == {"code": "THROTTLED", "message": "slow down"}
    assert done.failure == ("THROTTLED", "slow down")


REASONS = [
    ({"Code": "ACCESS_DENIED", "Message": "no"}, ("ACCESS_DENIED", "no")),
    ({"Code": "INVALID_MANIFEST"}, ("INVALID_MANIFEST", "Rekognition gave no reason")),
    ({"Code": "INVALID_MANIFEST", "Message": ""}, ("INVALID_MANIFEST", "Rekognition gave no reason")),
    ({}, ("Unknown", "Rekognition gave no reason")),
    (None, ("Unknown", "Rekognition gave no reason")),
]


def failed_with(details: Mapping[str, str] | None) -> dict[str, Any]:
    return {"Status": "FAILED"} | ({} if details is None else {"FailureDetails": details})


@pytest.mark.parametrize(("details", "expected"), REASONS)
def test_a_job_that_failed_for_good_ends_in_results_and_a_failed_execution_where_only_bulk_will_do(
    live: Workflow, details: dict[str, str] | None, expected: tuple[str, str]
) -> None:
    done = live.run(batch_document("bulk"), Get_job=answering(failed_with(details)))

    assert len(done.calls["Start job"]) == 1
    assert job_given_to_results(done)["failure"] == {"code": expected[0], "message": expected[1]}
    assert done.failure == expected


@pytest.mark.parametrize(("details", "expected"), REASONS)
def test_a_job_that_failed_for_good_leaves_its_batch_to_the_image_engine_under_auto(
    live: Workflow, details: dict[str, str] | None, expected: tuple[str, str]
) -> None:
    done = live.run(batch_document("auto", MANY), Get_job=answering(failed_with(details)))

    (request,) = requests(done)
    assert request.fallback is not None
    assert (request.fallback.failure.code, request.fallback.failure.message) == expected
    assert request.fallback.is_refusal is False
    assert isinstance(request.analysis, ImageRun)
    assert done.calls["Write verdicts"][0]["Payload"]["job"] == dict.fromkeys(
        ("job_id", "results", "summary", "failure")
    )
    assert done.failure is None


def test_three_failed_jobs_leave_a_batch_to_the_image_engine_under_auto(live: Workflow) -> None:
    done = live.run(batch_document("auto", MANY), Get_job=answering(failed_job("THROTTLED", "slow down")))

    (request,) = requests(done)
    assert len(done.calls["Try to start job"]) == MAX_JOBS
    assert request.fallback is not None
    assert (request.fallback.failure.code, request.fallback.is_refusal) == ("THROTTLED", False)
    assert done.states[-1] == "Done"


@pytest.mark.parametrize("cause", ["Access denied (Service: Rekognition)", "", None])
def test_a_refused_start_ends_in_results_and_a_failed_execution_where_only_bulk_will_do(
    live: Workflow, cause: str | None
) -> None:
    refusal = TaskError("Rekognition.AccessDeniedException", cause)

    done = live.run(batch_document("bulk"), Start_job=answering(refusal))

    message = cause or "Rekognition.AccessDeniedException"
    job = job_given_to_results(done)
    assert job["failure"] == {"code": "Rekognition.AccessDeniedException", "message": message}
    assert job["job_id"] is None
    assert done.failure == ("Rekognition.AccessDeniedException", message)


#: Errors of a start, and whether they say that the account, the role or the Region can't have bulk.
REFUSALS = {
    "Rekognition.AccessDeniedException": True,
    "Rekognition.InvalidS3ObjectException": True,  # the role can't read the manifest or write the results
    "Rekognition.RekognitionException": True,  # what the API's model does not know
    "Rekognition.IdempotentParameterMismatchException": False,
    "Rekognition.InternalServerErrorException": False,
    "Rekognition.InvalidManifestException": False,
    "Rekognition.InvalidParameterException": False,
    "Rekognition.LimitExceededException": False,  # all slots were taken for as long as it was tried
    "Rekognition.ProvisionedThroughputExceededException": False,
    "Rekognition.ResourceNotFoundException": False,
    "Rekognition.ResourceNotReadyException": False,
    "Rekognition.ThrottlingException": False,
    "States.QueryEvaluationError": False,
    "States.Timeout": False,
}


@pytest.mark.parametrize("cause", ["the reason", None])
@pytest.mark.parametrize("error", REFUSALS)
def test_whatever_keeps_a_job_from_starting_leaves_its_batch_to_the_image_engine_under_auto(
    live: Workflow, backfill: Workflow, error: str, cause: str | None
) -> None:
    for workflow in (live, backfill):
        done = workflow.run(batch_document("auto", MANY), Try_to_start_job=answering(TaskError(error, cause)))

        (call,) = done.calls["Write verdicts"]
        assert call["Payload"]["fallback"] == {
            "code": error.removeprefix("States."),
            "message": cause or error,
            "is_refusal": REFUSALS[error],
        }
        assert isinstance(Request.parse(call["Payload"]).analysis, ImageRun)
        assert (done.states[-1], done.failure) == ("Done", None)
        assert len(done.calls["Try to start job"]) == 1  # it is not asked for again
        assert "Start job" not in done.calls


def test_a_refusal_of_a_later_attempt_is_the_one_that_is_told(live: Workflow) -> None:
    done = live.run(
        batch_document("auto", MANY),
        Try_to_start_job=answering({"JobId": "one"}, TaskError("Rekognition.AccessDeniedException", "closed")),
        Get_job=answering(failed_job("INTERNAL_ERROR")),
    )

    (request,) = requests(done)
    assert request.fallback is not None
    assert (request.fallback.failure.message, request.fallback.is_refusal) == ("closed", True)
    assert done.failure is None


def test_a_job_that_cannot_be_found_is_given_up(live: Workflow) -> None:
    lost = TaskError("Rekognition.ResourceNotFoundException", "no such job")

    done = live.run(batch_document("bulk"), Get_job=answering(lost))

    assert job_given_to_results(done)["failure"] == {
        "code": "Rekognition.ResourceNotFoundException",
        "message": "no such job",
    }


@pytest.mark.parametrize(
    ("get", "code"),
    [
        (TaskError("Rekognition.ResourceNotFoundException", "no such job"), "Rekognition.ResourceNotFoundException"),
        (IN_PROGRESS, "DeadlineExceeded"),
    ],
    ids=["lost", "late"],
)
def test_a_job_that_is_lost_or_late_leaves_its_batch_to_the_image_engine_under_auto(
    live: Workflow, get: Any, code: str
) -> None:
    done = live.run(batch_document("auto", MANY), Get_job=answering(get))

    (request,) = requests(done)
    assert request.fallback is not None
    assert (request.fallback.failure.code, request.fallback.is_refusal) == (code, False)
    assert isinstance(request.analysis, ImageRun)
    assert (done.states[-1], done.failure) == ("Done", None)
    assert len(done.calls["Try to start job"]) == 1


@pytest.mark.parametrize("engine", STARTS)
@pytest.mark.parametrize("error", ["AccessDeniedException", "ThrottlingException", "RekognitionException"])
def test_a_running_job_that_may_not_be_looked_at_is_left_to_a_redrive(live: Workflow, engine: str, error: str) -> None:
    done = live.run(batch_document(engine, MANY), Get_job=answering(TaskError(f"Rekognition.{error}", "not now")))

    assert done.failure == (f"Rekognition.{error}", "not now")
    assert not {"Write verdicts", "Analyze images"} & set(done.states)


def test_looks_grow_rarer_as_a_job_ages(live: Workflow) -> None:
    waits = live.run(batch_document("bulk"), Get_job=answering(*[IN_PROGRESS] * 25, SUCCEEDED)).waits

    assert waits == sorted(waits)
    assert waits[-1] == 150
    assert all(wait <= max(20, sum(waits[:n]) / 2) for n, wait in enumerate(waits))


def test_a_job_of_hours_is_looked_at_every_few_minutes(live: Workflow) -> None:
    waits = live.run(batch_document("bulk"), Get_job=answering(*[IN_PROGRESS] * 120, SUCCEEDED)).waits

    assert waits == sorted(waits)
    assert waits[-1] == 600
    late = [n for n, wait in enumerate(waits) if wait > 150]
    assert all(waits[n] <= sum(waits[:n]) / 24 for n in late)
    assert sum(waits[: late[0]]) >= 3600


def test_a_job_that_takes_too_long_is_given_up_after_the_deadline_and_not_before(live: Workflow) -> None:
    done = live.run(batch_document("bulk", job_deadline_seconds=3600), Get_job=answering(IN_PROGRESS))

    assert 3600 <= sum(done.waits) < 3600 + 150
    job = job_given_to_results(done)
    assert job["failure"]["code"] == "DeadlineExceeded"
    assert f"the job {JOB} was still IN_PROGRESS after " in job["failure"]["message"]
    assert done.failure is not None
    assert done.failure[0] == "DeadlineExceeded"


@pytest.mark.parametrize("engine", STARTS)
def test_a_job_found_done_at_the_deadline_counts(live: Workflow, engine: str) -> None:
    done = live.run(batch_document(engine, MANY, job_deadline_seconds=1))

    assert done.states[-1] == "Done"
    assert job_given_to_results(done)["failure"] is None


def test_each_attempt_has_the_whole_deadline(live: Workflow) -> None:
    almost = [IN_PROGRESS] * 3

    done = live.run(
        batch_document("bulk", job_deadline_seconds=100),
        Get_job=answering(*almost, failed_job("INTERNAL_ERROR"), *almost, SUCCEEDED),
    )

    assert sum(done.waits) - 60 > 100
    assert done.states[-1] == "Done"


@pytest.mark.parametrize("engine", STARTS)
@pytest.mark.parametrize("priority", ["live", "live_in_large_region", "backfill"])
def test_three_jobs_of_a_day_each_stay_within_an_executions_history(
    request: pytest.FixtureRequest, priority: str, engine: str
) -> None:
    """The worst there is: each slot is waited for to the end, and the image engine follows, and answers nothing."""
    workflow: Workflow = request.getfixturevalue(priority)
    start = STARTS[engine]
    day = len(workflow.run(batch_document("bulk"), Get_job=answering(IN_PROGRESS)).calls["Get job"])
    a_day_for_nothing = [*[IN_PROGRESS] * (day - 1), failed_job("THROTTLED")]
    last = [*[IN_PROGRESS] * (day - 1), SUCCEEDED if engine == "bulk" else failed_job("THROTTLED")]

    done = workflow.run(
        batch_document(engine, MANY),
        Get_job=answering(*a_day_for_nothing * (MAX_JOBS - 1), *last),
        Write_verdicts=answering(*all_passes(leftovers=engine == "bulk")),
    )

    assert len(done.calls["Get job"]) == MAX_JOBS * day
    assert done.states.count("Analyze images") == IMAGE_PASSES
    slots = retrier_of(workflow.states[start], "Rekognition.LimitExceededException")["MaxAttempts"]
    again = len(done.calls[start]) * slots
    assert events(done) + 3 * again < HISTORY


@pytest.mark.parametrize("calls_per_second", [0.715, 5, 50, 250])
def test_an_image_engine_that_answers_nothing_stays_within_an_executions_history(
    live: Workflow, calls_per_second: float
) -> None:
    """Also with the smallest chunks, where the account's rate is small."""
    rate, rendered = CallRate(calls_per_second), CallRate(5)
    definition = json.dumps(live.definition)
    for old, new in (
        (f": {rendered.chunk_size}, $max(", f": {rate.chunk_size}, $max("),
        (f"$passSize / {rendered.workers})", f"$passSize / {rate.workers})"),
    ):
        assert old in definition
        definition = definition.replace(old, new)

    done = Workflow(json.loads(definition)).run(
        batch_document("image", MANY), Write_verdicts=answering(*all_passes(leftovers=False))
    )

    assert done.states.count("Analyze images") == IMAGE_PASSES
    assert events(done) < HISTORY / 2


def all_passes(*, leftovers: bool) -> list[Any]:
    """What Results says where nothing is ever answered: all uploads are asked about again, in every pass there is."""
    again = [each for each in ImagePass if each.is_of_stragglers]
    passes = [ImagePass.LEFTOVERS, *again] if leftovers else again
    return [*(settled(MANY, each) for each in passes), settled()]


def events(run: Run) -> int:
    """Events that a run leaves in the history, where every task succeeded at once.

    A task is entered, scheduled, started, ended and left; one that waits for its token is submitted, too. A Map is
    entered, started, ended and left, and each item is started and ended. Any other state is entered and left. Two are
    the execution's.
    """
    tasks = sum(len(calls) for name, calls in run.calls.items() if name != "Analyze chunk")
    maps = run.states.count("Analyze images")
    return 2 + 2 * len(run.states) + 3 * tasks + 2 * maps + (2 + 6) * len(run.iterations)


def test_verdicts_that_could_not_be_written_leave_an_execution_to_redrive(
    live: Workflow, fast: Workflow, backfill: Workflow
) -> None:
    for workflow in (live, fast, backfill):
        assert "Catch" not in workflow.states["Write verdicts"]
        assert "Catch" not in workflow.states["Read batch"]


def test_hopeless_errors_are_told_from_the_rest_before_the_rest(live: Workflow) -> None:
    for name in ("Start job", "Get job"):
        hopeless, *_, rest = live.states[name]["Retry"]

        assert hopeless["MaxAttempts"] == 0
        assert "Rekognition.InvalidParameterException" in hopeless["ErrorEquals"]
        assert "States.TaskFailed" in rest["ErrorEquals"]
    denied = retrier_of(live.states["Start job"], "Rekognition.AccessDeniedException")
    assert denied["MaxAttempts"] == 3


def test_what_stops_an_execution_was_tried_for_hours(live: Workflow, fast: Workflow, backfill: Workflow) -> None:
    """It is redriven a few times only, and then others take its uploads over, which may pay for them again."""
    for workflow in (live, fast, backfill):
        for name, state in workflow.states.items():
            if state["Type"] != "Task" or "States.ALL" in str(state.get("Catch")):
                continue
            for error in ("Rekognition.AccessDeniedException", "S3.S3Exception"):
                names = {error, "States.TaskFailed"}
                retrier = next(each for each in state["Retry"] if names & set(each["ErrorEquals"]))
                mean = retrier["MaxDelaySeconds"] / 2  # full jitter
                assert retrier["MaxAttempts"] * mean > 4 * 3600, name


def test_what_the_image_engine_can_do_at_once_is_not_tried_again_by_bulk(live: Workflow, backfill: Workflow) -> None:
    for workflow in (live, backfill):
        for error in ("AccessDeniedException", "RekognitionException", "InvalidManifestException"):
            assert retrier_of(workflow.states["Try to start job"], f"Rekognition.{error}")["MaxAttempts"] == 0


def test_a_live_batch_asks_for_a_slot_within_seconds_and_a_backfill_batch_within_minutes(
    live: Workflow, backfill: Workflow
) -> None:
    for name in STARTS.values():
        urgent = retrier_of(live.states[name], "Rekognition.LimitExceededException")
        patient = retrier_of(backfill.states[name], "Rekognition.LimitExceededException")

        assert urgent["IntervalSeconds"] < 10
        assert urgent["MaxDelaySeconds"] <= 60
        assert patient["IntervalSeconds"] == patient["MaxDelaySeconds"] == 1200
        assert patient["BackoffRate"] >= 1


def test_a_batch_that_only_bulk_will_do_for_waits_for_hours_while_all_of_the_accounts_jobs_run(
    live: Workflow, backfill: Workflow
) -> None:
    """Each try leaves three events in the history, which the jobs themselves need, too."""
    urgent, patient = (
        patience(workflow.states["Start job"], "Rekognition.LimitExceededException") for workflow in (live, backfill)
    )

    assert 6 * 3600 < urgent < 8 * 3600  # docs/operations.md speaks of seven hours
    assert 2 * urgent < patient < 24 * 3600


def test_a_batch_that_the_image_engine_can_do_waits_about_an_hour_for_a_slot(
    live: Workflow, backfill: Workflow
) -> None:
    for workflow in (live, backfill):
        waited = patience(workflow.states["Try to start job"], "Rekognition.LimitExceededException")

        assert 0.5 * 3600 < waited < 2 * 3600


@pytest.mark.parametrize("state", ["Read batch", "Write verdicts"])
def test_an_outage_of_hours_ends_without_a_person(
    live: Workflow, fast: Workflow, backfill: Workflow, state: str
) -> None:
    for workflow in (live, fast, backfill):
        assert patience(workflow.states[state], "States.TaskFailed") > 3 * 3600


def test_a_batch_that_only_bulk_will_do_for_is_started_after_hours_of_throttling(
    live: Workflow, backfill: Workflow
) -> None:
    for workflow in (live, backfill):
        for error in ("ThrottlingException", "ProvisionedThroughputExceededException", "InternalServerErrorException"):
            assert patience(workflow.states["Start job"], f"Rekognition.{error}") > 3 * 3600
            assert patience(workflow.states["Try to start job"], f"Rekognition.{error}") < 3600
