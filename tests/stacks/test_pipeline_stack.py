"""The lanes, the functions and the workflow are wired as the settings say."""

import json
import re
from typing import Any

import pytest

from lambdas.batcher.environment import Environment as BatcherEnvironment
from lambdas.moderation.verdict import Status
from lambdas.results.environment import Environment as ResultsEnvironment
from tests.stacks.conftest import Assembly, only, resources


def properties(assembly: Assembly, kind: str, beginning: str = "") -> Any:
    return only(assembly.pipeline, kind, beginning)["Properties"]


def functions(assembly: Assembly) -> dict[str, Any]:
    return {
        name: resource["Properties"] for name, resource in resources(assembly.pipeline, "AWS::Lambda::Function").items()
    }


def variables(assembly: Assembly, beginning: str) -> dict[str, str]:
    """A function's environment, with a placeholder for what only a deployment knows."""
    environment = properties(assembly, "AWS::Lambda::Function", beginning)["Environment"]["Variables"]
    return {name: filled_in(value, name.lower()) for name, value in environment.items()}


def filled_in(value: Any, placeholder: str) -> str:
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        return "".join(filled_in(part, part_name(part)) for part in value["Fn::Join"][1])
    return placeholder


def part_name(part: Any) -> str:
    """The resource of another stack that a reference is to, without the hashes of its id."""
    name = "" if isinstance(part, str) else part["Fn::GetStackOutput"]["OutputName"]
    return re.sub(r"[0-9A-F]{16}$", "", name.removeprefix("PublishOutputRef"))


def test_every_function_is_of_the_same_make(shipped: Assembly) -> None:
    found = functions(shipped)

    assert len(found) == 2
    assert len({json.dumps(function["Code"]) for function in found.values()}) == 1
    for name, function in found.items():
        assert function["Runtime"] == "python3.13", name
        assert function["Architectures"] == ["arm64"], name
        assert function["TracingConfig"] == {"Mode": "Active"}, name
        assert function["LoggingConfig"]["LogFormat"] == "JSON", name
        assert function["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"] == "Gatehouse", name
        assert "ReservedConcurrentExecutions" not in function, name


def test_every_log_group_has_an_end_and_every_function_one_of_its_own(elaborate: Assembly) -> None:
    groups = resources(elaborate.pipeline, "AWS::Logs::LogGroup")
    used = [function["LoggingConfig"]["LogGroup"]["Ref"] for function in functions(elaborate).values()]

    assert {group["Properties"]["RetentionInDays"] for group in groups.values()} == {14}
    assert len(used) == len(set(used)) == len(groups) - 1  # the last one is the workflow's


def test_the_batcher_is_told_its_lane(elaborate: Assembly) -> None:
    environment = BatcherEnvironment.read(variables(elaborate, "ProfilePicturesLane"))

    lane = environment.lane
    assert (lane.name, lane.prefixes, lane.suffixes) == ("profile-pictures", ("profiles/", "avatars/"), (".jpg",))
    assert (lane.max_size, lane.job_deadline_seconds) == (5_000_000, 7200)
    assert lane.adapter is not None
    assert environment.state_machine_arn == "state_machine_arn"


def test_the_batcher_is_told_where_the_pointers_of_its_lanes_policies_are(elaborate: Assembly) -> None:
    default = BatcherEnvironment.read(variables(elaborate, "DefaultLane"))
    pictures = BatcherEnvironment.read(variables(elaborate, "ProfilePicturesLane"))

    assert default.lane.policy_overrides == (("art/", "permissive"), ("kids/", "strict"))
    assert default.policy_parameters == {
        "permissive": "PermissivePolicyParameter",
        "standard": "StandardPolicyParameter",
        "strict": "StrictPolicyParameter",
    }
    assert pictures.policy_parameters == {"strict": "StrictPolicyParameter"}


def test_a_catch_all_lane_leaves_other_lanes_uploads_to_them(elaborate: Assembly) -> None:
    lane = BatcherEnvironment.read(variables(elaborate, "DefaultLane")).lane
    pattern = properties(elaborate, "AWS::Events::Rule", "DefaultLane")["EventPattern"]

    assert lane.other_lanes_prefixes == ("avatars/", "profiles/")
    assert pattern == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": ["somebody-elses-bucket"]},
            "object": {"key": [{"anything-but": {"prefix": ["internal/", "avatars/", "profiles/"]}}]},
        },
    }


@pytest.mark.parametrize(
    ("fixture", "notify", "days"),
    [
        ("shipped", {Status.REVIEW, Status.BLOCKED}, None),
        ("elaborate", {Status.APPROVED, Status.FAILED}, 365),
    ],
)
def test_results_is_told_whom_to_notify_and_what_to_keep(
    request: pytest.FixtureRequest, fixture: str, notify: set[Status], days: int | None
) -> None:
    environment = ResultsEnvironment.read(variables(request.getfixturevalue(fixture), "ResultsWriter"))

    assert set(environment.notify) == notify
    assert environment.retention_days == days


