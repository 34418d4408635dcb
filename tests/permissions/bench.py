"""One lane of a deployed pipeline, and a watch over it: does everything end as it should, and if not, what shows it?"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gatehouse.moderation.open_batch import open_key
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import STATUS
from localcloud.cloud import LocalCloud
from tests.chaos.strikes import OUTCOMES
from tests.e2e.pipeline import Pipeline

_POLL_SECONDS = 0.05
#: Seconds that a scenario gets which is neither done nor disturbed; with every permission it takes a few.
_LONGEST = 60.0
_IDLE_SECONDS = 5.0


class NoticedError(Exception):
    """Something is not as it is with every permission, and a user or an alarm would see it."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane of the settings below, one for each priority.

    Attributes:
        name: in the settings.
        outputs: what the names of its outputs begin with.
        batcher, analyzer: parts of its functions' names.
        policy: with a parameter of its own.
    """

    name: str
    prefix: str
    outputs: str
    batcher: str
    analyzer: str
    policy: str

    @property
    def has_bulk(self) -> bool:
        """Whether its machine knows media analysis jobs."""
        return self.outputs != "Fast"


LIVE = Lane("default", "live/", "", "DefaultLaneBatcher", "LiveImagesAnalyzer", "standard")
FAST = Lane("fast", "fast/", "Fast", "FastLaneBatcher", "FastImagesAnalyzer", "strict")
BACKFILL = Lane("backfill", "backfill/", "Backfill", "BackfillLaneBatcher", "BackfillImagesAnalyzer", "permissive")
LANES = (LIVE, FAST, BACKFILL)

#: What the image engine would not have done within a minute at the rate below, so that `auto` starts a job.
BULK_UPLOADS = 62

#: Where verdicts are announced.
BUS = "verdicts"

#: Lanes of all priorities, each with a policy of its own. Live and backfill count on one call a second.
SETTINGS = f"""
events: {{bus: {BUS}}}
existing_objects: true
gate: {{mode: tag}}
image_engine: {{calls_per_second: 10, shares: {{fast: 80, live: 10, backfill: 10}}}}
lanes:
  default: {{prefixes: [live/], max_wait: 5, policy: standard}}
  fast: {{prefixes: [fast/], priority: fast, policy: strict}}
  backfill: {{prefixes: [backfill/], priority: backfill, max_wait: 5, policy: permissive}}
