"""Finds the lane of an upload, from the configuration of the deployed batchers."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatehouse.cli.errors import CommandError
from gatehouse.contracts.batcher_environment import LANE_VARIABLE
from gatehouse.moderation.lane import Lane

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment

_FUNCTION = "AWS::Lambda::Function"

_PARALLEL_CALLS = 10


@dataclass(frozen=True, slots=True)
class DeployedLanes:
    """The lanes of a deployment, with all their settings."""

    lanes: tuple[Lane, ...]

    @classmethod
    def find(cls, connection: "Connection", deployment: "Deployment") -> "DeployedLanes":
        """Read the lanes from the batchers' functions: ListStackResources, then GetFunctionConfiguration for each.

        Raises:
            CommandError: the functions and the outputs have different lanes, a function is still being created, or they
                were deployed by another version.
        """
        pages = connection.client("cloudformation").get_paginator("list_stack_resources")
        functions = connection.client("lambda", connections=_PARALLEL_CALLS)
        names = [
            resource.get("PhysicalResourceId")  # missing while the function is being created
            for page in pages.paginate(StackName=f"{deployment.name}-pipeline")
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == _FUNCTION
        ]
        if None in names:
            raise _changing(deployment)
        with ThreadPoolExecutor(_PARALLEL_CALLS) as threads:
            answers = list(threads.map(lambda name: functions.get_function_configuration(FunctionName=name), names))
        variables = [answer.get("Environment", {}).get("Variables", {}) for answer in answers]
        try:
            lanes = tuple(
                Lane.from_document(json.loads(found[LANE_VARIABLE])) for found in variables if LANE_VARIABLE in found
            )
        except (TypeError, ValueError) as error:
            raise CommandError(
                f"A batcher of {deployment.name} has a lane that can't be read ({error}). It was deployed by another "
                "version of Gatehouse; deploy this one with `make deploy`."
            ) from error
        if {lane.name for lane in lanes} != set(deployment.lanes):
            raise _changing(deployment)
        return cls(tuple(sorted(lanes, key=lambda lane: lane.name)))

    def owner(self, key: str, size: int) -> str | None:
        """The name of the lane for an upload with this key and size in bytes; None if it is not moderated."""
        lane = self.owning(key, size)
        return lane.name if lane else None

    def owning(self, key: str, size: int) -> Lane | None:
        """The lane itself."""
        return next((lane for lane in self.lanes if lane.matches(key, size)), None)


def _changing(deployment: "Deployment") -> CommandError:
    return CommandError(
        f"A deploy is changing the lanes of {deployment.name}; run the same command again when it has finished."
    )