@pytest.mark.parametrize(
    ("fixture", "lane", "size", "window", "concurrency"),
    [
        ("shipped", "DefaultLane", 10_000, 60, 2),
        ("elaborate", "ProfilePicturesLane", 10, None, 5),
    ],
)
def test_messages_are_gathered_as_the_lane_says(
    request: pytest.FixtureRequest, fixture: str, lane: str, size: int, window: int | None, concurrency: int
) -> None:
    mapping = properties(request.getfixturevalue(fixture), "AWS::Lambda::EventSourceMapping", lane)

    assert mapping["BatchSize"] == size
    assert mapping.get("MaximumBatchingWindowInSeconds") == window
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": concurrency}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_messages_stay_hidden_until_no_batcher_can_hold_them(elaborate: Assembly) -> None:
    for lane, window in (("DefaultLane", 60), ("ProfilePicturesLane", 0)):
        queue = properties(elaborate, "AWS::SQS::Queue", f"{lane}Queue")
        timeout = properties(elaborate, "AWS::Lambda::Function", lane)["Timeout"]

        assert queue["VisibilityTimeout"] >= 6 * timeout + window
        assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5


def test_what_a_lane_gives_up_on_is_kept_in_a_queue(shipped: Assembly) -> None:
    names = list(resources(shipped.pipeline, "AWS::SQS::Queue"))
    dead, queue, undelivered = (
        next(name for name in names if name.startswith(f"DefaultLane{kind}Queue"))
        for kind in ("DeadLetter", "", "Undelivered")
    )
    (target,) = properties(shipped, "AWS::Events::Rule")["Targets"]

    assert target["Arn"] == {"Fn::GetAtt": [queue, "Arn"]}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [undelivered, "Arn"]}}
    assert properties(shipped, "AWS::SQS::Queue", queue)["RedrivePolicy"]["deadLetterTargetArn"] == {
        "Fn::GetAtt": [dead, "Arn"]
    }
    for name in names:
        assert properties(shipped, "AWS::SQS::Queue", name)["MessageRetentionPeriod"] == 14 * 86_400


def test_events_reach_the_queue_as_they_are(shipped: Assembly) -> None:
    (target,) = properties(shipped, "AWS::Events::Rule")["Targets"]

    assert not {"Input", "InputPath", "InputTransformer"} & set(target)


def test_queues_are_encrypted_and_want_tls(shipped: Assembly) -> None:
    policies = resources(shipped.pipeline, "AWS::SQS::QueuePolicy").values()
    refused = {
        policy["Properties"]["Queues"][0]["Ref"]
        for policy in policies
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    queues = resources(shipped.pipeline, "AWS::SQS::Queue")

    assert refused == set(queues)
    assert all(queue["Properties"]["SqsManagedSseEnabled"] is True for queue in queues.values())


def test_only_the_lanes_rule_may_send_to_its_queues(shipped: Assembly) -> None:
    (rule,) = resources(shipped.pipeline, "AWS::Events::Rule")
    allowed = [
        statement
        for policy in resources(shipped.pipeline, "AWS::SQS::QueuePolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]

    assert len(allowed) == 2
    for statement in allowed:
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}}


def test_the_workflow_is_traced_and_logs_no_data(shipped: Assembly) -> None:
    machine = properties(shipped, "AWS::StepFunctions::StateMachine")

    assert machine.get("StateMachineType", "STANDARD") == "STANDARD"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    assert machine["LoggingConfiguration"]["Level"] == "ERROR"


def test_the_outputs_are_those_of_the_design(elaborate: Assembly) -> None:
    named = {name for name in elaborate.pipeline["Outputs"] if not name.startswith("PublishOutput")}

    assert named == {
        *("StateMachineArn", "AnalysisRoleArn", "IngestQueueUrl", "IngestDeadLetterQueueUrl", "UndeliveredQueueUrl"),
        *("ProfilePicturesIngestQueueUrl", "ProfilePicturesIngestDeadLetterQueueUrl"),
        *("ProfilePicturesUndeliveredQueueUrl", "LanePolicies", "NotifiedStatuses"),
    }


def test_the_outputs_tell_which_policy_judges_what_and_who_is_told(elaborate: Assembly) -> None:
    outputs = elaborate.pipeline["Outputs"]

    assert json.loads(outputs["LanePolicies"]["Value"]) == {
        "default": {
            "policy": "standard",
            "policy_overrides": {"kids/": "strict", "art/": "permissive"},
            "min_confidence": 30.0,
        },
        "profile-pictures": {"policy": "strict", "policy_overrides": {}, "min_confidence": 30.0},
    }
    assert outputs["NotifiedStatuses"]["Value"] == "APPROVED,FAILED"
