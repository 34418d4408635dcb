"""Each role may do what its code does, on what it does it to, and nothing else (invariant I6).

What a role may do is read here from the template and compared both ways: nothing is missing, nothing is too much.
"""

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
    ("s3:PutObject", "<WorkBucket>/batches/*/leftovers.jsonl"),
    ("s3:DeleteObject", "<WorkBucket>/open/*/*.json"),
    ("s3:ListBucket", "<WorkBucket>"),
    ("s3:GetObject", "<UploadsBucket>/*"),
    ("s3:ListBucket", "<UploadsBucket>"),
    ("sns:Publish", "<FlagsTopic>"),
}

ANALYZER = TRACES | {
    ("logs:CreateLogStream", "<Logs>"),
    ("logs:PutLogEvents", "<Logs>"),
    ("sqs:ReceiveMessage", "<ChunkQueue>"),
    ("sqs:DeleteMessage", "<ChunkQueue>"),
    ("sqs:GetQueueAttributes", "<ChunkQueue>"),
    ("sqs:SendMessage", "<ChunkQueue>"),
    ("s3:GetObject", "<WorkBucket>/batches/*/uploads.jsonl"),
    ("s3:GetObject", "<WorkBucket>/batches/*/leftovers.jsonl"),
    ("s3:GetObject", "<WorkBucket>/batches/*/analysis/image/*"),
    ("s3:PutObject", "<WorkBucket>/batches/*/analysis/image/*"),
    ("s3:ListBucket", "<WorkBucket>"),
    ("s3:GetObject", "<UploadsBucket>/*"),
    ("s3:GetObjectVersion", "<UploadsBucket>/*"),
    ("rekognition:DetectModerationLabels", "*"),
    ("states:SendTaskHeartbeat", "<StateMachine>"),
    ("states:SendTaskSuccess", "<StateMachine>"),
    ("states:SendTaskFailure", "<StateMachine>"),
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
    ("s3:PutObject", "<WorkBucket>/open/default/*.json"),
    ("s3:DeleteObject", "<WorkBucket>/open/default/*.json"),
    ("s3:GetObject", "<WorkBucket>/batches/*/batch.json"),
    ("s3:GetObject", "<WorkBucket>/policies/*"),
    ("s3:PutObject", "<WorkBucket>/policies/*"),
    ("s3:ListBucket", "<WorkBucket>"),
    ("ssm:GetParameters", "arn:*:ssm:*:*:parameter/<StandardPolicyParameter>"),
    ("states:StartExecution", "<StateMachine>"),
    ("states:DescribeExecution", "arn:*:states:*:*:execution:<StateMachine>:*"),
    ("states:RedriveExecution", "arn:*:states:*:*:execution:<StateMachine>:*"),
}

