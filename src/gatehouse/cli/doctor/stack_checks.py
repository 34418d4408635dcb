"""Whether the stacks of a deployment are there, and whole. Reads only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from gatehouse.cli.doctor.finding import Finding, Health
from gatehouse.cli.errors import is_denied

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.paste import Paste

_NEEDED: Final = ("storage", "pipeline")
_MONITORING: Final = "monitoring"

#: A stack that has only a change set (CloudFormation User Guide, using-cfn-describing-stacks.html).
_NEVER_MADE: Final = "REVIEW_IN_PROGRESS"
#: It was never made whole, and has to be deleted first.
_TO_DELETE: Final = frozenset({"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"})
_STUCK: Final = frozenset({"UPDATE_ROLLBACK_FAILED"})
#: The last deploy came to nothing; what was there before works.
_AS_BEFORE: Final = frozenset({"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"})
_WHY: Final = "StackEvents[?ends_with(ResourceStatus,'FAILED')].[Timestamp,LogicalResourceId,ResourceStatusReason]"


@dataclass(frozen=True, slots=True)
class DeployedStacks:
    """The stacks of a deployment that there are.

    Attributes:
        statuses: by the stack's name.
    """

    name: str
    statuses: Mapping[str, str]

    @classmethod
    def look(cls, connection: "Connection", name: str) -> "DeployedStacks":
        """Look them up: three DescribeStacks calls.

        Raises:
            ClientError, BotoCoreError: a call failed.
        """
        client: Any = connection.client("cloudformation")
        found = {f"{name}-{part}": _status(client, f"{name}-{part}") for part in (*_NEEDED, _MONITORING)}
        return cls(name, {stack: status for stack, status in found.items() if status})

    def findings(self, problem: str | None, paste: "Paste") -> Iterator[Finding]:
        """What is the matter with them.

        Args:
            problem: why they are no deployment that this version knows; None if they are one.
        """
        wrong = [finding for finding in self._each(paste) if finding.health is not Health.OK]
        yield from wrong
        if problem is not None and not any(finding.health is Health.BROKEN for finding in wrong):
            yield Finding("stacks", Health.BROKEN, problem, (paste.make("deploy"),))
        elif not wrong:
            yield Finding("stacks", Health.OK, f"{', '.join(self.statuses)} are deployed.")

    def _each(self, paste: "Paste") -> Iterator[Finding]:
        for part in _NEEDED:
            if f"{self.name}-{part}" not in self.statuses:
                yield Finding(
                    "stacks", Health.BROKEN, f"The stack {self.name}-{part} is missing.", (paste.make("deploy"),)
                )
        for stack, status in self.statuses.items():
            yield _of(stack, status, paste)


def _status(client: Any, stack: str) -> str | None:
    try:
        status = str(client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        # A stack that is not there is answered by ValidationError. The one with alarms is no part of what others need.
        if error.response["Error"]["Code"] == "ValidationError" or (is_denied(error) and stack.endswith(_MONITORING)):
            return None
        raise
    return None if status in (_NEVER_MADE, "DELETE_COMPLETE") else status


def _of(stack: str, status: str, paste: "Paste") -> Finding:
    why = paste.aws(f'cloudformation describe-stack-events --stack-name {stack} --output text --query "{_WHY}"')
    again = paste.make("deploy")
    if status in _TO_DELETE:
        return Finding(
            "stacks",
            Health.BROKEN,
            f"The stack {stack} is {status}: it was never made whole, or could not be deleted. See why, delete it, and "
            "deploy again.",
            (
                why,
                paste.aws(f"cloudformation delete-stack --stack-name {stack}"),
                paste.aws(f"cloudformation wait stack-delete-complete --stack-name {stack}"),
                again,
            ),
        )
    if status in _STUCK:
        return Finding(
            "stacks",
            Health.BROKEN,
            f"The stack {stack} is {status}: a deploy failed, and so did going back. See why, remove the cause, have "
            "it go back, and deploy again.",
            (
                why,
                paste.aws(f"cloudformation continue-update-rollback --stack-name {stack}"),
                paste.aws(f"cloudformation wait stack-rollback-complete --stack-name {stack}"),
                again,
            ),
        )
    if status in _AS_BEFORE:
        return Finding(
            "stacks",
            Health.WARNING,
            f"The stack {stack} is {status}: its last deploy failed, and what was there before is in use. See why, and "
            "deploy again.",
            (why, again),
        )
    if status.endswith("_FAILED"):
        return Finding(
            "stacks", Health.BROKEN, f"The stack {stack} is {status}. See why, and deploy again.", (why, again)
        )
    if status.endswith("_IN_PROGRESS"):
        return Finding(
            "stacks",
            Health.WARNING,
            f"The stack {stack} is being deployed ({status}): look again when that is over.",
        )
    return Finding("stacks", Health.OK, f"The stack {stack} is deployed.")
