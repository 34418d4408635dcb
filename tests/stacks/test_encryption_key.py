"""A customer's own key: what is encrypted with it, and who may do what with it, through which service."""

import json
from typing import Any

import pytest

from tests.stacks.conftest import Assembly, only, resources
from tests.stacks.test_permissions import roles

EXISTING = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

READ = {("kms:Decrypt", "s3")}
WRITE = {("kms:GenerateDataKey", "s3")}
RECEIVE = {("kms:Decrypt", "sqs")}
SEND = {("kms:Decrypt", "sqs"), ("kms:GenerateDataKey", "sqs")}
PUBLISH = {("kms:Decrypt", "sns"), ("kms:GenerateDataKey", "sns")}
TABLE = {
    (f"kms:{action}", "dynamodb")
    for action in (
        *("Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "DescribeKey"),
        *("GenerateDataKey", "GenerateDataKeyWithoutPlaintext"),
    )
}
JOBS = {(f"kms:{action}", "rekognition") for action in ("CreateGrant", "DescribeKey", "GenerateDataKey", "Decrypt")}

SWEEPER = READ | WRITE | SEND | TABLE
BATCHER = RECEIVE | TABLE | READ | WRITE

#: Action and service it may be called through, of each role.
ROLES = {
    "ResultsWriterResultsRole": TABLE | READ | WRITE | PUBLISH | SEND,
    "FastImagesAnalyzerRole": SEND | RECEIVE | READ | WRITE,
    "LiveImagesAnalyzerRole": SEND | RECEIVE | READ | WRITE,
    "BackfillImagesAnalyzerRole": SEND | RECEIVE | READ | WRITE,
    "DefaultLaneBatcherRole": BATCHER,
    "ProfilePicturesLaneBatcherRole": BATCHER,
    "ChatLaneBatcherRole": BATCHER,
    "ArchiveLaneBatcherRole": BATCHER,
    "SweeperRole": SWEEPER,
    "OutcomesRole": {("kms:Decrypt", "dynamodb"), ("kms:DescribeKey", "dynamodb")} | PUBLISH | SEND,
    "RendererRole": set(),
    "FastAnalysisStateMachineRole": READ | SEND,
    "LiveAnalysisStateMachineRole": READ | WRITE | SEND | JOBS,
    "BackfillAnalysisStateMachineRole": READ | WRITE | SEND | JOBS,
}


def test_the_shipped_settings_know_no_key_but_that_of_the_alarms_topic(shipped: Assembly) -> None:
    for template in (shipped.storage, shipped.pipeline):
        assert '"kms:' not in json.dumps(template)
        assert "AWS::KMS" not in json.dumps(template)
    assert only(shipped.monitoring, "AWS::KMS::Key")["DeletionPolicy"] == "Delete"


def test_a_key_that_is_made_is_rotated_and_outlives_its_stack(own_key: Assembly) -> None:
    key = only(own_key.storage, "AWS::KMS::Key")

    assert key["Properties"]["EnableKeyRotation"] is True
    assert (key["DeletionPolicy"], key["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert only(own_key.storage, "AWS::KMS::Alias")["Properties"]["AliasName"] == "alias/gatehouse"


def test_no_key_is_made_beside_one_that_exists(existing_key: Assembly) -> None:
    assert not resources(existing_key.storage, "AWS::KMS::Key")
    assert existing_key.storage["Outputs"]["EncryptionKeyArn"]["Value"] == EXISTING


@pytest.mark.parametrize("fixture", ["own_key", "existing_key"])
def test_everything_that_is_stored_is_encrypted_with_the_key(request: pytest.FixtureRequest, fixture: str) -> None:
    assembly: Assembly = request.getfixturevalue(fixture)
    used = [key for template in assembly.templates for key in keys_of(template)]
    kinds = ("S3::Bucket", "SQS::Queue", "SNS::Topic", "DynamoDB::GlobalTable", "Logs::LogGroup")
    stored = [name for kind in kinds for template in assembly.templates for name in resources(template, f"AWS::{kind}")]

    queues = resources(assembly.pipeline, "AWS::SQS::Queue")
    sqs_own = {name for name, queue in queues.items() if queue["Properties"].get("SqsManagedSseEnabled")}

    assert len(used) == len(stored)
    assert sqs_own == {name for name in queues if "Undelivered" in name}, "here goes what the key keeps out elsewhere"
    assert sum(map(is_the_key, used)) == len(stored) - len(sqs_own)
    table = only(assembly.storage, "AWS::DynamoDB::GlobalTable")["Properties"]
    assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}


@pytest.mark.parametrize("fixture", ["own_key", "existing_key"])
def test_bulk_jobs_are_told_the_key(request: pytest.FixtureRequest, fixture: str) -> None:
    machine = only(request.getfixturevalue(fixture).pipeline, "AWS::StepFunctions::StateMachine", "LiveAnalysis")
    definition = json.dumps(machine["Properties"]["DefinitionString"])

    assert definition.count("KmsKeyId") == 2  # the job that bulk starts, and the one that auto tries


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_use_the_key_as_its_calls_do_and_no_other_way(existing_key: Assembly, role: str) -> None:
    assert uses(existing_key, role) == ROLES[role]


def test_every_role_has_its_entry_here(existing_key: Assembly) -> None:
    assert roles(existing_key) == set(ROLES)


def test_a_key_that_is_made_is_used_by_the_same_rules(own_key: Assembly) -> None:
    for role in roles(own_key):
        assert uses(own_key, role) == ROLES[role], role


def test_only_services_hand_on_the_use_of_the_key(own_key: Assembly, existing_key: Assembly) -> None:
    for assembly in (own_key, existing_key):
        for statement in [*key_policy(assembly), *role_statements(assembly)]:
            if "kms:CreateGrant" in listed(statement["Action"]):
                assert statement["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}
                assert "kms:ViaService" in statement["Condition"]["StringEquals"]


def test_nobody_may_use_the_key_but_through_a_service_of_this_account(own_key: Assembly) -> None:
    """Whoever administers the key can't read with it; what follows is used by identities, and by three services."""
    administration, through, granted, events, alarms, logs = key_policy(own_key)
    cryptography = {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant", "kms:ReEncryptFrom"}

    assert not cryptography & set(listed(administration["Action"]))
    assert not [action for action in listed(administration["Action"]) if "*" in action]
    for statement in (administration, through, granted):
        assert json.dumps(statement["Principal"]).endswith(':root"]]}}')
    for statement in (through, granted):
        assert statement["Condition"]["StringEquals"]["kms:ViaService"]
    assert events["Principal"] == {"Service": "events.amazonaws.com"}
    assert events["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert set(events["Action"]) == {"kms:GenerateDataKey", "kms:Decrypt"}  # or every event is lost
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert alarms["Condition"] == events["Condition"]
    assert set(alarms["Action"]) == {"kms:GenerateDataKey*", "kms:Decrypt"}  # or nobody is told of an alarm
    assert services(logs["Principal"]["Service"]) == {"logs"}
    of_functions, of_machines = logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    assert json.dumps(of_functions).endswith(':log-group:gatehouse-*"]]}')
    assert json.dumps(of_machines).endswith(':log-group:/aws/vendedlogs/states/gatehouse-*"]]}')


def test_what_an_existing_keys_policy_has_to_allow_is_put_out(own_key: Assembly, existing_key: Assembly) -> None:
    """The same statements that a key of ours gets, but for its administration."""
    output = existing_key.storage["Outputs"]["EncryptionKeyPolicy"]["Value"]
    text = "".join(part if isinstance(part, str) else part["Ref"] for part in output["Fn::Join"][1])

    assert [statement["Sid"] for statement in json.loads(text)] == [
        statement["Sid"] for statement in key_policy(own_key)[1:]
    ]
    assert len(text) < 4096  # CloudFormation's bound for an output (User Guide, cloudformation-limits.html)


def keys_of(template: Any) -> list[Any]:
    """The key of each resource that stores something; None where it has none."""
    keys: list[Any] = []
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::S3::Bucket":
                (rule,) = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
                keys.append(rule["ServerSideEncryptionByDefault"].get("KMSMasterKeyID"))
            case "AWS::SQS::Queue" | "AWS::SNS::Topic":
                keys.append(properties.get("KmsMasterKeyId"))
            case "AWS::DynamoDB::GlobalTable":
                (replica,) = properties["Replicas"]
                keys.append(replica.get("SSESpecification", {}).get("KMSMasterKeyId"))
            case "AWS::Logs::LogGroup":
                keys.append(properties.get("KmsKeyId"))
    return keys


def is_the_key(value: Any) -> bool:
    return value == EXISTING or "EncryptionKey" in json.dumps(value)


def key_policy(assembly: Assembly) -> list[Any]:
    found = [
        key["Properties"]["KeyPolicy"]["Statement"] for key in resources(assembly.storage, "AWS::KMS::Key").values()
    ]
    return [statement for statements in found for statement in statements]


def role_statements(assembly: Assembly, role: str = "") -> list[Any]:
    """Statements about the key in the policies of a role, or of all."""
    return [
        statement
        for policy in resources(assembly.pipeline, "AWS::IAM::Policy").values()
        if any(entry["Ref"].startswith(role) for entry in policy["Properties"]["Roles"])
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if any(action.startswith("kms:") for action in listed(statement["Action"]))
    ]


def uses(assembly: Assembly, role: str) -> set[tuple[str, str]]:
    found = set()
    for statement in role_statements(assembly, role):
        assert is_the_key(statement["Resource"]), statement
        (via,) = services(statement["Condition"]["StringEquals"]["kms:ViaService"])
        found |= {(action, via) for action in listed(statement["Action"])}
    return found


def services(endpoints: Any) -> set[str]:
    """`s3` of `s3.<Region>.amazonaws.com`."""
    found = set()
    for endpoint in listed(endpoints):
        service, region, rest = endpoint["Fn::Join"][1]
        assert (region, rest) == ({"Ref": "AWS::Region"}, ".amazonaws.com")
        found.add(service.removesuffix("."))
    return found


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
