"""A deployment in memory, and the `gatehouse` command run against it from an empty folder."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError
from hypothesis import settings
from moto import mock_aws
from typer.main import get_command
from typer.testing import CliRunner, Result

from gatehouse.cli.connection import Connection
from gatehouse.contracts.stack_outputs import LaneOutput
from gatehouse.contracts.texts import gate_text
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.gate import Gate
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer, policy_key
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import OBJECT, VERSION
from tests.contracts import check_items
from tests.unit.aws_calls import AwsCalls
from tests.unit.builders import item_of
from tests.unit.conftest import is_ours
from tests.unit.verdict_tables import create_verdict_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_ssm import SSMClient

settings.register_profile("gatehouse", deadline=None, max_examples=100, derandomize=True, database=None)
settings.load_profile("gatehouse")

TABLE = "verdicts"
WORK = "work"
UPLOADS = "uploads"

STANDARD = """\
name: standard
version: "1"
default: {review: 60}
rules:
  Violence: {review: 50, block: 90}
  Alcohol: allow
"""
STRICT = """\
name: strict
version: "1"
default: {review: 40}
rules:
  Violence: {block: 40}
"""
#: Lane default judges by standard, and by strict what children upload.
LANES = {"default": {"policy": "standard", "policy_overrides": {"kids/": "strict"}, "min_confidence": 30}}

STATE_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:live"


def queue_outputs(lane: str) -> list[str]:
    """Names of the outputs with a lane's queues: ingest, dead-letter, undelivered."""
    return [output.of(lane) for output in LaneOutput]


def queue_url(output: str) -> str:
    """The URL of a queue that is named after its output, if somebody makes it."""
    return f"https://sqs.us-east-1.amazonaws.com/123456789012/{output}"


def policy_of(text: str) -> Policy:
    """The policy that this YAML is."""
    return Policy.from_document(yaml.safe_load(text))


@dataclass(frozen=True)
class Deployed:
    """A deployment of the policies STANDARD and STRICT. Its stacks exist in DescribeStacks' answers only.

    Attributes:
        calls: what the command called, and a way to answer in AWS's place. What a test calls itself is not in it.
        stack_changes: by stack, what DescribeStacks says otherwise than of a stack at rest.
        stack_events: by stack, what DescribeStackEvents says; nothing at first.
    """

    dynamodb: "DynamoDBClient"
    s3: "S3Client"
    sns: "SNSClient"
    ssm: "SSMClient"
    topic_arn: str
    calls: AwsCalls = field(default_factory=AwsCalls)
    stack_changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    stack_events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def stacks(self, lanes: Mapping[str, Any] = LANES, without: Sequence[str] = (), **changed: str) -> None:
        """Have the stacks `gatehouse-storage` and `gatehouse-pipeline`, some outputs left out, changed or added."""
        storage = {
            "UploadBucketName": UPLOADS,
            "WorkBucketName": WORK,
            "VerdictTableName": TABLE,
            "FlagTopicArn": self.topic_arn,
            "StandardPolicyParameterName": "parameter-of-standard",
            "StrictPolicyParameterName": "parameter-of-strict",
            "PolicyParameterName": "parameter-of-standard",
            "Gate": gate_text(Gate()),
        }
        pipeline = {
            "LanePolicies": json.dumps(lanes),
            "OutcomesFunctionName": "outcomes",
            "ChangeFailureQueueUrl": queue_url("ChangeFailureQueueUrl"),
            "DecisionReasons": "false-positive,context,policy-violation,spam,illegal,duplicate,other",
            "VerdictRetentionDays": "never",
            "AnimationCheck": "on",
            "StateMachineArn": STATE_MACHINE,
            **{output: queue_url(output) for lane in lanes for output in queue_outputs(lane)},
        }
        pipeline |= {name: value for name, value in changed.items() if name not in {*storage, *pipeline}}
        outputs = {
            stack: [
                {"OutputKey": name, "OutputValue": changed.get(name, value)}
                for name, value in values.items()
                if name not in without
            ]
            for stack, values in (("gatehouse-storage", storage), ("gatehouse-pipeline", pipeline))
        }

        def describe(request: Mapping[str, Any]) -> dict[str, Any]:
            name = request["body"]["StackName"]
            if name not in outputs:
                error: Any = {"Code": "ValidationError", "Message": f"Stack with id {name} does not exist"}
                raise ClientError({"Error": error}, "DescribeStacks")
            stack = {"StackName": name, "StackStatus": "UPDATE_COMPLETE", "Outputs": outputs[name]}
            return {"Stacks": [stack | self.stack_changes.get(name, {})]}

        self.calls.answer_always("DescribeStacks", describe)
        self.calls.answer_always(
            "DescribeStackEvents",
            lambda request: {"StackEvents": self.stack_events.get(request["body"]["StackName"], [])},
        )

    def deploy_ended(self, moment: datetime) -> None:
        """Have the functions' last deploy end then."""
        arn = "arn:aws:cloudformation:us-east-1:123456789012:stack/gatehouse-pipeline/1"
        end = {"StackId": arn, "PhysicalResourceId": arn, "ResourceStatus": "UPDATE_COMPLETE", "Timestamp": moment}
        self.stack_events["gatehouse-pipeline"] = [end]

    def table_measures(self, items: int, size: int) -> None:
        """Have DynamoDB say that the verdict table has so many items, and so many bytes."""
        described = {"Table": {"ItemCount": items, "TableSizeBytes": size}}
        self.calls.answer_always("DescribeTable", lambda _: described)

    def ship(self, policy: Policy) -> None:
        """Point to a policy as a deploy does."""
        self.point(policy.name, PolicyPointer.to_shipped(policy).to_text())

    def point(self, name: str, text: str) -> None:
        """Write the parameter of the policy called `name`."""
        self.ssm.put_parameter(Name=f"parameter-of-{name}", Value=text, Type="String", Overwrite=True)

    def pointer(self, name: str) -> PolicyPointer:
        """The pointer of the policy called `name`."""
        return PolicyPointer.from_text(self.ssm.get_parameter(Name=f"parameter-of-{name}")["Parameter"]["Value"])

    def record(self, policy: Policy) -> None:
        """Keep a policy as the batcher does."""
        self.s3.put_object(Bucket=WORK, Key=policy_key(policy.hash), Body=policy.to_text().encode())

    def recorded(self) -> dict[str, str]:
        """Key -> text of the policies in the work bucket."""
        keys = [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=WORK).get("Contents", [])]
        return {key: self.s3.get_object(Bucket=WORK, Key=key)["Body"].read().decode() for key in keys}

    def put(self, *held: Verdict | Claim) -> None:
        """Put the items of final verdicts, or of claims."""
        puts: Any = [{"PutRequest": {"Item": _serialized(item_of(entry))}} for entry in held]
        for start in range(0, len(puts), 25):
            self.dynamodb.batch_write_item(RequestItems={TABLE: puts[start : start + 25]})

    def put_item(self, item: Mapping[str, Any]) -> None:
        """Put an item as it is."""
        self.dynamodb.put_item(TableName=TABLE, Item=_serialized(item))

    def items(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Every item of the verdict table, by object and version."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=TABLE)
        found = [
            {name: TypeDeserializer().deserialize(value) for name, value in item.items()}
            for page in pages
            for item in page["Items"]
        ]
        return {(item[OBJECT], item[VERSION]): item for item in found}


Run = Callable[..., Result]


def _serialized(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: TypeSerializer().serialize(value) for name, value in item.items()}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder commands run in; nothing but the tests says which deployment they are about, and how wide to print."""
    for name in ("GATEHOUSE_DEPLOYMENT", "GATEHOUSE_SETTINGS", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session", autouse=True)
def commands_are_made_once() -> Iterator[None]:
    """Typer makes the whole command of its functions for each run, which takes longer than many runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(get_command))
        yield


