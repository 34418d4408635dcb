"""The deployed pipeline as the end-to-end tests drive it: a user's view, and the inside that only tests may look at."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from demo.pipeline import DeployedPipeline
from gatehouse.contracts.stack_outputs import EventsOutput
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import OBJECT, STATUS, VERSION
from localcloud.cloud import LocalCloud
from localcloud.deployer import Outputs
from tests.contracts import check_event, check_flag, check_items

_POLL_SECONDS = 0.2
_SQS_BATCH = 10
_LOG_LINES = 30
_LOG_WIDTH = 300
_HIDDEN_SECONDS = 3600  # a dead letter once seen stays in the queue, out of the way of the next look


class Pipeline(DeployedPipeline):
    """Everything that waits does so on a condition with a deadline, and says what it saw when that passes."""

    def __init__(self, cloud: LocalCloud, outputs: Outputs) -> None:
        super().__init__(cloud, outputs)
        self._dead_letters: dict[str, str] = {}
        self._checked: set[tuple[str, str, str]] = set()
        self._checked_flags: set[str] = set()
        self._heard_url = ""
        self._heard: list[dict[str, Any]] = []
        self._kept: list[dict[str, Any]] = []

    def verdicts(self, prefix: str = "") -> list[dict[str, Any]]:
        """See `DeployedPipeline.verdicts`; each keeps to its schema."""
        items = super().verdicts(prefix)
        check_items(item for item in items if (item[OBJECT], item[VERSION], item[STATUS]) not in self._checked)
        self._checked |= {(item[OBJECT], item[VERSION], item[STATUS]) for item in items}
        return items

    def flags(self, prefix: str = "") -> list[dict[str, Any]]:
        """See `DeployedPipeline.flags`; each keeps to its schema."""
        flags = super().flags(prefix)
        for flag in flags:
            if flag["id"] not in self._checked_flags:
                check_flag(json.dumps(flag))
        self._checked_flags |= {flag["id"] for flag in flags}
        return flags

    def listen(self, bus: str) -> None:
        """Make a bus, with a rule that puts what comes into a queue; what is there already stays."""
        events, queues = self.cloud.client("events"), self.cloud.client("sqs")
        if bus not in {each["Name"] for each in events.list_event_buses()["EventBuses"]}:
            events.create_event_bus(Name=bus)
        pattern = json.dumps({"detail-type": ["Gatehouse Verdict"]})
        rule = events.put_rule(Name="all", EventBusName=bus, EventPattern=pattern)["RuleArn"]
        self._heard_url = queues.create_queue(QueueName=f"heard-{bus}")["QueueUrl"]
        arn = queues.get_queue_attributes(QueueUrl=self._heard_url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        allow = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        queues.set_queue_attributes(QueueUrl=self._heard_url, Attributes={"Policy": policy})
        events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])

    def events(self, prefix: str = "") -> list[dict[str, Any]]:
        """The documents of all events so far about keys under `prefix`, as often as they came. See `listen`."""
        for body in self._taken(self._heard_url):
            check_event(json.loads(body))
            self._heard.append(json.loads(body)["detail"])
        return [event for event in self._heard if event["object"]["key"].startswith(prefix)]

    def kept_events(self, prefix: str = "") -> list[dict[str, Any]]:
        """The documents of all events so far about keys under `prefix` that no bus took."""
        for body in self._taken(self.outputs[EventsOutput.DEAD_LETTER_QUEUE_URL]):
            check_flag(body)
            self._kept.append(json.loads(body))
        return [event for event in self._kept if event["object"]["key"].startswith(prefix)]

    def _taken(self, url: str) -> Iterator[str]:
        """The bodies of a queue's messages, which are deleted."""
        queues = self.cloud.client("sqs")
        while messages := queues.receive_message(QueueUrl=url, MaxNumberOfMessages=_SQS_BATCH).get("Messages"):
            yield from (message["Body"] for message in messages)
            entries = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(messages)]
            queues.delete_message_batch(QueueUrl=url, Entries=entries)

    def wait_until(self, condition: Callable[[], object], deadline: float = 60.0, why: str = "the condition") -> None:
        """Poll `condition` until it is true; AssertionError with the pipeline's state after `deadline` seconds."""
        end = time.monotonic() + deadline
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"{why} did not come true within {deadline:.0f} s\n{self._state()}")
            time.sleep(_POLL_SECONDS)

    def wait_for_verdicts(self, count: int, prefix: str = "", deadline: float = 60.0) -> list[dict[str, Any]]:
        """Wait until `count` items under `prefix` are final and none is PENDING; returns them."""

        found: list[dict[str, Any]] = []

        def settled() -> bool:
            found[:] = self.verdicts(prefix)
            return len(found) >= count and all(item[STATUS] != Status.PENDING for item in found)

        self.wait_until(settled, deadline, f"{count} final verdicts under {prefix!r}")
        return found

    def wait_for_flags(self, count: int, prefix: str = "", deadline: float = 60.0) -> list[dict[str, Any]]:
        """Wait until at least `count` flags about keys under `prefix` have arrived; returns all of them."""
        self.wait_until(lambda: len(self.flags(prefix)) >= count, deadline, f"{count} flags under {prefix!r}")
        return self.flags(prefix)

    def send(self, messages: Sequence[Mapping[str, Any] | str], queue: str = "IngestQueueUrl") -> None:
        """Put messages straight into the default lane's queue, or the one that another output names.

        Documents are sent as JSON, text as it is.
        """
        bodies = [message if isinstance(message, str) else json.dumps(message) for message in messages]
        for start in range(0, len(bodies), _SQS_BATCH):
            answer = self.cloud.client("sqs").send_message_batch(
                QueueUrl=self.outputs[queue],
                Entries=[
                    {"Id": str(number), "MessageBody": body}
                    for number, body in enumerate(bodies[start : start + _SQS_BATCH])
                ],
            )
            assert not answer.get("Failed"), answer["Failed"]

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Keep the batchers from looking: what is uploaded meanwhile can be in one batch afterwards."""
        with self.paused("Batcher"):
            yield

    @contextmanager
    def paused(self, function: str) -> Iterator[None]:
        """Keep the functions with this part in their names from looking at their queues."""
        functions = self.cloud.client("lambda")
        mappings = [
            mapping["UUID"]
            for mapping in functions.list_event_source_mappings()["EventSourceMappings"]
            if function in mapping["FunctionArn"]
        ]
        for mapping in mappings:
            functions.update_event_source_mapping(UUID=mapping, Enabled=False)
        try:
            yield
        finally:
            for mapping in mappings:
                functions.update_event_source_mapping(UUID=mapping, Enabled=True)

    def let_run(self, function_part: str, seconds: int) -> None:
        """Give the functions with this part in their names another timeout than the template's.

        A dead batcher's claims are taken over when it has passed.
        """
        functions = self.cloud.client("lambda")
        for function in functions.list_functions()["Functions"]:
            if function_part in function["FunctionName"]:
                functions.update_function_configuration(FunctionName=function["FunctionName"], Timeout=seconds)

    def let_call(self, calls_per_second: float) -> None:
        """Let each Analyzer make this many calls per second, so that its pace costs a test no time."""
        functions = self.cloud.client("lambda")
        for function in functions.list_functions()["Functions"]:
            if "Analyzer" in function["FunctionName"]:
                variables = function["Environment"]["Variables"] | {"CALLS_PER_SECOND": str(calls_per_second)}
                functions.update_function_configuration(
                    FunctionName=function["FunctionName"], Environment={"Variables": variables}
                )

    def queued(self, queue: str = "IngestQueueUrl") -> int:
        """Messages of the default lane, or of the queue that another output names, that wait or are worked on."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.cloud.client("sqs").get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=names)
        return sum(int(attributes["Attributes"][name]) for name in names)

    def dead_letters(self) -> list[str]:
        """The bodies of every message that has come to the default lane's dead-letter queue so far."""
        queues, url = self.cloud.client("sqs"), self.outputs["IngestDeadLetterQueueUrl"]
        while messages := queues.receive_message(
            QueueUrl=url, MaxNumberOfMessages=_SQS_BATCH, VisibilityTimeout=_HIDDEN_SECONDS
        ).get("Messages"):
            self._dead_letters.update({message["MessageId"]: message["Body"] for message in messages})
        return list(self._dead_letters.values())

    def analyzed(self, prefix: str = "") -> dict[str, int]:
        """How often the local Rekognition analyzed each object under `prefix`; paid each time on AWS."""
        counts: dict[str, int] = self.cloud.rekognition_counters()["images_analyzed"]
        bucket = f"s3://{self.upload_bucket}/"
        return {
            source.removeprefix(bucket): count for source, count in counts.items() if source.startswith(bucket + prefix)
        }

    def rendered(self) -> dict[str, int]:
        """How many renditions of each object the local Rekognition analyzed; paid each time on AWS."""
        found: Counter[str] = Counter()
        for source, count in self.cloud.rekognition_counters()["renditions_analyzed"].items():
            key = source.removeprefix(f"s3://{self.upload_bucket}/")
            found[key.rsplit(" ", 2)[0]] += count  # behind it stand the frame and its background
        return dict(found)

    def logged(self, function: str) -> list[dict[str, Any]]:
        """What a function, named by a part of its log group's name, has logged as JSON; its metrics among it."""
        logs = self.cloud.client("logs")
        lines = [
            event["message"]
            for page in logs.get_paginator("describe_log_groups").paginate()
            for group in page["logGroups"]
            if function in group["logGroupName"]
            for events in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
            for event in events["events"]
        ]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def executions(self, status: str | None = None, machine: str = "StateMachineArn") -> list[dict[str, Any]]:
        """A state machine's executions, newest first: executionArn, name, status, redriveCount ...

        `machine` is the output that names it; the one of the main lane if it is left out.
        """
        filters = {} if status is None else {"statusFilter": status}
        pages = (
            self.cloud.client("stepfunctions")
            .get_paginator("list_executions")
            .paginate(stateMachineArn=self.outputs[machine], **filters)
        )
        return [execution for page in pages for execution in page["executions"]]

    def stop_executions(self, machine: str = "StateMachineArn") -> None:
        """Stop what runs; what ends by itself meanwhile can't be stopped any more."""
        states = self.cloud.client("stepfunctions")
        for execution in self.executions("RUNNING", machine):
            with suppress(states.exceptions.ValidationException):
                states.stop_execution(executionArn=execution["executionArn"])

    def batch_keys(self, batch_id: str = "") -> list[str]:
        """Keys of the work bucket's objects of one batch, or of all."""
        pages = (
            self.cloud.client("s3")
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self.outputs["WorkBucketName"], Prefix=f"batches/{batch_id}")
        )
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def work_object(self, key: str) -> bytes:
        """The bytes of one object of the work bucket."""
        body: bytes = self.cloud.client("s3").get_object(Bucket=self.outputs["WorkBucketName"], Key=key)["Body"].read()
        return body

    def _state(self) -> str:
        counts: dict[str, int] = {}
        for item in self.verdicts():
            counts[item[STATUS]] = counts.get(item[STATUS], 0) + 1
        executions = [(execution["name"], execution["status"]) for execution in self.executions()]
        log = self.cloud.log.read_text(encoding="utf-8", errors="replace").splitlines()
        told = [line[:_LOG_WIDTH] for line in log if not line.startswith('{"_aws"')][-_LOG_LINES:]
        queued, dead = (
            sum(self.queued(name) for name in self.outputs if name.endswith(output))
            for output in ("IngestQueueUrl", "IngestDeadLetterQueueUrl")
        )
        return (
            f"verdicts {counts}, flags {len(self.flags())}, queued {queued}, "
            f"dead letters {dead}, executions {executions[:20]}\n"
            "end of the local cloud's log:\n" + "\n".join(told)
        )
