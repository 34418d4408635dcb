"""A deployment, read from the outputs of its stacks."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gatehouse.cli.errors import CommandError
from gatehouse.contracts.gate_policy import Statement
from gatehouse.contracts.stack_outputs import (
    BACKFILL_CALLS_PER_SECOND,
    BackfillOutput,
    EventsOutput,
    LaneOutput,
    PipelineOutput,
    PriorityOutput,
    StorageOutput,
    policy_parameter_output,
)
from gatehouse.contracts.texts import is_on, read_days, read_gate, read_lane_policies
from gatehouse.moderation.gate import Gate
from gatehouse.moderation.lane import Lane

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

    from gatehouse.cli.connection import Connection

_Value = TypeVar("_Value")

#: The settings file that names the deployment, in the current folder.
_SETTINGS = Path("gatehouse.yaml")


@dataclass(frozen=True, slots=True)
class LaneQueues:
    """URLs of a lane's queues.

    Attributes:
        ingest: the queue that the lane's batcher reads.
        dead_letter: messages that were received from `ingest` too often.
        undelivered: events that EventBridge could not put into `ingest`.
    """

    ingest: str
    dead_letter: str
    undelivered: str


@dataclass(frozen=True, slots=True)
class DeployedEvents:
    """The destination of verdicts as events.

    Attributes:
        bus: the name or ARN in the settings.
        dead_letter: URL of the queue for events that the bus did not accept.
    """

    bus: str
    dead_letter: str


@dataclass(frozen=True, slots=True)
class DeployedBackfill:
    """What moderates objects that were in the bucket before.

    Attributes:
        calls_per_second: of the priority `backfill`.
        queues: URL of each lane's backfill queue, by the lane's name.
        dead_letters: URL of each one's dead-letter queue, likewise.
    """

    calls_per_second: float
    queues: Mapping[str, str]
    dead_letters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Deployment:
    """What commands need to know about a deployment.

    Attributes:
        decision_reasons: the codes that reviewers choose from.
        lanes: by name; only their policies and their `min_confidence` are known.
        queues: each lane's queues, by the lane's name.
        backfill: None if the setting `existing_objects` is off.
        events: None if no events are sent.
        outcomes: name of the function that announces changes.
        change_failures: URL of the queue for changes that could not be announced.
        state_machines: ARNs of the analysis workflows, one for each priority; sorted.
        reading_roles: ARNs of the roles with which uploads are read; sorted.
        encryption_key: ARN of the customer managed key for what is stored; None for AWS's own.
        verdict_retention_days: days until final verdicts expire; None for never.
        animation_check: whether an image with frames that were not analyzed can't be approved.
        gate: what keeps objects that are not approved from being read.
        gate_statements: what the policy of the uploads bucket has to deny for it.
        policy_parameters: the SSM parameters with the pointers of the policies in use, by policy name.
        deploying: the name of a stack that is being deployed now, or None.
        updated: when the last update of each stack began; None for a stack that was never updated.
    """

    name: str
    upload_bucket: str
    work_bucket: str
    verdict_table: str
    flag_topic_arn: str
    decision_reasons: tuple[str, ...]
    lanes: Mapping[str, Lane]
    queues: Mapping[str, LaneQueues]
    backfill: DeployedBackfill | None
    events: DeployedEvents | None
    outcomes: str
    change_failures: str
    state_machines: tuple[str, ...]
    reading_roles: tuple[str, ...]
    encryption_key: str | None
    verdict_retention_days: int | None
    animation_check: bool
    gate: Gate
    gate_statements: tuple[Statement, ...]
    policy_parameters: Mapping[str, str]
    deploying: str | None
    updated: tuple[datetime | None, ...]

    @classmethod
    def find(cls, connection: "Connection", name: str | None = None) -> "Deployment":
        """Look up the deployment: two DescribeStacks calls.

        Args:
            name: the name in its settings; None for the one in GATEHOUSE_SETTINGS' file or ./gatehouse.yaml.

        Raises:
            CommandError: there is no such deployment, it was deployed by another version of Gatehouse, or the settings
                file with its name can't be read.
        """
        name = name or _name_here()
        storage, pipeline = (_stack(connection, f"{name}-{part}") for part in ("storage", "pipeline"))
        outputs = {
            output["OutputKey"]: output["OutputValue"]
            for stack in (storage, pipeline)
            for output in stack.get("Outputs", [])
        }
        try:
            lanes = _read(read_lane_policies, outputs, PipelineOutput.LANE_POLICIES)
            return cls(
                name=name,
                upload_bucket=outputs[StorageOutput.UPLOAD_BUCKET_NAME],
                work_bucket=outputs[StorageOutput.WORK_BUCKET_NAME],
                verdict_table=outputs[StorageOutput.VERDICT_TABLE_NAME],
                flag_topic_arn=outputs[StorageOutput.FLAG_TOPIC_ARN],
                decision_reasons=tuple(outputs[PipelineOutput.DECISION_REASONS].split(",")),
                lanes=lanes,
                queues={lane: _queues(lane, outputs) for lane in lanes},
                backfill=_backfill(lanes, outputs),
                events=_events(outputs),
                outcomes=outputs[PipelineOutput.OUTCOMES_FUNCTION_NAME],
                change_failures=outputs[PipelineOutput.CHANGE_FAILURE_QUEUE_URL],
                state_machines=tuple(
                    sorted(outputs[name] for name in PriorityOutput.STATE_MACHINE_ARN.all_in(outputs))
                ),
                reading_roles=tuple(sorted(outputs[role] for role in _reading_roles(outputs))),
                encryption_key=outputs.get(StorageOutput.ENCRYPTION_KEY_ARN),
                verdict_retention_days=_read(read_days, outputs, PipelineOutput.VERDICT_RETENTION_DAYS),
                animation_check=_read(is_on, outputs, PipelineOutput.ANIMATION_CHECK),
                gate=_read(read_gate, outputs, StorageOutput.GATE),
                gate_statements=tuple(json.loads(outputs.get(StorageOutput.GATE_STATEMENTS, "[]"))),
                policy_parameters={
                    policy: outputs[output]
                    for policy in _policies(lanes)
                    if (output := policy_parameter_output(policy)) in outputs
                },
                deploying=next(
                    (s["StackName"] for s in (storage, pipeline) if s["StackStatus"].endswith("_IN_PROGRESS")), None
                ),
                updated=tuple(stack.get("LastUpdatedTime") for stack in (storage, pipeline)),
            )
        except (KeyError, ValueError) as error:
            problem = (
                f"no output '{error.args[0]}'"
                if isinstance(error, KeyError)
                else f"an output that can't be read: {error}"
            )
            raise CommandError(
                f"The deployment {name} has {problem}. It was deployed by another version of Gatehouse; deploy this "
                "one with `make deploy`."
            ) from error

    def at_rest(self) -> "Deployment":
        """This deployment, if no deploy is in progress.

        Raises:
            CommandError: a deploy is in progress, so that some parts are old and others new.
        """
        if self.deploying:
            raise CommandError(
                f"{self.deploying} is being deployed, and its functions may still use the old settings; run the same "
                "command again when the deploy has finished."
            )
        return self

    def ensure_unchanged(self, connection: "Connection") -> "Deployment":
        """Look up this deployment again.

        Raises:
            CommandError: it has been deployed since it was looked up, or is being deployed.
        """
        if Deployment.find(connection, self.name).at_rest() != self:
            raise CommandError(f"{self.name} was deployed in the meantime; run the same command again.")
        return self

    def functions_deployed(self, connection: "Connection") -> datetime | None:
        """When the last deploy of the functions ended; None if CloudFormation no longer has its events.

        The first page of DescribeStackEvents is enough: it lists the newest events first, and the end of a deploy is
        its last event.
        """
        events = connection.client("cloudformation").describe_stack_events(StackName=f"{self.name}-pipeline")
        ends = (
            event["Timestamp"]
            for event in events["StackEvents"]
            if event.get("PhysicalResourceId") == event["StackId"]
            and not event.get("ResourceStatus", "").endswith("_IN_PROGRESS")
        )
        return next(ends, None)

    @property
    def verdict_retention(self) -> timedelta | None:
        """How long final verdicts are kept; None for forever."""
        return None if self.verdict_retention_days is None else timedelta(self.verdict_retention_days)

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of the policies in use, sorted."""
        return _policies(self.lanes)

    def policy_name_for(self, lane: str, key: str) -> str | None:
        """The policy that now judges an upload of this lane and key, or None if the lane no longer exists."""
        deployed = self.lanes.get(lane)
        return deployed.policy_for(key) if deployed else None

    def min_confidence_for(self, policy_name: str) -> dict[str, float]:
        """The `min_confidence` of each lane that uses the policy, by lane."""
        return {name: lane.min_confidence for name, lane in self.lanes.items() if policy_name in lane.policies}


