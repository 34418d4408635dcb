"""A batch's execution, as Step Functions describes and lists it."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from gatehouse.aws.executions import MAX_REDRIVES, Progress, progress_of
from gatehouse.moderation.moment import iso

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.literals import ExecutionStatusType
    from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef, ExecutionListItemTypeDef

#: Maximum length of a cause in a sentence. A cause may be a page of JSON.
_CAUSE_SHOWN = 300


@dataclass(frozen=True, slots=True)
class BatchExecution:
    """The current state of a batch's execution.

    Attributes:
        status: RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED or PENDING_REDRIVE.
        started_at, stopped_at: ISO 8601, UTC.
        redrives: how often it was redriven.
        not_redrivable: why it can't be redriven; None if the sweeper would redrive it.
    """

    arn: str
    status: str
    started_at: str
    stopped_at: str | None
    error: str | None
    cause: str | None
    redrives: int
    not_redrivable: str | None

    @classmethod
    def of(cls, answer: "DescribeExecutionOutputTypeDef") -> "BatchExecution":
        """Read the answer of DescribeExecution."""
        return cls(
            arn=answer["executionArn"],
            status=answer["status"],
            started_at=iso(answer["startDate"]),
            stopped_at=iso(answer["stopDate"]) if answer.get("stopDate") else None,
            error=answer.get("error"),
            cause=answer.get("cause"),
            redrives=answer.get("redriveCount", 0),
            not_redrivable=_obstacle(answer),
        )

    @property
    def is_running(self) -> bool:
        """Whether it is still running."""
        return progress_of(self.status) is Progress.RUNNING

    @property
    def is_redrivable(self) -> bool:
        """Whether it has stopped and can resume from there."""
        return self.not_redrivable is None

    @property
    def outcome(self) -> str:
        """Its status and its error, in one line."""
        failure = failure_words(self.error, self.cause)
        return f"{self.status} ({failure})" if failure else self.status

    def to_document(self) -> dict[str, Any]:
        """The execution for scripts."""
        return {
            "arn": self.arn,
            "status": self.status,
            "started_at": self.started_at,
            "stopped_at": self.stopped_at,
            "error": self.error,
            "cause": self.cause,
            "redrives": self.redrives,
            "redrivable": self.is_redrivable,
            "not_redrivable": self.not_redrivable,
        }


class ExecutionEnding(StrEnum):
    """The values of `batch list --status`."""

    FAILED = "failed"
    ABORTED = "aborted"
    RUNNING = "running"
    FAILED_UPLOADS = "failed-uploads"

    @property
    def statuses(self) -> tuple["ExecutionStatusType", ...]:
        """Step Functions' statuses of such executions. FAILED uploads are not visible in any of them."""
        return {
            ExecutionEnding.FAILED: ("FAILED",),
            ExecutionEnding.ABORTED: ("ABORTED", "TIMED_OUT"),
            ExecutionEnding.RUNNING: ("RUNNING",),
            ExecutionEnding.FAILED_UPLOADS: (),
        }[self]  # type: ignore[return-value]

    @property
    def words(self) -> str:
        """The words for "No batch is ...", if there are none."""
        return "left with FAILED uploads" if self is ExecutionEnding.FAILED_UPLOADS else self.value


@dataclass(frozen=True, slots=True)
class ListedExecution:
    """A batch's execution as an entry of a list.

    Attributes:
        workflow: the name of its state machine.
        started_at, stopped_at: ISO 8601, UTC.
        redrives: how often it was redriven.
    """

    batch_id: str
    workflow: str
    status: str
    started_at: str
    stopped_at: str | None
    redrives: int

    @classmethod
    def of(cls, entry: "ExecutionListItemTypeDef") -> "ListedExecution":
        """Read an entry of ListExecutions."""
        return cls(
            batch_id=entry["name"],
            workflow=entry["stateMachineArn"].rsplit(":", 1)[-1],
            status=entry["status"],
            started_at=iso(entry["startDate"]),
            stopped_at=iso(entry["stopDate"]) if entry.get("stopDate") else None,
            redrives=entry.get("redriveCount", 0),
        )

    @property
    def changed_at(self) -> str:
        """When it ended, or else when it started."""
        return self.stopped_at or self.started_at

    def to_document(self) -> dict[str, Any]:
        """The execution for scripts."""
        return asdict(self)


def failure_words(error: str | None, cause: str | None) -> str:
    """An error and its cause in one line; empty if there is neither."""
    return ": ".join(part for part in (error, cause) if part)[:_CAUSE_SHOWN]


def _obstacle(answer: "DescribeExecutionOutputTypeDef") -> str | None:
    if answer.get("redriveStatus") != "REDRIVABLE":
        return answer.get("redriveStatusReason", "Step Functions gives no reason")
    redrives = answer.get("redriveCount", 0)
    return f"it was redriven {redrives} times without success" if redrives >= MAX_REDRIVES else None