@pytest.fixture
def gatehouse(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `gatehouse` with these arguments; an unexpected exception fails the test.

    Somebody sits at a terminal if there is `input`.
    """

    def run(*arguments: str, **options: Any) -> Result:
        from gatehouse.cli.__main__ import app

        monkeypatch.setattr("gatehouse.cli.output.can_ask", lambda: "input" in options)
        result = CliRunner().invoke(app, arguments, **options)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def run(gatehouse: Run) -> Run:
    """Run `gatehouse policy` with these arguments."""
    return partial(gatehouse, "policy")


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    """A deployment in which nothing was uploaded yet."""
    with deployment_in_memory(monkeypatch) as found:
        yield found


@contextmanager
def deployment_in_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    """The same, outside of a test."""
    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        sns = boto3.client("sns")
        deployed = Deployed(
            boto3.client("dynamodb"),
            boto3.client("s3"),
            sns,
            boto3.client("ssm"),
            sns.create_topic(Name="flags")["TopicArn"],
        )
        create_verdict_table(deployed.dynamodb, TABLE)
        deployed.s3.create_bucket(Bucket=WORK)
        deployed.s3.create_bucket(Bucket=UPLOADS)
        for policy in (policy_of(STANDARD), policy_of(STRICT)):
            deployed.ship(policy)
        deployed.stacks()
        _watch_commands(deployed.calls, monkeypatch)
        yield deployed
        check_items(item for item in deployed.items().values() if is_ours(item))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Have botocore note the seconds it would wait for before it repeats a call, and wait for nothing."""
    waits: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=waits.append))
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda self: None)
    return waits


def _watch_commands(calls: AwsCalls, monkeypatch: pytest.MonkeyPatch) -> None:
    client_of = Connection.client

    def watched(self: Connection, *arguments: Any, **options: Any) -> Any:
        client = client_of(self, *arguments, **options)
        calls.watch(client)
        return client

    monkeypatch.setattr(Connection, "client", watched)
