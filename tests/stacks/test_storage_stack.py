"""What must survive does, and is closed to everyone who was not let in."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gatehouse.configuration.policies import compile_policies
from gatehouse.moderation import verdict_item
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer
from tests.stacks.conftest import ROOT, Assembly, only, resources


def bucket(assembly: Assembly, name: str) -> Any:
    return only(assembly.storage, "AWS::S3::Bucket", name)["Properties"]


@pytest.mark.parametrize("name", ["Uploads", "Work"])
def test_buckets_are_encrypted_and_closed(shipped: Assembly, name: str) -> None:
    properties = bucket(shipped, name)

    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["BucketEncryption"]
    (statement,) = only(shipped.storage, "AWS::S3::BucketPolicy", name)["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"], statement["Condition"]) == (
        "Deny",
        "s3:*",
        {"Bool": {"aws:SecureTransport": "false"}},
    )


def test_uploads_keep_their_versions_and_send_events(shipped: Assembly) -> None:
    properties = bucket(shipped, "Uploads")

    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert properties["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_uploads_do_not_expire(shipped: Assembly) -> None:
    (rule,) = bucket(shipped, "Uploads")["LifecycleConfiguration"]["Rules"]

    assert set(rule) == {"AbortIncompleteMultipartUpload", "Status"}


@pytest.mark.parametrize(("fixture", "days"), [("shipped", 30), ("elaborate", 45)])
def test_batches_expire_as_the_settings_say(request: pytest.FixtureRequest, fixture: str, days: int) -> None:
    (rule,) = bucket(request.getfixturevalue(fixture), "Work")["LifecycleConfiguration"]["Rules"]

    assert (rule["Prefix"], rule["ExpirationInDays"], rule["Status"]) == ("batches/", days, "Enabled")


def test_the_verdict_table_has_the_keys_the_code_uses(shipped: Assembly) -> None:
    properties = only(shipped.storage, "AWS::DynamoDB::GlobalTable")["Properties"]

    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["KeySchema"] == [
        {"AttributeName": verdict_item.OBJECT, "KeyType": "HASH"},
        {"AttributeName": verdict_item.VERSION, "KeyType": "RANGE"},
    ]
    assert {entry["AttributeType"] for entry in properties["AttributeDefinitions"]} == {"S"}
    assert properties["TimeToLiveSpecification"] == {"AttributeName": verdict_item.EXPIRES_AT, "Enabled": True}
    assert properties["GlobalSecondaryIndexes"] == [
        {
            "IndexName": name,
            "KeySchema": [
                {"AttributeName": partition, "KeyType": "HASH"},
                {"AttributeName": verdict_item.INDEX_SORT, "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(projection)},
        }
        for name, partition, projection in (
            (verdict_item.INDEX, verdict_item.INDEX_PARTITION, verdict_item.INDEX_PROJECTION),
            (
                verdict_item.DECISION_INDEX,
                verdict_item.DECISION_INDEX_PARTITION,
                verdict_item.DECISION_INDEX_PROJECTION,
            ),
        )
    ]


def test_a_change_of_an_item_is_streamed_as_it_was_and_as_it_is(shipped: Assembly) -> None:
    properties = only(shipped.storage, "AWS::DynamoDB::GlobalTable")["Properties"]

    assert properties["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_verdicts_can_be_restored_and_not_deleted_by_mistake(shipped: Assembly) -> None:
    (replica,) = only(shipped.storage, "AWS::DynamoDB::GlobalTable")["Properties"]["Replicas"]

    assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert replica["DeletionProtectionEnabled"] is True


def test_the_flag_topic_is_encrypted_and_lets_nobody_in_by_its_policy(shipped: Assembly) -> None:
    topic = only(shipped.storage, "AWS::SNS::Topic")["Properties"]
    (statement,) = only(shipped.storage, "AWS::SNS::TopicPolicy")["Properties"]["PolicyDocument"]["Statement"]

    assert json.dumps(topic["KmsMasterKeyId"]).endswith(':alias/aws/sns"]]}')
    assert "FifoTopic" not in topic
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def shipped_policies(assembly: Assembly) -> dict[str, Policy]:
    """The policies in the functions' asset."""
    (asset,) = [folder for folder in assembly.folder.glob("asset.*") if (folder / "policies").is_dir()]
    files = (asset / "policies").iterdir()
    return {path.stem: Policy.from_document(json.loads(path.read_text("utf-8"))) for path in files}


