"""Each role may do what its code does, on what it does it to, and nothing else (invariant I6).

What a role may do is read here from the template and compared both ways: nothing is missing, nothing is too much.
"""

import json
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.permissions import client_uses, granted, needed, sources
from tests.permissions.unchecked import UNCHECKED
from tests.stacks.conftest import Assembly, resources

TRACES = {("xray:PutTelemetryRecords", "*"), ("xray:PutTraceSegments", "*")}

RESULTS = TRACES | {
    ("logs:CreateLogStream", "<Logs>"),
    ("logs:PutLogEvents", "<Logs>"),
    ("dynamodb:BatchGetItem", "<VerdictsTable>"),
    ("dynamodb:PutItem", "<VerdictsTable>"),
    ("s3:GetObject", "<WorkBucket>/batches/*/*"),
    ("s3:PutObject", "<WorkBucket>/batches/*/leftovers.jsonl"),
    ("s3:PutObject", "<WorkBucket>/batches/*/stragglers-*.jsonl"),
    ("s3:DeleteObject", "<WorkBucket>/open/*/*.json"),
    ("s3:ListBucket", "<WorkBucket>"),
    ("s3:GetObject", "<UploadsBucket>/*"),
    ("s3:GetObjectVersion", "<UploadsBucket>/*"),
    ("s3:ListBucket", "<UploadsBucket>"),
    ("sns:Publish", "<FlagsTopic>"),
}

FAST_ANALYZER = TRACES | {
    ("logs:CreateLogStream", "<Logs>"),
    ("logs:PutLogEvents", "<Logs>"),
    ("sqs:ReceiveMessage", "<ChunkQueue>"),
    ("sqs:DeleteMessage", "<ChunkQueue>"),
    ("sqs:GetQueueAttributes", "<ChunkQueue>"),
    ("sqs:SendMessage", "<ChunkQueue>"),
    ("lambda:InvokeFunction", "<RendererFunction>"),
    ("s3:GetObject", "<WorkBucket>/batches/*/uploads.jsonl"),
    ("s3:GetObject", "<WorkBucket>/batches/*/stragglers-*.jsonl"),
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

#: Only bulk leaves uploads over.
ANALYZER = FAST_ANALYZER | {("s3:GetObject", "<WorkBucket>/batches/*/leftovers.jsonl")}

BATCHER = TRACES | {
    ("logs:CreateLogStream", "<Logs>"),
    ("logs:PutLogEvents", "<Logs>"),
    ("sqs:ReceiveMessage", "<Queue>"),
    ("sqs:DeleteMessage", "<Queue>"),
    ("sqs:GetQueueAttributes", "<Queue>"),
    ("dynamodb:GetItem", "<VerdictsTable>"),
    ("dynamodb:PutItem", "<VerdictsTable>"),
    ("s3:PutObject", "<WorkBucket>/open/default/*.json"),
    ("s3:DeleteObject", "<WorkBucket>/open/default/*.json"),
    ("s3:PutObject", "<WorkBucket>/batches/*/manifest.jsonl"),
    ("s3:PutObject", "<WorkBucket>/batches/*/uploads.jsonl"),
    ("s3:PutObject", "<WorkBucket>/batches/*/batch.json"),
    ("s3:PutObject", "<WorkBucket>/batches/*/execution.json"),
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
    ("s3:PutObject", "<WorkBucket>/open/*/*.json"),
    ("s3:DeleteObject", "<WorkBucket>/open/*/*.json"),
    ("dynamodb:BatchGetItem", "<VerdictsTable>"),
    ("states:ListExecutions", "<StateMachine>"),
    ("states:DescribeExecution", "arn:*:states:*:*:execution:<StateMachine>:*"),
    ("states:RedriveExecution", "arn:*:states:*:*:execution:<StateMachine>:*"),
    ("sqs:SendMessage", "<Queue>"),
}

OUTCOMES = TRACES | {
    ("logs:CreateLogStream", "<Logs>"),
    ("logs:PutLogEvents", "<Logs>"),
    ("dynamodb:DescribeStream", "<VerdictsStream>"),
    ("dynamodb:GetRecords", "<VerdictsStream>"),
    ("dynamodb:GetShardIterator", "<VerdictsStream>"),
    ("dynamodb:ListStreams", "<VerdictsStream>"),
    ("sns:Publish", "<FlagsTopic>"),
    ("sqs:SendMessage", "<FailureQueue>"),
}

#: It decodes hostile bytes, and may do nothing.
RENDERER = TRACES | {("logs:CreateLogStream", "<Logs>"), ("logs:PutLogEvents", "<Logs>")}

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
        ("s3:GetObject", "<WorkBucket>/batches/*/execution.json"),
        ("sqs:SendMessage", "<ChunkQueue>"),
        ("lambda:InvokeFunction", "<ResultsFunction>"),
    }
)

