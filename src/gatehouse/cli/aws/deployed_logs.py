"""The log groups of a deployment's functions and workflows, found by its stack, and what they say."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_logs import CloudWatchLogsClient

#: The logical id of a function's or a workflow's log group: the path of its constructs, and the CDK's hash.
_GROUP = re.compile(r"(?P<writer>.+)Logs[0-9A-F]{8}")


@dataclass(frozen=True, slots=True)
class DeployedLog:
    """A log group.

    Attributes:
        writer: the function or workflow that writes it, as docs/operations.md calls them: DefaultLaneBatcher.
        name: the group's.
    """

    writer: str
    name: str


@dataclass(frozen=True, slots=True)
class LogEvent:
    """An entry of a log.

    Attributes:
        timestamp: milliseconds since 1970.
    """

    timestamp: int
    writer: str
    message: str


def deployed_logs(client: "CloudFormationClient", stack: str) -> list[DeployedLog]:
    """The log groups of a stack, sorted by who writes them: a ListStackResources for each hundred resources."""
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
    found = [
        DeployedLog(match["writer"], resource.get("PhysicalResourceId", ""))
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Logs::LogGroup"
        and (match := _GROUP.fullmatch(resource["LogicalResourceId"]))
    ]
    return sorted((log for log in found if log.name), key=lambda log: log.writer)


class LogReader:
    """Reads log groups.

    Args:
        client: a CloudWatch Logs client.
    """

    def __init__(self, client: "CloudWatchLogsClient") -> None:
        self._client = client

    def events(self, log: DeployedLog, since: int, pattern: str, until: int | None = None) -> Iterator[LogEvent]:
        """What a group says since then, oldest first, page by page.

        Args:
            since, until: milliseconds since 1970; `until` itself is left out, and None is for whatever comes.
            pattern: CloudWatch's filter pattern; empty takes everything.
        """
        request: dict[str, Any] = {"logGroupName": log.name, "startTime": since}
        if until is not None:
            request["endTime"] = until - 1  # "Events with a timestamp later than this time are not returned."
        if pattern:
            request["filterPattern"] = pattern
        for page in self._client.get_paginator("filter_log_events").paginate(**request):
            for event in page["events"]:
                yield LogEvent(event["timestamp"], log.writer, event["message"])


def writers(logs: Sequence[DeployedLog]) -> list[str]:
    """Who writes them."""
    return [log.writer for log in logs]