@pytest.mark.parametrize(
    ("fixture", "names"), [("shipped", {"standard"}), ("elaborate", {"standard", "strict", "permissive"})]
)
def test_each_policy_in_use_and_no_other_is_shipped_and_pointed_to(
    request: pytest.FixtureRequest, fixture: str, names: set[str]
) -> None:
    assembly: Assembly = request.getfixturevalue(fixture)
    values = [each["Properties"]["Value"] for each in resources(assembly.storage, "AWS::SSM::Parameter").values()]
    policies = shipped_policies(assembly)

    assert set(policies) == names
    assert sorted(values) == sorted(PolicyPointer.to_shipped(policy).to_text() for policy in policies.values())
    assert all(policy == compile_policies(ROOT / "policies").policies[name] for name, policy in policies.items())


def test_a_pointer_changes_with_its_policy_alone(shipped: Assembly, elaborate: Assembly) -> None:
    """CloudFormation writes the value again whatever changed, and would undo a live change."""
    in_one, in_another = (
        only(assembly.storage, "AWS::SSM::Parameter", "Standard") for assembly in (shipped, elaborate)
    )

    assert in_one == in_another
    assert set(in_one["Properties"]) == {"Type", "Value", "Description"}


def test_everything_stored_outlives_its_stack(shipped: Assembly) -> None:
    kinds = ("AWS::S3::Bucket", "AWS::DynamoDB::GlobalTable", "AWS::SNS::Topic", "AWS::SSM::Parameter")
    kept = {name: resource for kind in kinds for name, resource in resources(shipped.storage, kind).items()}

    assert len(kept) == 5
    for name, resource in kept.items():
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain"), name


def test_an_existing_bucket_is_used_and_nothing_is_made_in_its_place(elaborate: Assembly) -> None:
    outputs = elaborate.storage["Outputs"]

    assert list(resources(elaborate.storage, "AWS::S3::Bucket")) == [
        name for name in elaborate.storage["Resources"] if name.startswith("WorkBucket") and "Policy" not in name
    ]
    assert outputs["UploadBucketName"]["Value"] == "somebody-elses-bucket"
    assert outputs["UploadBucketNotice"]["Value"].startswith("Turn on Amazon EventBridge for somebody-elses-bucket")


def test_the_outputs_are_those_of_the_design(elaborate: Assembly) -> None:
    outputs = elaborate.storage["Outputs"]
    named = {name for name in outputs if not name.startswith("PublishOutput")}

    assert named == {
        *("UploadBucketName", "WorkBucketName", "VerdictTableName", "FlagTopicArn", "UploadBucketNotice", "Gate"),
        *("StandardPolicyParameterName", "StrictPolicyParameterName", "PermissivePolicyParameterName"),
        "PolicyParameterName",
    }
    assert outputs["PolicyParameterName"]["Value"] == outputs["StandardPolicyParameterName"]["Value"]


def test_the_first_lane_gives_the_main_policy_where_none_is_called_default(
    synthesized: Callable[[str], Assembly],
) -> None:
    lanes = "{b: {prefixes: [b/], policy: strict}, a: {prefixes: [a/], policy: permissive}}"
    outputs = synthesized(f"lanes: {lanes}").storage["Outputs"]

    assert outputs["PolicyParameterName"]["Value"] == outputs["StrictPolicyParameterName"]["Value"]
