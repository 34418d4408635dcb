"""A deployment as whoever is on call finds it: lanes with queues, executions, batches."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3

from gatehouse.contracts.stack_outputs import EventsOutput, PipelineOutput
from gatehouse.moderation.batch import Batch, terms_key, uploads_key
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.upload import Upload
from tests.cli.conftest import STATE_MACHINE, WORK, Deployed, queue_outputs, queue_url
from tests.unit.aws_calls import an_error
from tests.unit.builders import NOON, a_batch, s3_event

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

#: Lane default takes every key but those of lane profile-pictures.
PICTURES = Lane("profile-pictures", prefixes=("profile/",), suffixes=(".jpg",))
DEFAULT = Lane("default", other_lanes_prefixes=("profile/",), exclude_prefixes=("tmp/",))

UNSENT = EventsOutput.DEAD_LETTER_QUEUE_URL.value
INGEST, DEAD, UNDELIVERED = queue_outputs("default")
PICTURES_INGEST, PICTURES_DEAD, PICTURES_UNDELIVERED = queue_outputs("profile-pictures")


@dataclass
class Operated:
    """Queues are named after their outputs.

    Attributes:
        executions: DescribeExecution's answers, by batch id.
        histories: names of the states that an execution entered, in order, by batch id; each was left, but the last.
        attempts: what happened in the last of these states: names of event types, with their details.
        events: what a bus has taken.
    """

    deployed: Deployed
    sqs: "SQSClient"
    executions: dict[str, dict[str, Any]] = field(default_factory=dict)
    histories: dict[str, list[str]] = field(default_factory=dict)
    attempts: dict[str, list[tuple[str, dict[str, str]]]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, deployed: Deployed, lanes: Sequence[Lane] = (DEFAULT, PICTURES)) -> "Operated":
        """Lanes of a deployment, with empty queues and no executions."""
        operated = cls(deployed, boto3.client("sqs"))
        policies = {"policy": "standard", "policy_overrides": {}, "min_confidence": 30}
        deployed.stacks(lanes={lane.name: policies for lane in lanes})
        for lane in lanes:
            for output in queue_outputs(lane.name):
                operated.sqs.create_queue(QueueName=output)
        operated.sqs.create_queue(QueueName=PipelineOutput.CHANGE_FAILURE_QUEUE_URL.value)
        operated.deploy(lanes)
        deployed.calls.answer_always("DescribeExecution", operated._execution)
        deployed.calls.answer_always("ListExecutions", operated._listed)
        deployed.calls.answer_always("GetExecutionHistory", operated._history)
        return operated

    def deploy(self, lanes: Sequence[Lane]) -> None:
        """Have a batcher for each of these lanes, and a function that is none, with its log."""
        variables = {f"batcher-{lane.name}": {"LANE": json.dumps(lane.to_document())} for lane in lanes}
        resources = [
            {"ResourceType": f"AWS::{kind}", "PhysicalResourceId": name, "LogicalResourceId": f"{name}Logs0A1B2C3D"}
            for kind, names in (
                ("S3::Bucket", ("bucket",)),
                ("Lambda::Function", (*variables, "results")),
                ("Logs::LogGroup", ("results",)),
                ("Events::Rule", ("rule",)),
                ("Lambda::EventSourceMapping", ("m-1",)),
            )
            for name in names
        ]
        analyzer = {"LogicalResourceId": "LiveImagesAnalyzer0A1B2C3D", "PhysicalResourceId": "analyzer"}
        resources.append({"ResourceType": "AWS::Lambda::Function", **analyzer})
        self.deployed.calls.answer_always("ListStackResources", lambda _: {"StackResourceSummaries": resources})

        def configuration(request: Mapping[str, Any]) -> dict[str, Any]:
            name = request["url_path"].split("/")[-2]
            return {"FunctionName": name, "Environment": {"Variables": variables.get(name, {"TABLE": "x"})}}

        self.deployed.calls.answer_always("GetFunctionConfiguration", configuration)

    def send_events(self, **outputs: str) -> None:
        """Have the deployment, with these outputs, send events to the bus `pictures`, which takes all of them."""
        queue = EventsOutput.DEAD_LETTER_QUEUE_URL.value
        policies = {"policy": "standard", "policy_overrides": {}, "min_confidence": 30}
        lanes = {lane.name: policies for lane in (DEFAULT, PICTURES)}
        self.deployed.stacks(lanes, EventBus="pictures", EventDeadLetterQueueUrl=queue_url(queue), **outputs)
        self.sqs.create_queue(QueueName=queue)

        def take(request: Mapping[str, Any]) -> dict[str, Any]:
            entries = json.loads(request["body"])["Entries"]
            self.events += entries
            return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}] * len(entries)}

        self.deployed.calls.answer_always("DescribeEventBus", lambda _: {"Name": "pictures"})
        self.deployed.calls.answer_always("PutEvents", take)

    def put(self, output: str, *messages: Upload | str, attributes: Mapping[str, str] | None = None) -> None:
        """Put messages into a queue: the events of uploads, or texts."""
        typed: Any = {name: {"DataType": "String", "StringValue": value} for name, value in (attributes or {}).items()}
        bodies = [message if isinstance(message, str) else json.dumps(s3_event(message)) for message in messages]
        for start in range(0, len(bodies), 10):
            entries: Any = [
                {"Id": str(n), "MessageBody": body, "MessageAttributes": typed}
                for n, body in enumerate(bodies[start : start + 10])
            ]
            self.sqs.send_message_batch(QueueUrl=queue_url(output), Entries=entries)

    def bodies(self, output: str) -> list[str]:
        """Take all messages that can be received out of a queue; returns their bodies, sorted."""
        found: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=queue_url(output), MaxNumberOfMessages=10).get("Messages"):
            found += [message["Body"] for message in messages]
            self.sqs.delete_message_batch(
                QueueUrl=queue_url(output),
                Entries=[{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)],
            )
        return sorted(found)

    def keys(self, output: str) -> list[str]:
        """Take all events that can be received out of a queue; returns their keys, sorted."""
        return sorted(json.loads(body)["detail"]["object"]["key"] for body in self.bodies(output))

    def execute(self, batch_id: str, status: str, **fields: Any) -> None:
        """Have an execution of a batch."""
        self.executions[batch_id] = {
            "executionArn": f"{STATE_MACHINE.replace('stateMachine', 'execution')}:{batch_id}",
            "stateMachineArn": STATE_MACHINE,
            "name": batch_id,
            "status": status,
            "startDate": NOON,
            "redriveStatus": "NOT_REDRIVABLE",
            **fields,
        }

    def write_batch(self, claims: Sequence[Claim]) -> Batch:
        """Have the files of a batch."""
        batch = a_batch(claims)
        for key, text in (
            (uploads_key(batch.batch_id), batch.index()),
            (terms_key(batch.batch_id), batch.terms()),
        ):
            self.deployed.s3.put_object(Bucket=WORK, Key=key, Body=text.encode())
        return batch

    def _execution(self, request: Mapping[str, Any]) -> dict[str, Any]:
        arn = json.loads(request["body"])["executionArn"]
        found = self.executions.get(arn.rsplit(":", 1)[-1])
        return found or an_error("ExecutionDoesNotExist", "Execution Does Not Exist")

    def _listed(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """ListExecutions' answer, one execution a page."""
        asked = json.loads(request["body"])
        wanted = asked["stateMachineArn"], asked["statusFilter"]
        found = [entry for entry in self.executions.values() if (entry["stateMachineArn"], entry["status"]) == wanted]
        start = int(asked.get("nextToken", 0))
        more = {"nextToken": str(start + 1)} if start + 1 < len(found) else {}
        return {"executions": found[start : start + 1], **more}

    def _history(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """GetExecutionHistory's answer, one event a page, a minute apart."""
        asked = json.loads(request["body"])
        batch_id = asked["executionArn"].rsplit(":", 1)[-1]
        events: list[dict[str, Any]] = [{"type": "ExecutionStarted"}]
        for name in self.histories.get(batch_id, []):
            events += [
                {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": name}},
                {"type": "TaskStateExited", "stateExitedEventDetails": {"name": name}},
            ]
        if len(events) > 1:
            events.pop()
        for kind, details in self.attempts.get(batch_id, []):
            events.append({"type": kind, f"{kind[0].lower()}{kind[1:]}EventDetails": details})
        if self.executions[batch_id]["status"] == "FAILED":
            events.append({"type": "ExecutionFailed"})
        numbered = [
            {"id": n, "previousEventId": n - 1, "timestamp": NOON + timedelta(minutes=n), **event}
            for n, event in enumerate(events, start=1)
        ]
        if asked.get("reverseOrder"):
            numbered.reverse()
        start = int(asked.get("nextToken", 0))
        more = {"nextToken": str(start + 1)} if start + 1 < len(numbered) else {}
        return {"events": numbered[start : start + 1], **more}
