"""IAM of the local cloud: what AWS refuses is refused, and what it allows is allowed."""

import json
from typing import Any

import pytest

from tests.localcloud.workbench import ACCOUNT, REGION, Workbench, error_code, unique

_PROJECT = "arn:aws:rekognition:us-east-1:000000000000:project/shop/1"


@pytest.mark.parametrize("allowed", [True, False])
def test_publishing_a_batch_needs_the_permission_to_publish(workbench: Workbench, allowed: bool) -> None:
    topic = workbench.client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    sns = workbench.user_client("sns", ("sns:Publish" if allowed else "sns:Subscribe", topic))
    code = error_code(
        lambda: sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": "1", "Message": "x"}])
    )
    assert code == ("" if allowed else "AuthorizationError")


def test_a_topic_policy_of_a_template_replaces_the_open_default(workbench: Workbench) -> None:
    only_tls = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sns:Publish",
        "Resource": {"Ref": "Topic"},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    document = {"Version": "2012-10-17", "Statement": [only_tls]}
    outputs = workbench.deployed(
        {
            "Resources": {
                "Topic": {"Type": "AWS::SNS::Topic"},
                "Policy": {
                    "Type": "AWS::SNS::TopicPolicy",
                    "Properties": {"Topics": [{"Ref": "Topic"}], "PolicyDocument": document},
                },
            },
            "Outputs": {"Topic": {"Value": {"Ref": "Topic"}}},
        }
    )
    topic = outputs["Topic"]
    policy = workbench.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    assert [statement["Effect"] for statement in json.loads(policy)["Statement"]] == ["Deny"]
    allowed, refused = workbench.user_client("sns", ("sns:Publish", topic)), workbench.user_client("sns")
    assert error_code(lambda: allowed.publish(TopicArn=topic, Message="x")) == ""
    assert error_code(lambda: refused.publish(TopicArn=topic, Message="x")) == "AuthorizationError"


def test_queue_batches_need_the_permissions_of_single_messages(workbench: Workbench) -> None:
    url, arn = workbench.queue()
    sender = workbench.user_client("sqs", ("sqs:SendMessage", arn))
    entries = [{"Id": "1", "MessageBody": "x"}]
    assert error_code(lambda: sender.send_message_batch(QueueUrl=url, Entries=entries)) == ""
    handles = [{"Id": "1", "ReceiptHandle": "x"}]
    assert "AccessDenied" in error_code(lambda: sender.delete_message_batch(QueueUrl=url, Entries=handles))


@pytest.mark.parametrize(
    ("item", "action"),
    [
        ({"Put": {"Item": {"key": {"S": "a"}}}}, "dynamodb:PutItem"),
        (
            {
                "Update": {
                    "Key": {"key": {"S": "a"}},
                    "UpdateExpression": "SET v = :v",
                    "ExpressionAttributeValues": {":v": {"S": "x"}},
                }
            },
            "dynamodb:UpdateItem",
        ),
        ({"Delete": {"Key": {"key": {"S": "a"}}}}, "dynamodb:DeleteItem"),
        (
            {
                "ConditionCheck": {
                    "Key": {"key": {"S": "a"}},
                    "ConditionExpression": "attribute_not_exists(#k)",
                    "ExpressionAttributeNames": {"#k": "key"},
                }
            },
            "dynamodb:ConditionCheckItem",
        ),
    ],
    ids=["put", "update", "delete", "check"],
)
def test_each_item_of_a_transaction_needs_its_own_permission(
    workbench: Workbench, item: dict[str, dict[str, Any]], action: str
) -> None:
    table = workbench.table()
    arn = f"arn:aws:dynamodb:{REGION}:000000000000:table/{table}"
    items = [{kind: {"TableName": table, **fields} for kind, fields in item.items()}]
    allowed = workbench.user_client("dynamodb", (action, arn))
    refused = workbench.user_client("dynamodb", ("dynamodb:TransactWriteItems", arn))
    assert error_code(lambda: allowed.transact_write_items(TransactItems=items)) == ""
    assert error_code(lambda: refused.transact_write_items(TransactItems=items)) == "AccessDeniedException"


def test_reading_a_batch_of_items_is_a_permission_of_its_own(workbench: Workbench) -> None:
    table = workbench.table()
    arn = f"arn:aws:dynamodb:{REGION}:000000000000:table/{table}"
    request = {table: {"Keys": [{"key": {"S": "a"}}]}}
    allowed = workbench.user_client("dynamodb", ("dynamodb:BatchGetItem", arn))
    refused = workbench.user_client("dynamodb", ("dynamodb:GetItem", arn))
    assert error_code(lambda: allowed.batch_get_item(RequestItems=request)) == ""
    assert error_code(lambda: refused.batch_get_item(RequestItems=request)) == "AccessDeniedException"


@pytest.mark.parametrize(("may_list", "code"), [(True, "404"), (False, "403")])
def test_a_missing_object_looks_forbidden_without_the_permission_to_list(
    workbench: Workbench, may_list: bool, code: str
) -> None:
    bucket = workbench.bucket()
    listing = [("s3:ListBucket", f"arn:aws:s3:::{bucket}")] if may_list else []
    s3 = workbench.user_client("s3", ("s3:GetObject", f"arn:aws:s3:::{bucket}/*"), *listing)
    assert error_code(lambda: s3.head_object(Bucket=bucket, Key="none")) == code
    body_code = error_code(lambda: s3.get_object(Bucket=bucket, Key="none"))
    assert body_code == ("NoSuchKey" if may_list else "AccessDenied")


