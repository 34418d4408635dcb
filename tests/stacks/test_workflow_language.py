"""The workflows' definitions, held against what AWS publishes of its language, its APIs and their errors."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from gatehouse.moderation.chunk import CHUNK_FAILED
from stacks.constructs.workflow.bulk_engine_states import TRANSIENT_FAILURES
from tests.stacks.workflow import ADAPTER, ID, Workflow, answering, batch_document, settled
from tests.stacks.workflow_run import Run

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
COMMON_FIELDS = {"Type", "Comment", "QueryLanguage", "Output", "Assign", "Next", "End"}
FIELDS = {
    "Task": COMMON_FIELDS | {"Resource", "Arguments", "Retry", "Catch", "TimeoutSeconds", "HeartbeatSeconds"},
    "Map": COMMON_FIELDS | {"Items", "ItemProcessor", "ItemSelector", "MaxConcurrency", "Retry", "Catch"},
    "Pass": COMMON_FIELDS,
    "Wait": COMMON_FIELDS | {"Seconds"},
    "Choice": {"Type", "Comment", "QueryLanguage", "Output", "Assign", "Choices", "Default"},
    "Succeed": {"Type", "Comment", "Output"},
    "Fail": {"Type", "Comment", "Error", "Cause"},
}
RULE_FIELDS = {"Condition", "Next", "Assign", "Output", "Comment"}
CATCHER_FIELDS = {"ErrorEquals", "Next", "Assign", "Output", "Comment"}
RETRIER_FIELDS = {
    *("ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy", "Comment"),
}

#: What a priority's workflow calls directly.
BULK_CALLS = {("rekognition", "StartMediaAnalysisJob"), ("rekognition", "GetMediaAnalysisJob")}
CALLS = {
    "fast": {("s3", "GetObject"), ("sqs", "SendMessage")},
    "live": {("s3", "GetObject"), ("sqs", "SendMessage"), ("sqs", "GetQueueAttributes"), *BULK_CALLS},
    "backfill": {
        *(("s3", "GetObject"), ("sqs", "SendMessage"), ("sqs", "GetQueueAttributes"), *BULK_CALLS),
        ("stepfunctions", "ListExecutions"),
    },
}

#: What AWS's guide and botocore call a service, where they differ.
SERVICES = {"sfn": "stepfunctions"}


@pytest.fixture(params=CALLS)
def priority(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def workflow(request: pytest.FixtureRequest, priority: str) -> Workflow:
    found: Workflow = request.getfixturevalue(priority)
    return found


def tasks_of(workflow: Workflow) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((name, state) for name, state in workflow.states.items() if state["Type"] == "Task")


def sdk_operation(resource: str) -> tuple[str, str] | None:
    """Service and operation of an SDK integration, `arn:aws:states:::aws-sdk:<service>:<action>`."""
    *_, kind, service, action = resource.split(":")
    return (SERVICES.get(service, service), capitalized(action)) if kind == "aws-sdk" else None


def operation_of(resource: str) -> tuple[str, str]:
    """The same, for services that Step Functions calls in a way of its own, too."""
    *_, service, action = resource.split(":")
    return SERVICES.get(service, service), capitalized(action.removesuffix(".waitForTaskToken"))


def capitalized(name: str) -> str:
    return name[0].upper() + name[1:]


def model_of(service: str, operation: str) -> Any:
    """What botocore knows of an operation."""
    return botocore.session.get_session().get_service_model(service).operation_model(operation)


def as_the_model_has_it(arguments: Mapping[str, Any], members: Mapping[str, Any]) -> dict[str, Any]:
    """Step Functions wants capital first letters, whatever the API has (Developer Guide, supported-services-awssdk)."""
    assert all(name == capitalized(name) for name in arguments)
    return {
        next((member for member in members if capitalized(member) == name), name): arguments[name] for name in arguments
    }


def runs(workflow: Workflow) -> Iterator[Run]:
    """Runs that together call everything there is to call, with all arguments there are."""
    page = {"Executions": [{"Name": ID}], "NextToken": "more"}
    for engine in ("image", "auto", "bulk"):
        yield workflow.run(
            batch_document(engine, 10_000, adapter=ADAPTER),
            Count_batches_ahead=answering(page, {"Executions": []}),
            Write_verdicts=answering(settled(5), settled()),
        )


def test_states_have_fields_of_the_language_only(workflow: Workflow) -> None:
    assert workflow.definition["QueryLanguage"] == "JSONata"
    assert set(workflow.definition) <= {"Comment", "QueryLanguage", "StartAt", "States"}
    for name, state in workflow.states.items():
        assert set(state) <= FIELDS[state["Type"]], name
        assert state.get("QueryLanguage", "JSONata") == "JSONata", name
        for part, fields in (("Choices", RULE_FIELDS), ("Catch", CATCHER_FIELDS), ("Retry", RETRIER_FIELDS)):
            assert all(set(entry) <= fields for entry in state.get(part, ())), name


def test_every_state_is_led_to_and_leads_on(workflow: Workflow) -> None:
    for states in (workflow.definition, workflow.definition["States"]["Analyze images"]["ItemProcessor"]):
        inner = states["States"]
        named = {states["StartAt"]}
        for state in inner.values():
            named |= {entry["Next"] for part in ("Choices", "Catch") for entry in state.get(part, ())}
            named |= {state[part] for part in ("Next", "Default") if part in state}
            assert state["Type"] in ("Succeed", "Fail") or {"Next", "Default", "End"} & set(state)
        assert named == set(inner)


def test_a_definition_is_far_from_the_largest_there_may_be(workflow: Workflow) -> None:
    assert len(json.dumps(workflow.definition)) < 100_000  # of 1 MB (Step Functions Developer Guide, service quotas)


def test_every_call_exists_and_takes_its_parameters(workflow: Workflow, priority: str) -> None:
    called = set()
    for run in runs(workflow):
        for name, state in tasks_of(workflow):
            if ":lambda:" in state["Resource"]:
                continue
            operation = operation_of(state["Resource"])
            model = model_of(*operation)
            for arguments in run.calls.get(name, ()):
                named = as_the_model_has_it(arguments, model.input_shape.members)
                if operation == ("sqs", "SendMessage"):  # Step Functions writes a body that is no text as JSON
                    named["MessageBody"] = json.dumps(named["MessageBody"])
                report = ParamValidator().validate(named, model.input_shape)
                assert not report.has_errors(), report.generate_report()
                assert set(named) <= set(model.input_shape.members)
                called.add(operation)

    assert called == CALLS[priority]


def test_a_chunks_message_is_small(workflow: Workflow) -> None:
    """SQS takes 1 MiB, and a step's arguments have 256 KiB."""
    for run in runs(workflow):
        assert all(len(json.dumps(call)) < 2000 for call in run.calls.get("Analyze chunk", ()))


