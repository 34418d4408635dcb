"""A deployment, as the outputs of its stacks describe it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gatehouse.cli.errors import CommandError
from gatehouse.contracts.stack_outputs import (
    LaneOutput,
    PipelineOutput,
    PriorityOutput,
    StorageOutput,
    policy_parameter_output,
)
from gatehouse.contracts.texts import is_on, read_days, read_lane_policies, read_statuses
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.status import Status

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

    from gatehouse.cli.connection import Connection

_Value = TypeVar("_Value")

#: The settings that name the deployment, if they are where the command is run.
_SETTINGS = Path("gatehouse.yaml")


@dataclass(frozen=True, slots=True)
class LaneQueues:
    """URLs of a lane's queues.

    Attributes:
        ingest: where the lane's batcher takes its uploads from.
        dead_letter: what was received from `ingest` too often.
        undelivered: what EventBridge could not put into `ingest`.
    """

    ingest: str
    dead_letter: str
    undelivered: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """What commands need to know of a deployment.

    Attributes:
        notified: final statuses a flag is sent for.
        lanes: by name; of each only its policies and its `min_confidence` are known.
        queues: each lane's queues, by the lane's name.
        state_machines: ARNs of the analysis workflows, one for each priority; sorted.
        verdict_retention_days: days until final verdicts expire; None for never.
        animation_check: whether an approval needs that an image has no frames that nobody looked at.
        policy_parameters: the SSM parameters that hold the pointers of the policies in use, by policy name.
        deploying: the name of a stack that is being deployed now, or None.
        updated: when the last update of each stack began; None for one that was never updated.
    """

    name: str
    upload_bucket: str
    work_bucket: str
    verdict_table: str
    flag_topic_arn: str
    notified: frozenset[Status]
    lanes: Mapping[str, Lane]
    queues: Mapping[str, LaneQueues]
    state_machines: tuple[str, ...]
    verdict_retention_days: int | None
    animation_check: bool
    policy_parameters: Mapping[str, str]
    deploying: str | None
    updated: tuple[datetime | None, ...]

    @classmethod
    def find(cls, connection: "Connection", name: str | None = None) -> "Deployment":
        """Look the deployment up: two DescribeStacks calls.

        Args:
            name: as its settings have it; None for the one that GATEHOUSE_SETTINGS or ./gatehouse.yaml names.

        Raises:
            CommandError: there is no such deployment, it was made by another version of Gatehouse, or the file that
                would name it can't be read.
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
                notified=frozenset(_read(read_statuses, outputs, PipelineOutput.NOTIFIED_STATUSES)),
                lanes=lanes,
                queues={lane: _queues(lane, outputs) for lane in lanes},
                state_machines=tuple(
                    sorted(outputs[name] for name in PriorityOutput.STATE_MACHINE_ARN.all_in(outputs))
                ),
                verdict_retention_days=_read(read_days, outputs, PipelineOutput.VERDICT_RETENTION_DAYS),
                animation_check=_read(is_on, outputs, PipelineOutput.ANIMATION_CHECK),
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
                f"The deployment {name} has {problem}. It was made by another version of Gatehouse; deploy this one "
                "with `make deploy`."
            ) from error

    def at_rest(self) -> "Deployment":
        """This deployment, if no deploy is under way.

        Raises:
            CommandError: one is, and parts of it are old and others new.
        """
        if self.deploying:
            raise CommandError(
                f"{self.deploying} is being deployed, and its functions may still go by older settings; run the same "
                "command again when that has ended."
            )
        return self

    def ensure_unchanged(self, connection: "Connection") -> "Deployment":
        """This deployment, looked up again.

        Raises:
            CommandError: it was deployed since it was looked up, or is being deployed.
        """
        if Deployment.find(connection, self.name).at_rest() != self:
            raise CommandError(f"{self.name} was deployed in the meantime; run the same command again.")
        return self

    def functions_deployed(self, connection: "Connection") -> datetime | None:
        """When the last deploy of the functions ended; None if that is longer ago than CloudFormation remembers.

        The first page of DescribeStackEvents tells: events come newest first, and the end of a deploy is its last one.
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
    def policies(self) -> tuple[str, ...]:
        """Names of the policies in use, sorted."""
        return _policies(self.lanes)

    def policy_name_for(self, lane: str, key: str) -> str | None:
        """The policy that judges an upload of this lane and key now, or None where there is no such lane any more."""
        deployed = self.lanes.get(lane)
        return deployed.policy_for(key) if deployed else None

    def min_confidence_for(self, policy_name: str) -> dict[str, float]:
        """What Rekognition is asked for in each lane that uses the policy, by lane."""
        return {name: lane.min_confidence for name, lane in self.lanes.items() if policy_name in lane.policies}


def _name_here() -> str:
    """The name in the settings that a deploy from here would take, or the one that settings without a name have."""
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
        if error.response["Error"]["Code"] != "ValidationError":  # what DescribeStacks answers where there is no stack
            raise
        where = f" in {connection.region_name}" if connection.region_name else ""
        raise CommandError(
            f"There is no stack {stack}{where}; choose the deployment with --deployment and its Region with --region, "
            "or make one with `make deploy`."
        ) from error
    return found


def _queues(lane: str, outputs: Mapping[str, str]) -> LaneQueues:
    return LaneQueues(
        ingest=outputs[LaneOutput.INGEST_QUEUE_URL.of(lane)],
        dead_letter=outputs[LaneOutput.INGEST_DEAD_LETTER_QUEUE_URL.of(lane)],
        undelivered=outputs[LaneOutput.UNDELIVERED_QUEUE_URL.of(lane)],
    )


def _read(read: Callable[[str], _Value], outputs: Mapping[str, str], output: PipelineOutput) -> _Value:
    """An output's value.

    Raises:
        KeyError: there is no such output.
        ValueError: its text can't be read; the message names the output.
    """
    text = outputs[output]
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"{output} is {text[:100]!r}") from error


def _policies(lanes: Mapping[str, Lane]) -> tuple[str, ...]:
    return tuple(sorted({name for lane in lanes.values() for name in lane.policies}))