def test_a_missing_bucket_is_missing_for_everybody(workbench: Workbench) -> None:
    s3 = workbench.user_client("s3", ("s3:GetObject", "*"))
    assert error_code(lambda: s3.get_object(Bucket="bucket-that-is-not-there", Key="none")) == "NoSuchBucket"


def test_a_version_needs_the_permission_to_read_versions(workbench: Workbench) -> None:
    bucket = workbench.bucket()
    admin = workbench.client("s3")
    admin.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = admin.put_object(Bucket=bucket, Key="key", Body=b"x")["VersionId"]
    s3 = workbench.user_client("s3", ("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    assert error_code(lambda: s3.head_object(Bucket=bucket, Key="key")) == ""
    assert error_code(lambda: s3.head_object(Bucket=bucket, Key="key", VersionId=version)) == "403"


def test_a_bucket_that_demands_tls_is_reachable_through_loopback(workbench: Workbench) -> None:
    bucket = workbench.bucket()
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    workbench.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy)
    s3 = workbench.user_client("s3", ("s3:PutObject", f"arn:aws:s3:::{bucket}/*"))
    assert error_code(lambda: s3.put_object(Bucket=bucket, Key="key", Body=b"x")) == ""


def test_rekognition_is_refused_without_a_permission(workbench: Workbench) -> None:
    refused = workbench.user_client("rekognition")
    allowed = workbench.user_client("rekognition", ("rekognition:GetMediaAnalysisJob", "*"))
    assert error_code(lambda: refused.get_media_analysis_job(JobId="a" * 64)) == "AccessDeniedException"
    assert error_code(lambda: allowed.get_media_analysis_job(JobId="a" * 64)) == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("create_project", {"ProjectName": "shop", "Feature": "CONTENT_MODERATION", "AutoUpdate": "ENABLED"}),
        ("describe_projects", {}),
        ("describe_project_versions", {"ProjectArn": _PROJECT}),
        (
            "create_project_version",
            {"ProjectArn": _PROJECT, "VersionName": "first", "OutputConfig": {"S3Bucket": "work"}},
        ),
        ("delete_project_version", {"ProjectVersionArn": _PROJECT.replace("/1", "/version/first/1")}),
    ],
)
def test_each_call_about_adapters_needs_its_own_permission(
    workbench: Workbench, operation: str, request_: dict[str, Any]
) -> None:
    action = "".join(word.capitalize() for word in operation.split("_"))
    refused = workbench.user_client("rekognition", ("rekognition:DetectModerationLabels", "*"))
    allowed = workbench.user_client("rekognition", (f"rekognition:{action}", "*"))

    assert error_code(lambda: getattr(refused, operation)(**request_)) == "AccessDeniedException"
    assert error_code(lambda: getattr(allowed, operation)(**request_)) != "AccessDeniedException"


def test_a_machine_is_started_with_the_permission_for_it_only(workbench: Workbench) -> None:
    done = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    machine, other = workbench.state_machine(done), workbench.state_machine(done)
    states = workbench.user_client("stepfunctions", ("states:StartExecution", machine))
    assert error_code(lambda: states.start_execution(stateMachineArn=machine)) == ""
    assert error_code(lambda: states.start_execution(stateMachineArn=other)) == "AccessDeniedException"


def test_executions_are_described_and_redriven_with_permissions_on_executions(workbench: Workbench) -> None:
    failed = workbench.run({"StartAt": "Fail", "States": {"Fail": {"Type": "Fail", "Error": "E", "Cause": "C"}}})
    arn = failed["executionArn"]
    executions = f"{arn.rpartition(':')[0]}:*"
    allowed = workbench.user_client(
        "stepfunctions", ("states:DescribeExecution", executions), ("states:RedriveExecution", executions)
    )
    refused = workbench.user_client("stepfunctions", ("states:StartExecution", "*"))
    assert error_code(lambda: allowed.describe_execution(executionArn=arn)) == ""
    assert error_code(lambda: refused.redrive_execution(executionArn=arn)) == "AccessDeniedException"
    assert error_code(lambda: allowed.redrive_execution(executionArn=arn)) == ""


@pytest.mark.parametrize(
    ("update", "condition", "refused"),
    [
        ("SET #a = :v", "attribute_not_exists(#b.#x) OR #b.#x <= :v", False),
        ("SET #a = if_not_exists(#a, :v) REMOVE b", "", False),
        ("SET #a = :v", "attribute_exists(#c)", True),
        ("SET #c = :v", "", True),
        ("SET #a = :v REMOVE c", "", True),
    ],
)
def test_an_update_is_limited_to_the_attributes_that_it_may_name(
    workbench: Workbench, update: str, condition: str, refused: bool
) -> None:
    table = workbench.table()
    writer = workbench.user_client(
        "dynamodb",
        ("dynamodb:UpdateItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"),
        condition={"ForAllValues:StringEquals": {"dynamodb:Attributes": ["key", "a", "b"]}},
    )
    names = {f"#{name}": name for name in "abcx" if f"#{name}" in update + condition}
    request = {"ConditionExpression": condition} if condition else {}

    code = error_code(
        lambda: writer.update_item(
            TableName=table,
            Key={"key": {"S": "k"}},
            UpdateExpression=update,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={":v": {"S": "x"}},
            **request,
        )
    )

    assert code == ("AccessDeniedException" if refused else "")
