"""The analysis workflow: its path through every outcome, and that it speaks AWS's language."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from lambdas.moderation.batch import bulk_output_prefix, manifest_key, settings_key
from lambdas.results.request import Request
from stacks.constructs.workflow_definition import MAX_JOBS, TRANSIENT_FAILURES
from tests.stacks.conftest import Assembly, only
from tests.stacks.workflow_run import Run, Task, TaskError, run_workflow

ID = "5f1c3a9e"
JOB = "ab" * 32
ADAPTER = "arn:aws:rekognition:eu-west-1:111122223333:project/p/version/v/1700000000000"
SUCCEEDED = {
    "JobId": JOB,
    "Status": "SUCCEEDED",
    "Results": {"S3Object": {"Bucket": "work", "Name": "results.jsonl"}, "ModelVersions": {"Moderation": "7.0"}},
    "ManifestSummary": {"S3Object": {"Bucket": "work", "Name": "summary.json"}},
}
IN_PROGRESS = {"JobId": JOB, "Status": "IN_PROGRESS"}

#: Not errors of an API: reserved by Step Functions (Developer Guide, concepts-error-handling.html), and what it calls
#: Lambda's trouble (the same guide, sfn-best-practices.html, and the retries it writes for LambdaInvoke).
RESERVED_ERRORS = {"States.ALL", "States.TaskFailed", "States.Timeout"}
LAMBDA_ERRORS = {
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
}
#: An error outside the API's model arrives under its SDK's base class.
BASE_ERRORS = {"Rekognition.RekognitionException"}

#: Fields of each type of state in JSONata (Amazon States Language, states-language.net).
COMMON_FIELDS = {"Type", "Comment", "Output", "Assign", "Next", "End"}
FIELDS = {
    "Task": COMMON_FIELDS | {"Resource", "Arguments", "Retry", "Catch", "TimeoutSeconds"},
    "Wait": COMMON_FIELDS | {"Seconds"},
    "Choice": {"Type", "Comment", "Output", "Assign", "Choices", "Default"},
    "Succeed": {"Type", "Comment", "Output"},
    "Fail": {"Type", "Comment", "Error", "Cause"},
}


@pytest.fixture(scope="session")
def definition(shipped: Assembly) -> dict[str, Any]:
    machine = only(shipped.pipeline, "AWS::StepFunctions::StateMachine")["Properties"]
    parts = machine["DefinitionString"]["Fn::Join"][1]
    found: dict[str, Any] = json.loads("".join(part if isinstance(part, str) else _placeholder(part) for part in parts))
    return found


def _placeholder(reference: Mapping[str, Any]) -> str:
    if reference == {"Ref": "AWS::Partition"}:
        return "aws"
    return "work" if "WorkBucket" in json.dumps(reference) else "results-function"


def batch_document(**changes: Any) -> dict[str, Any]:
    document = {
        "schema": "gatehouse.batch/1",
        "batch_id": ID,
        "lane": "default",
        "created_at": "2026-01-01T00:00:00Z",
        "uploads": 3,
        "analysable": 2,
        "min_confidence": 30.0,
        "adapter": None,
        "job_deadline_seconds": 86_400,
        "manifest": {"bucket": "work", "key": manifest_key(ID)},
        "output": {"bucket": "work", "prefix": bulk_output_prefix(ID)},
        "policy": {},
    }
    return document | changes


def answering(*answers: Any) -> Task:
    """A task that gives these answers one after the other, and then the last one for ever."""
    remaining = list(answers)

    def answer(_: Mapping[str, Any]) -> Any:
        given = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        if isinstance(given, Exception):
            raise given
        return given

    return answer


@pytest.fixture
def run(definition: dict[str, Any]) -> Callable[..., Run]:
    """Run the workflow; by default the job succeeds at the first look."""

    def run(batch: dict[str, Any] | None = None, start: Task | None = None, get: Task | None = None) -> Run:
        tasks = {
            "Read batch": answering({"Body": json.dumps(batch or batch_document()), "ETag": '"e"'}),
            "Start job": start or answering({"JobId": JOB}),
            "Get job": get or answering(SUCCEEDED),
            "Write verdicts": answering({"Payload": {"batch_id": ID, "uploads": 3}, "StatusCode": 200}),
        }
        return run_workflow(definition, tasks, {"batch_id": ID})

    return run


def job_given_to_results(run: Run) -> dict[str, Any]:
    (call,) = run.calls["Write verdicts"]
    payload = dict(call["Payload"])
    assert payload.pop("batch_id") == ID
    Request.parse(call["Payload"])  # the function takes what the workflow sends
    job: dict[str, Any] = payload.pop("job")
    assert payload == {}
    return job


def test_a_batch_is_analysed_and_its_verdicts_written(run: Callable[..., Run]) -> None:
    done = run()

    assert done.states == [
        *("Read batch", "Anything to analyse?", "Start job", "Wait for job", "Get job", "Job done?"),
        *("Write verdicts", "Analysed?", "Done"),
    ]
    assert done.calls["Read batch"] == [{"Bucket": "work", "Key": settings_key(ID)}]
    assert done.calls["Get job"] == [{"JobId": JOB}]
    assert job_given_to_results(done) == {
        "job_id": JOB,
        "results": {"bucket": "work", "key": "results.jsonl"},
        "summary": {"bucket": "work", "key": "summary.json"},
        "failure": None,
    }
    assert done.output == {"batch_id": ID, "uploads": 3}


def test_a_batch_with_nothing_to_analyse_starts_no_job(run: Callable[..., Run]) -> None:
    done = run(batch_document(analysable=0))

    assert done.states == ["Read batch", "Anything to analyse?", "Write verdicts", "Analysed?", "Done"]
    assert job_given_to_results(done) == {
        "job_id": None,
        "results": None,
        "summary": None,
        "failure": None,
    }


@pytest.mark.parametrize("adapter", [None, ADAPTER])
def test_the_job_is_asked_for_as_the_api_wants_it(run: Callable[..., Run], adapter: str | None) -> None:
    (request,) = run(batch_document(adapter=adapter)).calls["Start job"]

    assert request["OperationsConfig"] == {
        "DetectModerationLabels": {"MinConfidence": 30.0, **({"ProjectVersion": adapter} if adapter else {})}
    }
    assert request["Input"] == {"S3Object": {"Bucket": "work", "Name": manifest_key(ID)}}
    assert request["OutputConfig"] == {"S3Bucket": "work", "S3KeyPrefix": bulk_output_prefix(ID)}
    assert request["ClientRequestToken"] == request["JobName"] == f"{ID}-1"


def test_a_summary_that_is_not_there_is_null(run: Callable[..., Run]) -> None:
    without = {name: value for name, value in SUCCEEDED.items() if name not in ("ManifestSummary", "Results")}

    job = job_given_to_results(run(get=answering(without)))

    assert (job["results"], job["summary"], job["failure"]) == (None, None, None)


@pytest.mark.parametrize("code", TRANSIENT_FAILURES)
def test_a_job_that_failed_for_a_passing_reason_is_started_anew_under_a_new_token(
    run: Callable[..., Run], code: str
) -> None:
    failed = {"Status": "FAILED", "FailureDetails": {"Code": code, "Message": "try again"}}

    done = run(start=answering({"JobId": "one"}, {"JobId": "two"}), get=answering(failed, SUCCEEDED))

    assert [call["ClientRequestToken"] for call in done.calls["Start job"]] == [f"{ID}-1", f"{ID}-2"]
    assert [call["JobId"] for call in done.calls["Get job"]] == ["one", "two"]
    assert done.waits[1] == 60
    job = job_given_to_results(done)
    assert (job["job_id"], job["failure"]) == ("two", None)
    assert done.states[-1] == "Done"


def test_three_jobs_are_started_at_most(run: Callable[..., Run]) -> None:
    failed = {"Status": "FAILED", "FailureDetails": {"Code": "THROTTLED", "Message": "slow down"}}

    done = run(get=answering(failed))

    assert len(done.calls["Start job"]) == MAX_JOBS == 3
    assert job_given_to_results(done)["failure"] == {"code": "THROTTLED", "message": "slow down"}
    assert done.failure == ("THROTTLED", "slow down")


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"Code": "ACCESS_DENIED", "Message": "no"}, ("ACCESS_DENIED", "no")),
        ({"Code": "INVALID_MANIFEST"}, ("INVALID_MANIFEST", "Rekognition gave no reason")),
        ({"Code": "INVALID_MANIFEST", "Message": ""}, ("INVALID_MANIFEST", "Rekognition gave no reason")),
        ({}, ("Unknown", "Rekognition gave no reason")),
        (None, ("Unknown", "Rekognition gave no reason")),
    ],
)
def test_a_job_that_failed_for_good_ends_in_results_and_a_failed_execution(
    run: Callable[..., Run], details: dict[str, str] | None, expected: tuple[str, str]
) -> None:
    failed = {"Status": "FAILED"} | ({} if details is None else {"FailureDetails": details})

    done = run(get=answering(failed))

    assert len(done.calls["Start job"]) == 1
    assert job_given_to_results(done)["failure"] == {"code": expected[0], "message": expected[1]}
    assert done.failure == expected


@pytest.mark.parametrize("cause", ["Access denied (Service: Rekognition)", "", None])
def test_a_refused_start_ends_in_results_and_a_failed_execution(run: Callable[..., Run], cause: str | None) -> None:
    done = run(start=answering(TaskError("Rekognition.AccessDeniedException", cause)))

    message = cause or "Rekognition.AccessDeniedException"
    job = job_given_to_results(done)
    assert job["failure"] == {"code": "Rekognition.AccessDeniedException", "message": message}
    assert job["job_id"] is None
    assert done.failure == ("Rekognition.AccessDeniedException", message)


def test_a_job_that_cannot_be_found_is_given_up(run: Callable[..., Run]) -> None:
    done = run(get=answering(TaskError("Rekognition.ResourceNotFoundException", "no such job")))

    assert job_given_to_results(done)["failure"] == {
        "code": "Rekognition.ResourceNotFoundException",
        "message": "no such job",
    }


@pytest.mark.parametrize("error", ["AccessDeniedException", "ThrottlingException", "RekognitionException"])
def test_a_running_job_that_may_not_be_looked_at_is_left_to_a_redrive(run: Callable[..., Run], error: str) -> None:
    done = run(get=answering(TaskError(f"Rekognition.{error}", "not now")))

    assert done.failure == (f"Rekognition.{error}", "not now")
    assert "Write verdicts" not in done.states


def test_looks_grow_rarer_as_a_job_ages(run: Callable[..., Run]) -> None:
    done = run(get=answering(*[IN_PROGRESS] * 40, SUCCEEDED))

    assert done.waits[:7] == [10, 10, 10, 10, 10, 12, 15]
    assert done.waits == sorted(done.waits)
    assert done.waits[-1] == 120


def test_a_job_that_takes_too_long_is_given_up_after_the_deadline_and_not_before(run: Callable[..., Run]) -> None:
    done = run(batch_document(job_deadline_seconds=3600), get=answering(IN_PROGRESS))

    assert 3600 <= sum(done.waits) < 3600 + 120
    job = job_given_to_results(done)
    assert job["failure"]["code"] == "DeadlineExceeded"
    assert f"the job {JOB} was still IN_PROGRESS after " in job["failure"]["message"]
    assert done.failure is not None
    assert done.failure[0] == "DeadlineExceeded"


def test_a_job_found_done_at_the_deadline_counts(run: Callable[..., Run]) -> None:
    done = run(batch_document(job_deadline_seconds=1))

    assert done.states[-1] == "Done"


def test_each_attempt_has_the_whole_deadline(run: Callable[..., Run]) -> None:
    failed = {"Status": "FAILED", "FailureDetails": {"Code": "INTERNAL_ERROR", "Message": "oops"}}

    done = run(
        batch_document(job_deadline_seconds=100),
        get=answering(*[IN_PROGRESS] * 8, failed, *[IN_PROGRESS] * 8, SUCCEEDED),
    )

    assert done.states[-1] == "Done"


def test_the_longest_batch_stays_within_an_executions_history(
    run: Callable[..., Run], definition: dict[str, Any]
) -> None:
    failed = {"Status": "FAILED", "FailureDetails": {"Code": "THROTTLED", "Message": "slow down"}}
    day = run(get=answering(IN_PROGRESS))
    looks = len(day.calls["Get job"])

    done = run(get=answering(*[*[IN_PROGRESS] * (looks - 1), failed] * MAX_JOBS))

    assert len(done.calls["Get job"]) == MAX_JOBS * looks
    waiting_for_a_slot = MAX_JOBS * max(
        retrier["MaxAttempts"] for retrier in definition["States"]["Start job"]["Retry"]
    )
    # A task leaves five events in the history, a try again three, any other state two; 25,000 is the limit.
    tasks = sum(len(calls) for calls in done.calls.values())
    assert 5 * tasks + 2 * (len(done.states) - tasks) + 3 * waiting_for_a_slot < 24_000


def test_verdicts_that_could_not_be_written_leave_an_execution_to_redrive(definition: dict[str, Any]) -> None:
    assert "Catch" not in definition["States"]["Write verdicts"]
    assert "Catch" not in definition["States"]["Read batch"]


# What follows holds the definition against what AWS publishes.


def tasks_of(definition: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((name, state) for name, state in definition["States"].items() if state["Type"] == "Task")


def sdk_operation(resource: str) -> tuple[str, str] | None:
    """Service and operation of an SDK integration, `arn:aws:states:::aws-sdk:<service>:<action>`."""
    *_, kind, service, action = resource.split(":")
    return (service, action[0].upper() + action[1:]) if kind == "aws-sdk" else None


def model_of(service: str, operation: str) -> Any:
    """What botocore knows of an operation."""
    return botocore.session.get_session().get_service_model(service).operation_model(operation)


def test_states_have_fields_of_the_language_only(definition: dict[str, Any]) -> None:
    assert definition["QueryLanguage"] == "JSONata"
    assert set(definition) <= {"Comment", "QueryLanguage", "StartAt", "States"}
    for name, state in definition["States"].items():
        assert set(state) <= FIELDS[state["Type"]], name


def test_every_sdk_call_exists_and_takes_its_parameters(definition: dict[str, Any], run: Callable[..., Run]) -> None:
    done = run(batch_document(adapter=ADAPTER))
    called = set()
    for name, state in tasks_of(definition):
        if operation := sdk_operation(state["Resource"]):
            model = model_of(*operation)
            for arguments in done.calls[name]:
                report = ParamValidator().validate(arguments, model.input_shape)
                assert not report.has_errors(), report.generate_report()
                assert set(arguments) <= set(model.input_shape.members)
            called.add(operation)

    assert called == {
        ("s3", "GetObject"),
        ("rekognition", "StartMediaAnalysisJob"),
        ("rekognition", "GetMediaAnalysisJob"),
    }


def test_every_field_of_an_answer_that_is_read_exists() -> None:
    answer = model_of("rekognition", "GetMediaAnalysisJob").output_shape

    assert "JobId" in model_of("rekognition", "StartMediaAnalysisJob").output_shape.members
    assert {"Status", "FailureDetails", "Results", "ManifestSummary"} <= set(answer.members)
    assert {"Code", "Message"} == set(answer.members["FailureDetails"].members)
    assert {"SUCCEEDED", "FAILED"} < set(answer.members["Status"].enum)
    assert set(TRANSIENT_FAILURES) < set(answer.members["FailureDetails"].members["Code"].enum)
    for name in ("Results", "ManifestSummary"):
        assert {"Bucket", "Name"} <= set(answer.members[name].members["S3Object"].members)


def test_every_error_named_is_one_the_call_can_end_with(definition: dict[str, Any]) -> None:
    for name, state in tasks_of(definition):
        possible = set(RESERVED_ERRORS)
        if operation := sdk_operation(state["Resource"]):
            service, action = operation
            shapes = model_of(service, action).error_shapes
            # Developer Guide, supported-services-awssdk.html: the name ends with Exception, whatever the API calls it.
            possible |= {f"{service.capitalize()}.{shape.name.removesuffix('Exception')}Exception" for shape in shapes}
            possible |= BASE_ERRORS
        else:
            possible |= LAMBDA_ERRORS
        for handler in [*state.get("Retry", ()), *state.get("Catch", ())]:
            assert set(handler["ErrorEquals"]) <= possible, name


def test_every_error_of_the_rekognition_calls_is_given_up_on_or_tried_again_on_purpose(
    definition: dict[str, Any],
) -> None:
    for name, state in tasks_of(definition):
        operation = sdk_operation(state["Resource"])
        if operation and operation[0] == "rekognition":
            shapes = model_of(*operation).error_shapes
            expected = {f"Rekognition.{shape.name.removesuffix('Exception')}Exception" for shape in shapes}
            named = {error for retrier in state["Retry"] for error in retrier["ErrorEquals"]}
            assert expected <= named, name


def test_every_try_again_is_spread_out_and_bounded(definition: dict[str, Any]) -> None:
    for name, state in tasks_of(definition):
        assert state["Retry"], name
        for retrier in state["Retry"]:
            if retrier["MaxAttempts"]:
                assert retrier["JitterStrategy"] == "FULL", name
                assert retrier["MaxDelaySeconds"] <= 600, name


def test_hopeless_errors_are_told_from_the_rest_before_the_rest(definition: dict[str, Any]) -> None:
    for name in ("Start job", "Get job"):
        hopeless, denied, *_, rest = definition["States"][name]["Retry"]

        assert hopeless["MaxAttempts"] == 0
        assert "Rekognition.InvalidParameterException" in hopeless["ErrorEquals"]
        assert (denied["ErrorEquals"], denied["MaxAttempts"]) == (["Rekognition.AccessDeniedException"], 3)
        assert rest["ErrorEquals"] == ["States.TaskFailed"]


def test_a_batch_waits_for_hours_while_all_of_the_accounts_jobs_run(definition: dict[str, Any]) -> None:
    assert patience(definition, "Start job", "Rekognition.LimitExceededException") > 24 * 3600


@pytest.mark.parametrize("state", ["Read batch", "Write verdicts"])
def test_an_outage_of_hours_ends_without_a_person(definition: dict[str, Any], state: str) -> None:
    assert patience(definition, state, "States.TaskFailed") > 3 * 3600


def patience(definition: Mapping[str, Any], state: str, error: str) -> float:
    """Seconds until an error is no longer tried again, on average: full jitter waits half of each delay."""
    (retrier,) = [retrier for retrier in definition["States"][state]["Retry"] if error in retrier["ErrorEquals"]]
    delays = (
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n, retrier["MaxDelaySeconds"])
        for n in range(retrier["MaxAttempts"])
    )
    return float(sum(delays)) / 2