def _name_here() -> str:
    """The name in the settings that a deploy from this folder would use, or the default name."""
    from gatehouse.configuration.settings import Settings, load_name
    from gatehouse.configuration.settings_section import SettingsError

    named = os.environ.get("GATEHOUSE_SETTINGS")
    if not named and not _SETTINGS.is_file():
        return Settings(lanes=()).name
    try:
        return load_name(Path(named) if named else _SETTINGS)
    except SettingsError as error:
        raise CommandError(f"{error}; or name the deployment with --deployment.") from error


def _stack(connection: "Connection", stack: str) -> "StackTypeDef":
    from botocore.exceptions import ClientError

    try:
        found: StackTypeDef = connection.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":  # returned if the stack does not exist
            raise
        where = f" in {connection.region_name}" if connection.region_name else ""
        raise CommandError(
            f"There is no stack {stack}{where}; choose the deployment with --deployment and its Region with --region, "
            "or create one with `make deploy`."
        ) from error
    return found


def _reading_roles(outputs: Mapping[str, str]) -> list[str]:
    """The outputs with the roles that read uploads; a deployment without the image engine has fewer."""
    priorities = (PriorityOutput.ANALYSIS_ROLE_ARN, PriorityOutput.ANALYZER_ROLE_ARN)
    found = [name for output in priorities for name in output.all_in(outputs)]
    return [name for name in (PipelineOutput.RESULTS_ROLE_ARN.value, *found) if name in outputs]


