"""What each role may do, as the pipeline's template says it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Template = Mapping[str, Any]

#: What a reference to a resource is called here; the first that occurs in it counts.
PARTS = (
    *(
        "VerdictsStream",
        "VerdictsTable",
        "WorkBucket",
        "UploadsBucket",
        "FlagsTopic",
        "EncryptionKey",
        "StateMachine",
        "ResultsFunction",
        "RendererFunction",
    ),
    *("StandardPolicyParameter", "StrictPolicyParameter", "PermissivePolicyParameter", "Logs"),
    *("ChunkQueue", "FailureQueue", "Queue"),
)

#: A bucket with a name of its own can only be the one that is watched: all others are made here.
_EXISTING_BUCKET = re.compile(r"arn:[^:]*:s3:::[^<]")
#: A bus is made by its user.
_EVENT_BUS = re.compile(r"arn:[^:]*:events:[^:]*:[^:]*:event-bus/")
_PART = re.compile(r"<(\w+)>")
#: The table's stream, in a reference.
_STREAM = re.compile(r"VerdictsTable\w*StreamArn")
_HASH = re.compile(r"[0-9A-F]{8}$")


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One action on one resource.

    Attributes:
        action: as IAM writes it: `s3:GetObject`.
        resource: as the statement has it, with generated names made readable: `<WorkBucket>/batches/*/*`.
        through: the service that alone may use it in the role's name, of a permission for a key: `s3`.
    """

    action: str
    resource: str
    through: str = ""

    @property
    def on(self) -> str:
        """The part of the pipeline that the resource is, or is in: `WorkBucket`; `*` where that is none."""
        if self.through:
            return f"EncryptionKey through {self.through}"
        if _EXISTING_BUCKET.match(self.resource):
            return "UploadsBucket"
        if _EVENT_BUS.match(self.resource):
            return "EventBus"
        part = _PART.search(self.resource)
        if part is None:
            return "*"
        return "PolicyParameter" if part[1].endswith("PolicyParameter") else part[1]


def roles(template: Template) -> dict[str, str]:
    """The roles: readable name -> logical id, which is the name with a hash behind it."""
    names = [name for name, resource in template["Resources"].items() if resource["Type"] == "AWS::IAM::Role"]
    return {_HASH.sub("", name): name for name in names}


def policies(template: Template, role: str) -> list[Any]:
    """The policy documents of the role whose logical id begins so."""
    return [
        resource["Properties"]["PolicyDocument"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::IAM::Policy"
        and any(entry["Ref"].startswith(role) for entry in resource["Properties"]["Roles"])
    ]


def permissions(template: Template, role: str) -> set[Permission]:
    """What a role may do: each action of every statement on each of its resources."""
    found = set()
    for policy in policies(template, role):
        for statement in policy["Statement"]:
            assert statement["Effect"] == "Allow"
            assert set(statement) - {"Condition"} == {"Effect", "Action", "Resource"}
            through = _service(statement.get("Condition"))
            found |= {
                Permission(action, readable(resource), through)
                for action in listed(statement["Action"])
                for resource in listed(statement["Resource"])
            }
    return found


def _service(condition: Any) -> str:
    """The service of a statement's condition; no other condition is known here than those of a key."""
    if condition is None:
        return ""
    assert set(condition) <= {"StringEquals", "Bool"}, condition
    (endpoint,) = listed(condition["StringEquals"]["kms:ViaService"])
    return readable(endpoint).partition(".")[0]


def listed(value: Any) -> list[Any]:
    """A policy's field that holds one value or a list of them."""
    return value if isinstance(value, list) else [value]


def readable(value: Any) -> str:
    """A template's text, with references to the pipeline's parts named and all others as `*`; figures stay."""
    if isinstance(value, str):
        return value
    if "Fn::If" in value and isinstance(value["Fn::If"][1], int):
        return str(value["Fn::If"][1])
    if "Fn::Join" in value:
        return "".join(readable(part) for part in value["Fn::Join"][1])
    text = _STREAM.sub("VerdictsStream", json.dumps(value))
    return next((f"<{part}>" for part in PARTS if part in text), "*")
