"""Each role may do what its code does, on what it does it to, and nothing else (invariant I6)."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.stacks.conftest import Assembly, resources

TRACES = {("xray:PutTelemetryRecords", "*"), ("xray:PutTraceSegments", "*")}

RESULTS = TRACES | {
    ("logs:CreateLogStream", "<Logs>"),
    ("logs:PutLogEvents", "<Logs>"),
    ("dynamodb:BatchGetItem", "<VerdictsTable>"),
    ("dynamodb:PutItem", "<VerdictsTable>"),
    ("s3:GetObject", "<WorkBucket>/batches/*/*"),
    ("s3:ListBucket", "<WorkBucket>"),
    ("s3:GetObject", "<UploadsBucket>/*"),
    ("s3:ListBucket", "<UploadsBucket>"),
    ("sns:Publish", "<FlagsTopic>"),
}

BATCHER = TRACES | {
    ("logs:CreateLogStream", "<Logs>"),
    ("logs:PutLogEvents", "<Logs>"),
    ("sqs:ReceiveMessage", "<Queue>"),
    ("sqs:DeleteMessage", "<Queue>"),
    ("sqs:GetQueueAttributes", "<Queue>"),
    ("dynamodb:GetItem", "<VerdictsTable>"),
    ("dynamodb:PutItem", "<VerdictsTable>"),
    ("s3:PutObject", "<WorkBucket>/batches/*/*"),
    ("s3:GetObject", "<WorkBucket>/batches/*/batch.json"),
    ("s3:GetObject", "<WorkBucket>/policies/*"),
    ("s3:PutObject", "<WorkBucket>/policies/*"),
    ("s3:ListBucket", "<WorkBucket>"),
    ("ssm:GetParameters", "arn:*:ssm:*:*:parameter/<StandardPolicyParameter>"),
    ("states:StartExecution", "<StateMachine>"),
    ("states:DescribeExecution", "arn:*:states:*:*:execution:<StateMachine>:*"),
    ("states:RedriveExecution", "arn:*:states:*:*:execution:<StateMachine>:*"),
}

#: Step Functions and X-Ray document these for log delivery and tracing; none of them has resource types.
WORKFLOW_SERVICE = {
    (action, "*")
    for action in (
        *("logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups"),
        *("logs:DescribeResourcePolicies", "logs:GetLogDelivery", "logs:ListLogDeliveries"),
        *("logs:PutResourcePolicy", "logs:UpdateLogDelivery"),
        *("xray:GetSamplingRules", "xray:GetSamplingTargets"),
    )
}

WORKFLOW = (
    TRACES
    | WORKFLOW_SERVICE
    | {
        ("s3:GetObject", "<WorkBucket>/batches/*/*"),
        ("s3:PutObject", "<WorkBucket>/batches/*/analysis/bulk/*"),
        ("s3:GetObject", "<UploadsBucket>/*"),
        ("rekognition:StartMediaAnalysisJob", "*"),
        ("rekognition:GetMediaAnalysisJob", "*"),
        ("lambda:InvokeFunction", "<ResultsFunction>"),
        ("lambda:InvokeFunction", "<ResultsFunction>:*"),
    }
)

#: What a reference to a resource is called here; the first that occurs in it counts.
PARTS = (
    *("VerdictsTable", "WorkBucket", "UploadsBucket", "FlagsTopic", "StateMachine", "ResultsFunction"),
    *("StandardPolicyParameter", "StrictPolicyParameter", "PermissivePolicyParameter", "Logs", "Queue"),
)


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("ResultsWriterResultsRole", RESULTS),
        ("DefaultLaneBatcherRole", BATCHER),
        ("AnalysisStateMachineRole", WORKFLOW),
    ],
)
def test_a_role_may_do_what_its_code_does_and_nothing_else(
    shipped: Assembly, role: str, expected: set[tuple[str, str]]
) -> None:
    assert permissions(shipped, role) == expected


def test_no_other_role_is_made(shipped: Assembly) -> None:
    roles = [name for template in shipped.templates for name in resources(template, "AWS::IAM::Role")]

    assert len(roles) == 3


def test_a_role_is_assumed_by_its_service_alone(shipped: Assembly) -> None:
    for name, role in resources(shipped.pipeline, "AWS::IAM::Role").items():
        (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        service = "states.amazonaws.com" if "StateMachine" in name else "lambda.amazonaws.com"
        assert statement["Principal"] == {"Service": service}
        assert "ManagedPolicyArns" not in role["Properties"]
        assert "Policies" not in role["Properties"]


def test_a_lane_can_read_no_other_lanes_queue(elaborate: Assembly) -> None:
    for lane in ("DefaultLane", "ProfilePicturesLane"):
        (policy,) = policies(elaborate, f"{lane}BatcherRole")
        queues = {
            name
            for statement in policy["Statement"]
            if "sqs:ReceiveMessage" in statement["Action"]
            for name in re.findall(r"\w+Queue\w+", json.dumps(statement["Resource"]))
        }
        assert len(queues) == 1
        assert queues.pop().startswith(f"{lane}Queue")


@pytest.mark.parametrize(
    ("lane", "policies"),
    [("DefaultLane", {"Standard", "Strict", "Permissive"}), ("ProfilePicturesLane", {"Strict"})],
)
def test_a_lane_can_read_the_pointers_of_its_own_policies_and_no_others(
    elaborate: Assembly, lane: str, policies: set[str]
) -> None:
    parameters = {
        resource for action, resource in permissions(elaborate, f"{lane}BatcherRole") if action == "ssm:GetParameters"
    }

    assert parameters == {f"arn:*:ssm:*:*:parameter/<{policy}PolicyParameter>" for policy in policies}


def test_no_role_may_move_a_pointer(elaborate: Assembly) -> None:
    assert "ssm:PutParameter" not in json.dumps(elaborate.templates)


def test_an_existing_bucket_is_read_and_never_written(elaborate: Assembly) -> None:
    on_bucket = {
        action
        for role in ("ResultsWriterResultsRole", "AnalysisStateMachineRole", "DefaultLaneBatcherRole")
        for action, resource in permissions(elaborate, role)
        if "somebody-elses-bucket" in resource
    }

    assert on_bucket == {"s3:GetObject", "s3:ListBucket"}


def policies(assembly: Assembly, role: str) -> list[Any]:
    return [
        policy["Properties"]["PolicyDocument"]
        for policy in resources(assembly.pipeline, "AWS::IAM::Policy").values()
        if any(entry["Ref"].startswith(role) for entry in policy["Properties"]["Roles"])
    ]


def permissions(assembly: Assembly, role: str) -> set[tuple[str, str]]:
    """Action and resource of every statement, with generated names made readable."""
    found = set()
    for policy in policies(assembly, role):
        for statement in policy["Statement"]:
            assert statement["Effect"] == "Allow"
            assert set(statement) == {"Effect", "Action", "Resource"}
            found |= {
                (action, _readable(resource))
                for action in _listed(statement["Action"])
                for resource in _listed(statement["Resource"])
            }
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _readable(resource: str | Mapping[str, Any]) -> str:
    if isinstance(resource, str):
        return resource
    if "Fn::Join" in resource:
        return "".join(_readable(part) for part in resource["Fn::Join"][1])
    text = json.dumps(resource)
    return next((f"<{part}>" for part in PARTS if part in text), "*")