"""

#: AWS's waits in the local cloud: retries, turns and visibility timeouts are over soon.
TIME_SCALE = 0.005


#: What the Analyzers make, whatever their workflows count on: estimates take no time, calls do.
_CALLS_PER_SECOND = "100"

#: Times that a change is delivered again until it is given up, not twenty.
_RETRIES = 1


def hurry(cloud: LocalCloud) -> None:
    """Let the Analyzers of a deployment make more calls a second than the settings say, and few retries of a change."""
    functions = cloud.client("lambda")
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        if OUTCOMES in mapping["FunctionArn"]:
            functions.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=_RETRIES)
    for function in functions.list_functions()["Functions"]:
        if "Analyzer" in function["FunctionName"]:
            variables = {**function["Environment"]["Variables"], "CALLS_PER_SECOND": _CALLS_PER_SECOND}
            functions.update_function_configuration(
                FunctionName=function["FunctionName"], Environment={"Variables": variables}
            )


@dataclass(slots=True)
class Bench:
    """What a scenario works with.

    Attributes:
        patience: seconds that an outcome may still take once a call was denied.
        denied: calls that were denied since the scenario began.
        prefix: of the keys that this run of the scenario uses; no other one does.
    """

    pipeline: Pipeline
    lane: Lane
    prefix: str
    patience: float
    denied: Callable[[], list[str]] = list
    _began: float = field(default_factory=time.time)
    _first_denial: float | None = None

    def wait_until(self, condition: Callable[[], object], outcome: str) -> None:
        """Wait for an outcome, such as a verdict.

        Raises:
            NoticedError: it does not come, or something else shows that it will not.
        """
        end = time.monotonic() + _LONGEST
        while not condition():
            now = time.monotonic()
            if self._first_denial is None and self.denied():
                self._first_denial = now
            failure = self.failure()
            if failure and not condition():  # an execution that ends as failed has written its verdicts just before
                raise NoticedError(f"{failure}, no {outcome}")
            if now > end or (self._first_denial is not None and now > self._first_denial + self.patience):
                raise NoticedError(f"no {outcome}")
            time.sleep(_POLL_SECONDS)

    def wait_for_verdicts(
        self, expected: Mapping[str, tuple[str, str]], flagged: Iterable[str] = ()
    ) -> list[dict[str, Any]]:
        """Wait for a final verdict on every version that was uploaded, and for a flag about those that are flagged.

        Args:
            expected: version id -> status, or an error's code, and engine. No version id is "".
            flagged: version ids.
        """

        def settled() -> bool:
            final = {version(item): outcome(item) for item in self.items() if item[STATUS] != Status.PENDING}
            if others := [found for key, found in final.items() if found != expected.get(key)]:
                raise NoticedError(f"another verdict: {' by '.join(others[0])}")
            return set(final) == set(expected)

        def announced() -> bool:
            return set(flagged) <= {flag["object"]["version_id"] for flag in self.pipeline.flags(self.prefix)}

        try:
            self.wait_until(settled, "verdict")
        except NoticedError as sign:
            raise sign if announced() else NoticedError(f"{sign}, no flag") from None
        self.wait_until(announced, "flag")
        return self.items()

    def wait_for_events(self, versions: Iterable[str]) -> None:
        """Wait for an event about every version.

        Raises:
            NoticedError: one is kept, which an alarm is about, or does not come.
        """

        def announced() -> bool:
            if self.pipeline.kept_events(self.prefix):
                raise NoticedError("event kept")
            return set(versions) <= {event["object"]["version_id"] for event in self.pipeline.events(self.prefix)}

        self.wait_until(announced, "event")

    def wait_for_claims(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many uploads are PENDING and their batch is under way; their items."""

        def under_way() -> bool:
            batches = {execution["name"] for execution in self.executions("RUNNING")}
            pending = self.items()
            return len(pending) == count and {item["batch_id"] for item in pending} <= batches

        self.wait_until(under_way, "batch")
        return self.items()

    def wait_for_closing(self) -> None:
        """Wait until no batch of the lane is registered as open."""
        self.wait_until(lambda: not self.open_batches(), "closed batch")

    def open_batches(self) -> list[str]:
        """Keys of the register's entries about the lane."""
        listed = self.pipeline.cloud.client("s3").list_objects_v2(
            Bucket=self.pipeline.outputs["WorkBucketName"], Prefix=open_key(self.lane.name, "").removesuffix(".json")
        )
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def sweep(self) -> None:
        """What the schedule does each quarter of an hour, but of batches of any age.

        Raises:
            NoticedError: the sweeper failed.
        """
        events = self.pipeline.cloud.client("events")
        (rule,) = (rule["Name"] for rule in events.list_rules()["Rules"] if "ScheduleExpression" in rule)
        (target,) = events.list_targets_by_rule(Rule=rule)["Targets"]
        event = {**json.loads(target["Input"]), "min_age_minutes": 0}
        answer = self.pipeline.cloud.client("lambda").invoke(FunctionName=target["Arn"], Payload=json.dumps(event))
        if "FunctionError" in answer:
            raise NoticedError("Sweeper failed")

    def items(self) -> list[dict[str, Any]]:
        """The verdict items of this scenario."""
        return self.pipeline.verdicts(self.prefix)

    def executions(self, status: str | None = None) -> list[dict[str, Any]]:
        """The lane's executions."""
        return self.pipeline.executions(status, f"{self.lane.outputs}StateMachineArn")

    def queue(self, name: str) -> str:
        """The name of the output that has the URL of one of the lane's queues: `IngestQueueUrl`, `ChunkQueueUrl`."""
        return f"{self.lane.outputs}{name}"

    def failure(self) -> str | None:
        """What an alarm would see: a function that failed, an execution that failed and left uploads PENDING."""
        for function in (self.lane.batcher, self.lane.analyzer, "ResultsWriter"):
            if any(line.startswith("Traceback ") for line in self._log(function)):
                return f"{function.removesuffix('Writer')} failed"
        pending = {item["batch_id"] for item in self.items() if item[STATUS] == Status.PENDING}
        if pending & {execution["name"] for execution in self.executions("FAILED")}:
            return "execution failed"
        return None

    def logged(self, function: str) -> list[dict[str, Any]]:
        """What a function has logged as JSON since the scenario began."""
        return [json.loads(line) for line in self._log(function) if line.startswith("{")]

    @contextmanager
    def configured(self, function: str, **changes: Any) -> Iterator[None]:
        """Run a function of the lane, in new instances, with another configuration until the block ends."""
        functions = self.pipeline.cloud.client("lambda")
        (found,) = [each for each in functions.list_functions()["Functions"] if function in each["FunctionName"]]
        before = {name: found[name] for name in changes}
        functions.update_function_configuration(FunctionName=found["FunctionName"], **changes)
        try:
            yield
        finally:
            functions.update_function_configuration(FunctionName=found["FunctionName"], **before)

    def restart(self, function: str) -> None:
        """Let a function begin anew: its next instance knows nothing. Any change of its configuration does that."""
        functions = self.pipeline.cloud.client("lambda")
        (found,) = [each for each in functions.list_functions()["Functions"] if function in each["FunctionName"]]
        functions.update_function_configuration(FunctionName=found["FunctionName"], MemorySize=found["MemorySize"])

    def clear(self) -> None:
        """Leave nothing behind that would go on: no execution, no open batch, no message, no invocation."""
        for execution in self.executions("RUNNING"):
            self.pipeline.cloud.client("stepfunctions").stop_execution(executionArn=execution["executionArn"])
        work = self.pipeline.outputs["WorkBucketName"]
        for key in self.open_batches():
            self.pipeline.cloud.client("s3").delete_object(Bucket=work, Key=key)
        for name in ("IngestQueueUrl", "ChunkQueueUrl"):
            self.pipeline.cloud.client("sqs").purge_queue(QueueUrl=self.pipeline.outputs[self.queue(name)])
        end = time.monotonic() + _IDLE_SECONDS
        while self._is_busy() and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)

    def _is_busy(self) -> bool:
        lines = [line for name in (self.lane.batcher, self.lane.analyzer, "ResultsWriter") for line in self._log(name)]
        begun = sum(line.startswith("START RequestId") for line in lines)
        return begun > sum(line.startswith("END RequestId") for line in lines)

    def _log(self, function: str) -> list[str]:
        logs = self.pipeline.cloud.client("logs")
        return [
            event["message"]
            for page in logs.get_paginator("describe_log_groups").paginate()
            for group in page["logGroups"]
            if function in group["logGroupName"]
            for events in logs.get_paginator("filter_log_events").paginate(
                logGroupName=group["logGroupName"], startTime=int(self._began * 1000)
            )
            for event in events["events"]
        ]


def version(item: Mapping[str, Any]) -> str:
    """The version id of an item's upload, or "" where there is none."""
    return str(item.get("version_id") or "")


def outcome(item: Mapping[str, Any]) -> tuple[str, str]:
    """What is expected of an item: its status, or the error's code where there is one, and who analyzed it."""
    error = item.get("error")
    return (error["code"] if error else item[STATUS]), item.get("engine", "")
