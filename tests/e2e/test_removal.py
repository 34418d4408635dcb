"""What is left when all stacks are deleted is exactly what docs/remove.md lists."""

import re
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from demo.pipeline import DemoUpload
from demo.synthesis import ROOT
from tests.e2e.conftest import Deploy
from tests.e2e.images import BLOCKED
from tests.e2e.pipeline import Pipeline

PAGE = (ROOT / "docs" / "remove.md").read_text("utf-8")

#: Whatever is kept is there: a key, dead letters of events and of backfills.
SETTINGS = "{encryption_key: create, events: {bus: default}, existing_objects: true, lanes: {default: {}}}"

#: In the order of `cdk destroy --all`.
STACKS = ("gatehouse-monitoring", "gatehouse-pipeline", "gatehouse-storage")

#: What `make bootstrap` made, and the queue that the tests listen with.
_OTHERS = re.compile(r"cdk-hnb659fds|/cdk-bootstrap/|/flags-\w+$")


def listed() -> list[str]:
    """The names of what stays, as the page has them."""
    table = PAGE.split("## What stays", 1)[1].split("## Deploy again", 1)[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def left(pipeline: Pipeline) -> Iterator[str]:
    """The name of everything that exists; of a key its description, and whether it is in use."""
    client = pipeline.cloud.client
    yield from (each["Name"] for each in client("s3").list_buckets()["Buckets"])
    yield from client("dynamodb").list_tables()["TableNames"]
    yield from client("sqs").list_queues().get("QueueUrls", [])
    yield from (each["TopicArn"] for each in client("sns").list_topics()["Topics"])
    yield from (each["Name"] for each in client("ssm").describe_parameters()["Parameters"])
    yield from (each["logGroupName"] for each in client("logs").describe_log_groups()["logGroups"])
    yield from (each["AlarmName"] for each in client("cloudwatch").describe_alarms()["MetricAlarms"])
    yield from (each["DashboardName"] for each in client("cloudwatch").list_dashboards()["DashboardEntries"])
    yield from (each["FunctionName"] for each in client("lambda").list_functions()["Functions"])
    yield from (each["UUID"] for each in client("lambda").list_event_source_mappings()["EventSourceMappings"])
    yield from (each["name"] for each in client("stepfunctions").list_state_machines()["stateMachines"])
    yield from (each["Name"] for each in client("events").list_rules()["Rules"])
    yield from (each["RoleName"] for each in client("iam").list_roles()["Roles"])
    yield from (each["AliasName"] for each in client("kms").list_aliases()["Aliases"])
    for key in client("kms").list_keys()["Keys"]:
        found = client("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        if found["KeyState"] != "PendingDeletion":
            yield f"EncryptionKey, {found['Description']}"


def delete(pipeline: Pipeline, stack: str) -> None:
    stacks = pipeline.cloud.client("cloudformation")
    stacks.delete_stack(StackName=stack)

    def is_gone() -> bool:
        try:
            status = stacks.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        except ClientError:
            return True
        return bool(status == "DELETE_COMPLETE")

    pipeline.wait_until(is_gone, why=f"{stack} to be deleted")


def test_what_is_left_is_what_the_page_lists(deployed: Deploy) -> None:
    with deployed(SETTINGS) as pipeline:
        pipeline.upload_many([DemoUpload("cat.jpg", BLOCKED)])
        (verdict,) = pipeline.wait_for_verdicts(1)
        monitoring, machinery, storage = STACKS
        delete(pipeline, monitoring)
        delete(pipeline, machinery)
        with pytest.raises(ClientError, match="TerminationProtection"):
            delete(pipeline, storage)
        stacks = pipeline.cloud.client("cloudformation")
        stacks.update_termination_protection(StackName=storage, EnableTerminationProtection=False)
        delete(pipeline, storage)

        names = [name for name in left(pipeline) if not _OTHERS.search(name)]
        rows = {name: [row for row in listed() if row in name] for name in names}

        assert {name: found for name, found in rows.items() if len(found) != 1} == {}
        assert {row for found in rows.values() for row in found} == set(listed())
        assert pipeline.verdicts() == [verdict]
        assert pipeline.cloud.client("s3").head_object(Bucket=pipeline.outputs["UploadBucketName"], Key="cat.jpg")