SWEEPER = TRACES | {
    ("logs:CreateLogStream", "<Logs>"),
    ("logs:PutLogEvents", "<Logs>"),
    ("s3:ListBucket", "<WorkBucket>"),
    ("s3:GetObject", "<WorkBucket>/open/*/*.json"),
    ("s3:DeleteObject", "<WorkBucket>/open/*/*.json"),
    ("dynamodb:BatchGetItem", "<VerdictsTable>"),
    ("states:ListExecutions", "<StateMachine>"),
    ("states:DescribeExecution", "arn:*:states:*:*:execution:<StateMachine>:*"),
    ("states:RedriveExecution", "arn:*:states:*:*:execution:<StateMachine>:*"),
    ("sqs:SendMessage", "<Queue>"),
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

#: The fast lanes' machine: read the batch, send its chunks, have its verdicts written.
FAST_WORKFLOW = (
    TRACES
    | WORKFLOW_SERVICE
    | {
        ("s3:GetObject", "<WorkBucket>/batches/*/batch.json"),
        ("sqs:SendMessage", "<ChunkQueue>"),
        ("lambda:InvokeFunction", "<ResultsFunction>"),
        ("lambda:InvokeFunction", "<ResultsFunction>:*"),
    }
)

#: Rekognition reads a job's manifest and images, and writes its results, with the permissions of who started it.
WORKFLOW = FAST_WORKFLOW | {
    ("sqs:GetQueueAttributes", "<ChunkQueue>"),
    ("s3:GetObject", "<WorkBucket>/batches/*/*"),
    ("s3:PutObject", "<WorkBucket>/batches/*/analysis/bulk/*"),
    ("s3:GetObject", "<UploadsBucket>/*"),
    ("rekognition:StartMediaAnalysisJob", "*"),
    ("rekognition:GetMediaAnalysisJob", "*"),
}

BACKFILL_WORKFLOW = WORKFLOW | {("states:ListExecutions", "<StateMachine>")}

#: What a reference to a resource is called here; the first that occurs in it counts.
PARTS = (
    *("VerdictsTable", "WorkBucket", "UploadsBucket", "FlagsTopic", "StateMachine", "ResultsFunction"),
    *("StandardPolicyParameter", "StrictPolicyParameter", "PermissivePolicyParameter", "Logs", "ChunkQueue", "Queue"),
)


SHIPPED_ROLES = {
    "ResultsWriterResultsRole": RESULTS,
    "LiveImagesAnalyzerRole": ANALYZER,
    "DefaultLaneBatcherRole": BATCHER,
    "LiveAnalysisStateMachineRole": WORKFLOW,
    "SweeperRole": SWEEPER,
}

#: Roles of an image engine and a workflow for each priority.
PRIORITY_ROLES = {
    "FastImagesAnalyzerRole": ANALYZER,
    "LiveImagesAnalyzerRole": ANALYZER,
    "BackfillImagesAnalyzerRole": ANALYZER,
    "FastAnalysisStateMachineRole": FAST_WORKFLOW,
    "LiveAnalysisStateMachineRole": WORKFLOW,
    "BackfillAnalysisStateMachineRole": BACKFILL_WORKFLOW,
}


@pytest.mark.parametrize("role", SHIPPED_ROLES)
def test_a_role_may_do_what_its_code_does_and_nothing_else(shipped: Assembly, role: str) -> None:
    assert permissions(shipped, role) == SHIPPED_ROLES[role]


@pytest.mark.parametrize("role", PRIORITY_ROLES)
def test_a_role_of_a_priority_may_do_what_the_priority_needs_and_nothing_else(elaborate: Assembly, role: str) -> None:
    uploads = {("<UploadsBucket>", "arn:*:s3:::somebody-elses-bucket")}
    expected = {
        (action, resource.replace(ours, theirs))
        for action, resource in PRIORITY_ROLES[role]
        for ours, theirs in uploads
    }

    assert permissions(elaborate, role) == expected


def test_no_other_role_is_made(shipped: Assembly, elaborate: Assembly) -> None:
    batchers = {f"{lane}LaneBatcherRole" for lane in ("Default", "ProfilePictures", "Chat", "Archive")}

    assert roles(shipped) == set(SHIPPED_ROLES)
    assert roles(elaborate) == {*PRIORITY_ROLES, *batchers, "ResultsWriterResultsRole", "SweeperRole"}


def test_a_fast_machine_has_nothing_to_do_with_bulk(elaborate: Assembly) -> None:
    """What holds of the set above, said once more by itself: a job would be started with this role's permissions."""
    actions = {action for action, _ in permissions(elaborate, "FastAnalysisStateMachineRole")}

    assert not {action for action in actions if action.startswith("rekognition:")}
    assert not {"s3:PutObject", "sqs:GetQueueAttributes", "states:ListExecutions"} & actions


@pytest.mark.parametrize("priority", ["Live", "Backfill"])
def test_a_machine_whose_lanes_may_not_use_bulk_has_nothing_to_do_with_it_either(
    image_only: Assembly, priority: str
) -> None:
    look = {("sqs:GetQueueAttributes", "<ChunkQueue>")}
    turn = BACKFILL_WORKFLOW - WORKFLOW if priority == "Backfill" else set()

    assert permissions(image_only, f"{priority}AnalysisStateMachineRole") == FAST_WORKFLOW | look | turn


@pytest.mark.parametrize("priority", ["Fast", "Live", "Backfill"])
def test_each_priority_has_a_queue_and_a_machine_of_its_own(elaborate: Assembly, priority: str) -> None:
    roles_of = {"machine": f"{priority}AnalysisStateMachineRole", "analyzer": f"{priority}ImagesAnalyzerRole"}
    named = {name: json.dumps(policies(elaborate, role)) for name, role in roles_of.items()}

    assert set(re.findall(r"(\w+?)ImagesChunkQueue", named["machine"])) == {priority}
    assert set(re.findall(r"(\w+?)ImagesChunkQueue", named["analyzer"])) == {priority}
    assert set(re.findall(r"(\w+?)AnalysisStateMachine", named["analyzer"])) == {priority}


def test_of_the_machines_only_backfill_may_list_executions_and_only_its_own(elaborate: Assembly) -> None:
    machines = resources(elaborate.pipeline, "AWS::StepFunctions::StateMachine")
    (own,) = (name for name in machines if name.startswith("BackfillAnalysisStateMachine"))
    allowed = [
        (policy["Properties"]["Roles"], _listed(statement["Resource"]))
        for name, policy in resources(elaborate.pipeline, "AWS::IAM::Policy").items()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "states:ListExecutions" in _listed(statement["Action"]) and not name.startswith("Sweeper")
    ]

    ((granted, on),) = allowed
    assert [role["Ref"].startswith("BackfillAnalysisStateMachineRole") for role in granted] == [True]
    assert on == [{"Ref": own}]


@pytest.mark.parametrize(
    ("lane", "priority"),
    [("Default", "Live"), ("ProfilePictures", "Live"), ("Chat", "Fast"), ("Archive", "Backfill")],
)
def test_a_lane_can_start_batches_of_its_own_priority_alone(elaborate: Assembly, lane: str, priority: str) -> None:
    named = json.dumps(policies(elaborate, f"{lane}LaneBatcherRole"))

    assert set(re.findall(r"(\w+?)AnalysisStateMachine", named)) == {priority}


def test_a_role_is_assumed_by_its_service_alone(shipped: Assembly) -> None:
    for name, role in resources(shipped.pipeline, "AWS::IAM::Role").items():
        (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        service = "states.amazonaws.com" if "StateMachine" in name else "lambda.amazonaws.com"
        assert statement["Principal"] == {"Service": service}
        assert "ManagedPolicyArns" not in role["Properties"]
        assert "Policies" not in role["Properties"]


def test_a_lane_can_read_no_other_lanes_queue(elaborate: Assembly) -> None:
    for lane in ("DefaultLane", "ProfilePicturesLane", "ChatLane", "ArchiveLane"):
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
        for role in roles(elaborate)
        for action, resource in permissions(elaborate, role)
        if "somebody-elses-bucket" in resource
    }

    assert on_bucket == {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"}


def roles(assembly: Assembly) -> set[str]:
    """The roles' logical ids, without the hashes they end with."""
    names = [name for template in assembly.templates for name in resources(template, "AWS::IAM::Role")]
    return {re.sub(r"[0-9A-F]{8}$", "", name) for name in names}


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