def test_queue_attributes_that_are_asked_for_exist(live: Workflow) -> None:
    (call,) = live.run(batch_document("image")).calls["Look at chunk queue"]

    assert set(call["AttributeNames"]) < set(
        model_of("sqs", "GetQueueAttributes").input_shape.members["AttributeNames"].member.enum
    )
    assert model_of("sqs", "GetQueueAttributes").output_shape.members["Attributes"].value.type_name == "string"


def test_every_field_of_an_answer_that_is_read_exists() -> None:
    answer = model_of("rekognition", "GetMediaAnalysisJob").output_shape

    assert "JobId" in model_of("rekognition", "StartMediaAnalysisJob").output_shape.members
    assert {"Status", "FailureDetails", "Results", "ManifestSummary"} <= set(answer.members)
    assert {"Code", "Message"} == set(answer.members["FailureDetails"].members)
    assert {"SUCCEEDED", "FAILED"} < set(answer.members["Status"].enum)
    assert set(TRANSIENT_FAILURES) < set(answer.members["FailureDetails"].members["Code"].enum)
    for name in ("Results", "ManifestSummary"):
        assert {"Bucket", "Name"} <= set(answer.members[name].members["S3Object"].members)
    executions = model_of("stepfunctions", "ListExecutions").output_shape.members
    assert {"executions", "nextToken"} == set(executions)
    assert "name" in executions["executions"].member.members


def test_a_page_of_executions_fits_a_steps_result(backfill: Workflow) -> None:
    """Two ARNs, a name, a status and two dates: 256 KiB hold 300 of them, and a page may have 1000."""
    (call,) = backfill.run(batch_document("image")).calls["Count batches ahead"]
    most = model_of("stepfunctions", "ListExecutions").input_shape.members["maxResults"].metadata["max"]

    assert call["MaxResults"] <= most
    assert call["MaxResults"] * 800 <= 256 * 1024


def test_every_error_named_is_one_the_call_can_end_with(workflow: Workflow) -> None:
    for name, state in tasks_of(workflow):
        possible = set(RESERVED_ERRORS)
        if operation := sdk_operation(state["Resource"]):
            service, action = operation
            shapes = model_of(service, action).error_shapes
            # Developer Guide, supported-services-awssdk.html: the name ends with Exception, whatever the API calls it.
            possible |= {f"{service.capitalize()}.{shape.name.removesuffix('Exception')}Exception" for shape in shapes}
            possible |= BASE_ERRORS
        elif ":lambda:" in state["Resource"]:
            possible |= LAMBDA_ERRORS
        else:
            possible |= {CHUNK_FAILED}  # whoever has the token chooses the name
        if "HeartbeatSeconds" in state:
            possible |= {"States.HeartbeatTimeout"}  # Developer Guide, concepts-error-handling.html
        for handler in [*state.get("Retry", ()), *state.get("Catch", ())]:
            assert set(handler["ErrorEquals"]) <= possible, name


def test_every_error_of_the_rekognition_calls_is_given_up_on_or_tried_again_on_purpose(workflow: Workflow) -> None:
    for name, state in tasks_of(workflow):
        operation = sdk_operation(state["Resource"])
        if operation and operation[0] == "rekognition":
            shapes = model_of(*operation).error_shapes
            expected = {f"Rekognition.{shape.name.removesuffix('Exception')}Exception" for shape in shapes}
            named = {error for retrier in state["Retry"] for error in retrier["ErrorEquals"]}
            assert expected <= named, name


def test_every_task_with_a_heartbeat_has_a_longer_time_of_its_own(workflow: Workflow) -> None:
    """Engines differ in the default."""
    for name, state in tasks_of(workflow):
        if "HeartbeatSeconds" in state:
            assert state["TimeoutSeconds"] > state["HeartbeatSeconds"], name


def test_every_try_again_is_spread_out_and_bounded(workflow: Workflow) -> None:
    for name, state in tasks_of(workflow):
        assert state["Retry"], name
        for retrier in state["Retry"]:
            if retrier["MaxAttempts"]:
                assert retrier["JitterStrategy"] == "FULL", name
                assert retrier["BackoffRate"] >= 1, name
                assert retrier["MaxDelaySeconds"] <= 1200, name


def test_whatever_else_goes_wrong_is_tried_again(workflow: Workflow) -> None:
    for name, state in tasks_of(workflow):
        last = state["Retry"][-1]
        assert "States.TaskFailed" in last["ErrorEquals"], name
        assert last["MaxAttempts"] >= 3, name