def _queues(lane: str, outputs: Mapping[str, str]) -> LaneQueues:
    return LaneQueues(
        ingest=outputs[LaneOutput.INGEST_QUEUE_URL.of(lane)],
        dead_letter=outputs[LaneOutput.INGEST_DEAD_LETTER_QUEUE_URL.of(lane)],
        undelivered=outputs[LaneOutput.UNDELIVERED_QUEUE_URL.of(lane)],
    )


def _backfill(lanes: Iterable[str], outputs: Mapping[str, str]) -> DeployedBackfill | None:
    if BACKFILL_CALLS_PER_SECOND not in outputs:
        return None
    return DeployedBackfill(
        calls_per_second=float(outputs[BACKFILL_CALLS_PER_SECOND]),
        queues={lane: outputs[BackfillOutput.QUEUE_URL.of(lane)] for lane in lanes},
        dead_letters={lane: outputs[BackfillOutput.DEAD_LETTER_QUEUE_URL.of(lane)] for lane in lanes},
    )


def _events(outputs: Mapping[str, str]) -> DeployedEvents | None:
    if EventsOutput.EVENT_BUS not in outputs:
        return None
    return DeployedEvents(bus=outputs[EventsOutput.EVENT_BUS], dead_letter=outputs[EventsOutput.DEAD_LETTER_QUEUE_URL])


def _read(read: Callable[[str], _Value], outputs: Mapping[str, str], output: PipelineOutput | StorageOutput) -> _Value:
    """An output's value.

    Raises:
        KeyError: there is no such output.
        ValueError: its value can't be read; the message names the output.
    """
    text = outputs[output]
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"{output} is {text[:100]!r}") from error


def _policies(lanes: Mapping[str, Lane]) -> tuple[str, ...]:
    return tuple(sorted({name for lane in lanes.values() for name in lane.policies}))
