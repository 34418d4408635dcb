"""Whether what moves uploads is turned on: readers of queues, rules of EventBridge, Analyzers' loops. Reads only.

CloudFormation sees no such change, and a deploy of an unchanged template undoes none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.doctor.finding import Finding, Health

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment
    from gatehouse.cli.paste import Paste

#: States of a mapping that reads, or soon does (Lambda API reference, GetEventSourceMapping).
_READING: Final = frozenset({"Creating", "Enabling", "Enabled", "Updating"})
_MAPPING: Final = "AWS::Lambda::EventSourceMapping"
_RULE: Final = "AWS::Events::Rule"
_FUNCTION: Final = "AWS::Lambda::Function"
#: In the logical names of functions whose messages go round (stacks/constructs/image_analyzer.py).
_ANALYZER: Final = "ImagesAnalyzer"
_CHANGE_SET: Final = "gatehouse-doctor"

#: What follows if a mapping does not read, by a part of its logical name.
_FOLLOWS: Final = {
    "Outcomes": (
        f"decisions, appeals and reports are in the table, and no flag is sent. What is older than 24 hours when it is "
        f"read again is not announced by itself: `{COMMAND} queue redrive` announces it"
    ),
    "ListedObjects": "objects from before wait",
    _ANALYZER: "images wait for it, and uploads get no verdict",
    "Batcher": "uploads wait, and none is put into a batch",
}


@dataclass(frozen=True, slots=True)
class PipelineResources:
    """The resources of the pipeline stack.

    Attributes:
        ids: logical and physical ids of each type of resource.
    """

    stack: str
    ids: Mapping[str, tuple[tuple[str, str], ...]]

    @classmethod
    def find(cls, connection: "Connection", deployment: "Deployment") -> "PipelineResources":
        """List them: a ListStackResources for each hundred.

        Raises:
            ClientError, BotoCoreError: a call failed.
        """
        stack = f"{deployment.name}-pipeline"
        found: dict[str, list[tuple[str, str]]] = {}
        for page in connection.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack):
            for resource in page["StackResourceSummaries"]:
                if physical := resource.get("PhysicalResourceId"):  # missing while it is being created
                    found.setdefault(resource["ResourceType"], []).append((resource["LogicalResourceId"], physical))
        return cls(stack, {kind: tuple(sorted(ids)) for kind, ids in found.items()})

    def of(self, kind: str) -> tuple[tuple[str, str], ...]:
        """Logical and physical ids of the resources of a type."""
        return self.ids.get(kind, ())


def readers(connection: "Connection", resources: PipelineResources, paste: "Paste") -> Iterator[Finding]:
    """Whether each function reads its queue or stream: no metric shows that it does not, and most alarms come late."""
    pages = connection.client("lambda").get_paginator("list_event_source_mappings").paginate()
    mappings = {mapping["UUID"]: mapping for page in pages for mapping in page["EventSourceMappings"]}
    mine = resources.of(_MAPPING)
    are_well = True
    for logical, uuid in mine:
        mapping = mappings.get(uuid)
        if mapping is not None and mapping["State"] in _READING:
            continue
        are_well = False
        follows = next((text for part, text in _FOLLOWS.items() if part in logical), "messages wait")
        if mapping is None:
            yield _gone(
                "readers",
                f"What makes a function read its messages ({logical}) was deleted: {follows}.",
                paste,
                resources,
            )
            continue
        function = mapping["FunctionArn"].split(":function:", 1)[-1]
        yield Finding(
            "readers",
            Health.BROKEN,
            f"{function} does not read its messages ({mapping['State']}): {follows}.",
            (paste.aws(f"lambda update-event-source-mapping --uuid {uuid} --enabled"),),
        )
    if not mine:
        yield Finding(
            "readers",
            Health.BROKEN,
            f"The stack {resources.stack} has nothing that makes its functions read messages.",
            (paste.make("deploy"),),
        )
    elif are_well:
        yield Finding("readers", Health.OK, f"Functions read all {len(mine)} of their queues and streams.")


def rules(connection: "Connection", resources: PipelineResources, paste: "Paste") -> Iterator[Finding]:
    """Whether EventBridge passes uploads on, and starts the sweeper."""
    client: Any = connection.client("events")
    mine = resources.of(_RULE)
    are_well = True
    for logical, name in mine:
        follows = (
            "uploads that are stuck stay stuck" if logical.startswith("Sweeper") else "no upload of its lane is seen"
        )
        try:
            rule = client.describe_rule(Name=name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            are_well = False
            yield _gone("rules", f"The rule {name} was deleted: {follows}.", paste, resources)
            continue
        if not rule["State"].startswith("ENABLED"):
            are_well = False
            yield Finding(
                "rules",
                Health.BROKEN,
                f"The rule {name} ({rule.get('Description', logical)}) is disabled: {follows}. What happened meanwhile "
                f"is lost to it; `{COMMAND} reconcile` finds objects without a verdict.",
                (paste.aws(f"events enable-rule --name {name}"),),
            )
    if are_well:
        yield Finding("rules", Health.OK, f"All {len(mine)} rules are enabled.")


def recursion(connection: "Connection", resources: PipelineResources, paste: "Paste") -> Iterator[Finding]:
    """Whether Lambda lets Analyzers put chunks back as often as they have to."""
    client: Any = connection.client("lambda")
    are_well = True
    for logical, function in resources.of(_FUNCTION):
        if _ANALYZER not in logical:
            continue
        setting = client.get_function_recursion_config(FunctionName=function)["RecursiveLoop"]
        if setting != "Allow":
            are_well = False
            yield Finding(
                "recursion",
                Health.BROKEN,
                f"Lambda stops {function} as a loop (RecursiveLoop: {setting}) when a chunk was put back some 16 "
                "times, as happens while Rekognition throttles: then its uploads end FAILED.",
                (paste.aws(f"lambda put-function-recursion-config --function-name {function} --recursive-loop Allow"),),
            )
    if are_well:
        yield Finding("recursion", Health.OK, "Analyzers may put chunks back.")


def _gone(check: str, text: str, paste: "Paste", resources: PipelineResources) -> Finding:
    """What the stack has, and the account has not: a change set that reverts drift makes it again."""
    stack = f"--stack-name {resources.stack}"
    change_set = f"{stack} --change-set-name {_CHANGE_SET}"
    return Finding(
        check,
        Health.BROKEN,
        f"{text} CloudFormation does not notice; these commands have it put back what was taken away.",
        (
            paste.aws(
                f"cloudformation create-change-set {change_set} --use-previous-template --deployment-mode REVERT_DRIFT "
                "--capabilities CAPABILITY_IAM"
            ),
            paste.aws(f"cloudformation wait change-set-create-complete {change_set}"),
            paste.aws(f"cloudformation execute-change-set {change_set}"),
            paste.aws(f"cloudformation wait stack-update-complete {stack}"),
        ),
    )