#: Rekognition reads a job's manifest and images, and writes its results, with the permissions of who started it.
WORKFLOW = FAST_WORKFLOW | {
    ("sqs:GetQueueAttributes", "<ChunkQueue>"),
    ("s3:GetObject", "<WorkBucket>/batches/*/manifest.jsonl"),
    ("s3:PutObject", "<WorkBucket>/batches/*/analysis/bulk/*"),
    ("s3:GetObject", "<UploadsBucket>/*"),
    ("rekognition:StartMediaAnalysisJob", "*"),
    ("rekognition:GetMediaAnalysisJob", "*"),
}

BACKFILL_WORKFLOW = WORKFLOW | {("states:ListExecutions", "<StateMachine>")}

SHIPPED_ROLES = {
    "ResultsWriterResultsRole": RESULTS,
    "LiveImagesAnalyzerRole": ANALYZER,
    "DefaultLaneBatcherRole": BATCHER,
    "LiveAnalysisStateMachineRole": WORKFLOW,
    "SweeperRole": SWEEPER,
    "OutcomesRole": OUTCOMES,
    "RendererRole": RENDERER,
}

#: Roles of an image engine and a workflow for each priority.
PRIORITY_ROLES = {
    "FastImagesAnalyzerRole": FAST_ANALYZER,
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
    assert roles(elaborate) == {
        *PRIORITY_ROLES,
        *batchers,
        "ResultsWriterResultsRole",
        "SweeperRole",
        "OutcomesRole",
        "RendererRole",
    }


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
    assert permissions(image_only, f"{priority}ImagesAnalyzerRole") == FAST_ANALYZER


def test_results_lists_versions_and_reads_none_where_nobody_looks_for_animations(image_only: Assembly) -> None:
    version = {("s3:GetObjectVersion", "<UploadsBucket>/*")}
    listing = {("s3:ListBucketVersions", "<UploadsBucket>")}

    assert permissions(image_only, "ResultsWriterResultsRole") == RESULTS - version | listing


def test_results_may_send_events_to_the_bus_that_the_settings_name_and_keep_what_it_does_not_take(
    elaborate: Assembly,
) -> None:
    uploads = {
        (action, resource.replace("<UploadsBucket>", "arn:*:s3:::somebody-elses-bucket"))
        for action, resource in RESULTS
    }
    events = {
        ("events:PutEvents", "arn:*:events:*:*:event-bus/pictures"),
        ("events:DescribeEventBus", "arn:*:events:*:*:event-bus/pictures"),
        ("sqs:SendMessage", "<Queue>"),
    }

    assert permissions(elaborate, "ResultsWriterResultsRole") == uploads | events


@pytest.mark.parametrize(
    ("bus", "arn"),
    [
        ("default", "arn:*:events:*:*:event-bus/default"),
        ("arn:aws:events:eu-west-1:444455556666:event-bus/theirs",) * 2,
    ],
)
def test_a_bus_that_is_not_looked_up_needs_no_permission_for_it(
    synthesized: Callable[[str], Assembly], bus: str, arn: str
) -> None:
    held = permissions(synthesized(f"{{events: {{bus: {bus}}}, lanes: {{default: {{}}}}}}"), "ResultsWriterResultsRole")

    assert {entry for entry in held if entry[0].startswith("events:")} == {("events:PutEvents", arn)}


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
        (policy["Properties"]["Roles"], granted.listed(statement["Resource"]))
        for name, policy in resources(elaborate.pipeline, "AWS::IAM::Policy").items()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "states:ListExecutions" in granted.listed(statement["Action"]) and not name.startswith("Sweeper")
    ]

    ((holders, on),) = allowed
    assert [role["Ref"].startswith("BackfillAnalysisStateMachineRole") for role in holders] == [True]
    assert on == [{"Ref": own}]


