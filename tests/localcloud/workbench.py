"""Short ways to put roles, functions, queues and state machines into a local cloud, and to wait for what they do."""

import io
import json
import time
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud.endpoint import local_client

ACCOUNT = "000000000000"
REGION = "us-east-1"

Statement = tuple[str, str]
_Value = TypeVar("_Value")


def eventually(probe: Callable[[], _Value], seconds: float = 60) -> _Value:
    """What `probe` returns as soon as that is true; fails the test if it isn't in time."""
    deadline = time.monotonic() + seconds
    while not (value := probe()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s; last seen: {value!r}")
        time.sleep(0.02)
    return value


def error_code(call: Callable[[], Any]) -> str:
    """The error code `call` is refused with; empty if it is not."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def unique(kind: str) -> str:
    """A name that nothing else has."""
    return f"{kind}-{uuid.uuid4().hex}"


def zipped(source: str) -> bytes:
    """A function's code package with one module, `index`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", source)
    return buffer.getvalue()


class Workbench:
    """A local cloud and its administrator."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """A client of the administrator."""
        if service not in self._clients:
            self._clients[service] = local_client(service, self.endpoint)
        return self._clients[service]

    def user_client(self, service: str, *statements: Statement, condition: Mapping[str, Any] | None = None) -> Any:
        """A client of a new user who may do this and nothing else: pairs of action and resource.

        Args:
            condition: of every statement.
        """
        iam = self.client("iam")
        name = unique("user")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=_policy(statements, condition))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        session: Any = boto3.Session(
            aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"], region_name=REGION
        )
        return session.client(service, endpoint_url=self.endpoint, config=Config(retries={"total_max_attempts": 1}))

    def role(self, service: str, *statements: Statement) -> str:
        """The ARN of a new role of a service, which may do this and nothing else."""
        iam = self.client("iam")
        name = unique("role")
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="policy", PolicyDocument=_policy(statements))
        return str(arn)

    def function(self, source: str, *statements: Statement, timeout: int = 20, **variables: str) -> str:
        """The name of a new Lambda function whose module `index` has a `handler`."""
        name = unique("function")
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=self.role("lambda.amazonaws.com", *statements),
            Handler="index.handler",
            Code={"ZipFile": zipped(source)},
            Timeout=timeout,
            Environment={"Variables": variables},
        )
        return name

    def invoke(self, function: str, event: Any) -> Any:
        """What a function returns, or the error document."""
        answer = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    def queue(self, **attributes: str) -> tuple[str, str]:
        """URL and ARN of a new queue."""
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName=unique("queue"), Attributes=attributes)["QueueUrl"]
        return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def messages(self, queue_url: str) -> list[Any]:
        """The messages a queue holds, deleted from it."""
        sqs = self.client("sqs")
        found: list[Any] = []
        while batch := sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            for message in batch:
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            found += batch
        return found

    def bucket(self) -> str:
        """The name of a new bucket."""
        name = unique("bucket")
        self.client("s3").create_bucket(Bucket=name)
        return name

    def table(self) -> str:
        """The name of a new table with the partition key `key`."""
        name = unique("table")
        self.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        return name

    def state_machine(self, definition: Mapping[str, Any], *statements: Statement) -> str:
        """The ARN of a new JSONata state machine whose role may do this and nothing else."""
        machine = self.client("stepfunctions").create_state_machine(
            name=unique("machine"),
            definition=json.dumps({"QueryLanguage": "JSONata", **definition}),
            roleArn=self.role("states.amazonaws.com", *statements),
        )
        return str(machine["stateMachineArn"])

    def start(self, machine: str, data: Any = None) -> str:
        """The ARN of a new execution."""
        started = self.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(data or {}))
        return str(started["executionArn"])

    def execution(self, arn: str) -> dict[str, Any]:
        """DescribeExecution."""
        return dict(self.client("stepfunctions").describe_execution(executionArn=arn))

    def ended(self, arn: str) -> dict[str, Any]:
        """DescribeExecution, once the execution has ended."""
        eventually(lambda: self.execution(arn)["status"] != "RUNNING")
        return self.execution(arn)

    def run(self, definition: Mapping[str, Any], *statements: Statement, data: Any = None) -> dict[str, Any]:
        """Run a new state machine once. Returns DescribeExecution after its end."""
        return self.ended(self.start(self.state_machine(definition, *statements), data))

    def faults(self, method: str = "GET", **fault: Any) -> list[dict[str, Any]]:
        """The armed faults, after arming one (POST) or clearing all (DELETE)."""
        body = json.dumps(fault).encode() if fault else None
        request = urllib.request.Request(f"{self.endpoint}/_gatehouse/faults", data=body, method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            found: list[dict[str, Any]] = json.loads(answer.read())["faults"]
            return found

    def deployed(self, template: Mapping[str, Any], stack: str | None = None) -> dict[str, str]:
        """The outputs of a template, deployed as a new stack or over the one of that name."""
        cloudformation = self.client("cloudformation")
        name = stack or unique("stack")
        known = [known["StackName"] for known in cloudformation.describe_stacks()["Stacks"]]
        deploy, status = (cloudformation.create_stack, "CREATE_COMPLETE")
        if name in known:
            deploy, status = (cloudformation.update_stack, "UPDATE_COMPLETE")
        deploy(StackName=name, TemplateBody=json.dumps(template))

        def described() -> Any:
            found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
            assert "FAILED" not in found["StackStatus"], found
            assert "ROLLBACK" not in found["StackStatus"], found
            return found if found["StackStatus"] == status else None

        return {output["OutputKey"]: output["OutputValue"] for output in eventually(described)["Outputs"]}


def _policy(statements: Sequence[Statement], condition: Mapping[str, Any] | None = None) -> str:
    # A policy needs a statement; this one is always allowed anyway.
    granted = statements or (("sts:GetCallerIdentity", "*"),)
    limited = {"Condition": condition} if condition else {}
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": action, "Resource": resource, **limited} for action, resource in granted
            ],
        }
    )
