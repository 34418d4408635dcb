"""Who is let in by the resources' own policies: nobody without TLS, and a service for this account's sake alone."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.stacks.conftest import Assembly, resources

FIXTURES = ["shipped", "elaborate", "own_key"]

#: Resources that have a policy of their own, and the kind of it.
POLICIES = {
    "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "Bucket"),
    "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues"),
    "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics"),
}

#: Conditions that tell whose sake a service acts for. CloudWatch Logs documents the last one for keys (CloudWatch Logs
#: User Guide, encrypt-log-data-kms.html).
SOURCES = {"aws:SourceArn", "aws:SourceAccount", "kms:EncryptionContext:aws:logs:arn"}

#: Actions that have no resource types (Service Authorization Reference); Rekognition's without an adapter.
WITHOUT_RESOURCE = {
    *("xray:PutTelemetryRecords", "xray:PutTraceSegments", "xray:GetSamplingRules", "xray:GetSamplingTargets"),
    *("logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies"),
    *("logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"),
    *("rekognition:DetectModerationLabels", "rekognition:StartMediaAnalysisJob", "rekognition:GetMediaAnalysisJob"),
}


@pytest.fixture(params=FIXTURES)
def assembly(request: pytest.FixtureRequest) -> Assembly:
    found: Assembly = request.getfixturevalue(request.param)
    return found


def test_every_bucket_queue_and_topic_refuses_what_comes_without_tls(assembly: Assembly) -> None:
    for template in assembly.templates:
        for kind, (policy_kind, member) in POLICIES.items():
            closed = {
                json.dumps(target, sort_keys=True)
                for policy in resources(template, policy_kind).values()
                if any(refuses_plain_text(statement) for statement in statements(policy))
                for target in listed(policy["Properties"][member])
            }
            assert closed == {json.dumps({"Ref": name}) for name in resources(template, kind)}, kind


def test_no_policy_of_a_resource_allows_anything_to_everybody(assembly: Assembly) -> None:
    for statement in allowing(assembly):
        assert "*" not in json.dumps(statement["Principal"])


def test_a_service_is_let_in_for_the_sake_of_this_account_alone(assembly: Assembly) -> None:
    let_in = [statement for statement in allowing(assembly) if "Service" in statement["Principal"]]

    assert let_in
    for statement in let_in:
        keys = {key for operands in statement.get("Condition", {}).values() for key in operands}
        assert keys & SOURCES, statement


def test_eventbridge_may_put_into_a_queue_what_its_own_rule_sends_and_nothing_else(assembly: Assembly) -> None:
    rules = resources(assembly.pipeline, "AWS::Events::Rule")
    for policy in resources(assembly.pipeline, "AWS::SQS::QueuePolicy").values():
        for statement in statements(policy):
            if statement["Effect"] == "Allow":
                assert statement["Principal"] == {"Service": "events.amazonaws.com"}
                ((rule, attribute),) = [statement["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::GetAtt"]]
                assert (rule in rules, attribute) == (True, "Arn")


def test_step_functions_takes_a_role_for_machines_of_this_account_alone(assembly: Assembly) -> None:
    """Nothing documents the same for roles that Lambda takes (Developer Guide, lambda-intro-execution-role.html)."""
    for name, role in resources(assembly.pipeline, "AWS::IAM::Role").items():
        (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        if statement["Principal"] == {"Service": "states.amazonaws.com"}:
            condition = statement["Condition"]
            assert condition["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}, name
            assert json.dumps(condition["ArnLike"]["aws:SourceArn"]).endswith(':stateMachine:*"]]}'), name


def test_no_role_is_granted_actions_by_a_wildcard(assembly: Assembly) -> None:
    for statement in granted(assembly):
        assert "*" not in "".join(listed(statement["Action"]))


def test_everything_is_a_resource_only_where_an_action_has_none(assembly: Assembly) -> None:
    """Narrower wildcards are cdk-nag's finding IAM5, which is accepted with a reason or fails (test_findings)."""
    stars = {
        action
        for statement in granted(assembly)
        if "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }

    assert stars
    assert stars <= WITHOUT_RESOURCE


def test_no_role_may_delete_or_administer_anything(assembly: Assembly) -> None:
    """But for messages that are done, batches that are no longer open, and the log delivery that Step Functions sets up
    with the machine's role."""
    allowed = {action for statement in granted(assembly) for action in listed(statement["Action"])}
    verbs = ("Delete", "Put", "Create", "Update", "Attach", "Pass", "Add", "Remove", "Set", "Tag", "Schedule")

    assert {action for action in allowed if action.partition(":")[2].startswith(verbs)} <= {
        *("sqs:DeleteMessage", "s3:PutObject", "dynamodb:PutItem"),
        *("logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"),
        *("logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"),
        "events:PutEvents",  # on the bus of the settings alone (test_permissions)
        "kms:CreateGrant",  # for Rekognition alone (test_encryption_key)
        "s3:DeleteObject",  # of the register alone, see below
    }


def test_nothing_but_entries_of_the_register_of_open_batches_may_be_deleted(assembly: Assembly) -> None:
    deleted = [
        resource
        for statement in granted(assembly)
        if "s3:DeleteObject" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]

    assert deleted
    for resource in deleted:
        bucket, keys = resource["Fn::Join"][1]
        assert "WorkBucket" in json.dumps(bucket)
        assert keys.startswith("/open/")


def test_only_a_rule_of_ours_may_call_a_function_by_the_functions_own_policy(assembly: Assembly) -> None:
    rules = resources(assembly.pipeline, "AWS::Events::Rule")
    permissions = resources(assembly.pipeline, "AWS::Lambda::Permission")

    assert permissions
    for permission in permissions.values():
        properties = permission["Properties"]
        assert properties["Principal"] == "events.amazonaws.com"
        assert properties["SourceArn"]["Fn::GetAtt"][0] in rules


def refuses_plain_text(statement: Any) -> bool:
    return (
        statement["Effect"] == "Deny"
        and statement["Principal"] in ("*", {"AWS": "*"})
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    )


def allowing(assembly: Assembly) -> Iterator[Any]:
    """Statements that let somebody in: of buckets, queues, topics and keys."""
    for template in assembly.templates:
        for kind, _ in POLICIES.values():
            for policy in resources(template, kind).values():
                yield from (statement for statement in statements(policy) if statement["Effect"] == "Allow")
        for key in resources(template, "AWS::KMS::Key").values():
            yield from key["Properties"]["KeyPolicy"]["Statement"]


def granted(assembly: Assembly) -> Iterator[Any]:
    """Statements of the roles' policies."""
    for template in assembly.templates:
        for policy in resources(template, "AWS::IAM::Policy").values():
            yield from statements(policy)


def statements(policy: Any) -> list[Any]:
    found: list[Any] = policy["Properties"]["PolicyDocument"]["Statement"]
    return found


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