@pytest.mark.parametrize(
    ("lane", "priority"),
    [("Default", "Live"), ("ProfilePictures", "Live"), ("Chat", "Fast"), ("Archive", "Backfill")],
)
def test_a_lane_can_start_batches_of_its_own_priority_alone(elaborate: Assembly, lane: str, priority: str) -> None:
    named = {
        action: set(re.findall(r"(\w+?)AnalysisStateMachine", json.dumps(statement["Resource"])))
        for policy in policies(elaborate, f"{lane}LaneBatcherRole")
        for statement in policy["Statement"]
        for action in granted.listed(statement["Action"])
        if action.startswith("states:") and action != "states:DescribeExecution"
    }

    assert named == {"states:StartExecution": {priority}, "states:RedriveExecution": {priority}}


@pytest.mark.parametrize("settings", ["shipped", "elaborate", "image_only", "own_key", "existing_key"])
def test_every_permission_allows_a_call_that_is_made_and_every_call_is_allowed(
    request: pytest.FixtureRequest, settings: str
) -> None:
    template = request.getfixturevalue(settings).pipeline

    found = granted.roles(template)
    held = {role: {(each.action, each.on) for each in granted.permissions(template, role)} for role in found}

    assert held == {role: set(needed.needs(template, logical_id)) for role, logical_id in found.items()}


@pytest.mark.parametrize("settings", ["shipped", "elaborate", "image_only", "own_key", "existing_key"])
def test_no_permission_is_covered_by_another_one(request: pytest.FixtureRequest, settings: str) -> None:
    template = request.getfixturevalue(settings).pipeline

    for role in granted.roles(template):
        held = granted.permissions(template, role)
        covered = {
            (one, other)
            for one in held
            for other in held - {one}
            if (one.action, one.through) == (other.action, other.through) and fnmatchcase(one.resource, other.resource)
        }
        assert covered == set(), role


def test_every_public_method_that_calls_aws_is_used_by_a_function() -> None:
    assert sources.unused_methods() == frozenset()


def test_only_the_classes_whose_calls_are_followed_are_given_a_client() -> None:
    assert client_uses.stray_uses() == []


@pytest.mark.parametrize("pattern", UNCHECKED)
def test_what_the_local_cloud_does_not_check_is_granted_where_the_template_asks_for_it_and_nowhere_else(
    existing_key: Assembly, pattern: str
) -> None:
    """Of keys, tracing and logs nobody sees a call, so the properties that turn them on have to tell."""
    template = existing_key.pipeline
    for role, logical_id in granted.roles(template).items():
        asked_for = {action for action, _ in needed.needs(template, logical_id) if fnmatchcase(action, pattern)}
        held = {each.action for each in granted.permissions(template, role) if fnmatchcase(each.action, pattern)}
        assert held == asked_for, role
        assert held or (role, pattern) == ("RendererRole", "kms:*")  # which reads and writes nothing that is encrypted


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
    return {name for template in assembly.templates for name in granted.roles(template)}


def policies(assembly: Assembly, role: str) -> list[Any]:
    return granted.policies(assembly.pipeline, role)


def permissions(assembly: Assembly, role: str) -> set[tuple[str, str]]:
    """Action and resource of every statement, with generated names made readable."""
    return {(entry.action, entry.resource) for entry in granted.permissions(assembly.pipeline, role)}
