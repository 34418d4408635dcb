"""The roles of a deployed pipeline: what their policies allow, one permission taken away, and given back."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from localcloud.cloud import LocalCloud
from tests.permissions.granted import listed

_STACKS = ("gatehouse-storage", "gatehouse-pipeline")
_HASH = re.compile(r"[0-9A-F]{8}$")
_ARN = re.compile(r"arn:aws:[a-z0-9-]*:[a-z0-9-]*:\d*:(?:(?:stateMachine|function|table|parameter)[:/])?")


@dataclass(frozen=True, slots=True, order=True)
class DeployedPermission:
    """One action on one resource, as a statement of a role's policy has it.

    Attributes:
        role: the role's name in the template, without the hash behind it.
        role_name: its name in the cloud.
        policy: the name of the policy.
        action: `s3:GetObject`.
        resource: an ARN, or a pattern.
        shown: the resource, with names as in the template.
    """

    role: str
    action: str
    shown: str
    role_name: str
    policy: str
    resource: str

    def matches(self, role_name: str, action: str, resource: str) -> bool:
        """Whether a call is allowed by this permission (IAM User Guide, reference_policies_elements_resource.html)."""
        if (role_name, action) != (self.role_name, self.action):
            return False
        pattern = re.escape(self.resource).replace(r"\*", ".*").replace(r"\?", ".")
        return re.fullmatch(pattern, resource, re.DOTALL) is not None


class GrantedRoles:
    """The roles of the pipeline in a local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._iam = cloud.client("iam")
        resources = [
            resource
            for stack in _STACKS
            for page in cloud.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
            for resource in page["StackResourceSummaries"]
        ]
        #: Name in the cloud -> name in the template.
        self._names = {
            resource["PhysicalResourceId"].rpartition("/" if "Queue" in resource["ResourceType"] else ":")[
                2
            ]: _HASH.sub("", resource["LogicalResourceId"])
            for resource in resources
        }
        self._roles = {
            _HASH.sub("", resource["LogicalResourceId"]): resource["PhysicalResourceId"]
            for resource in resources
            if resource["ResourceType"] == "AWS::IAM::Role"
        }

    def permissions(self) -> list[DeployedPermission]:
        """What all roles may do."""
        found: set[DeployedPermission] = set()
        for role, name in self._roles.items():
            for policy in self._iam.list_role_policies(RoleName=name)["PolicyNames"]:
                for statement in self._document(name, policy)["Statement"]:
                    assert statement["Effect"] == "Allow", "only what is allowed can be taken away"
                    found |= {
                        DeployedPermission(role, action, self.shown(resource), name, policy, resource)
                        for action in listed(statement["Action"])
                        for resource in listed(statement["Resource"])
                    }
        return sorted(found)

    def shown(self, resource: str) -> str:
        """An ARN or a pattern with names as in the template."""
        text = _ARN.sub("", resource)
        for name in sorted(self._names, key=len, reverse=True):
            text = text.replace(name, f"<{self._names[name]}>")
        return text

    @contextmanager
    def without(self, permission: DeployedPermission) -> Iterator[None]:
        """Take one permission away, and nothing else, until the block ends."""
        granted = self._document(permission.role_name, permission.policy)
        self._put(permission, {**granted, "Statement": list(_statements_without(granted, permission))})
        try:
            yield
        finally:
            self._put(permission, granted)

    def _document(self, role_name: str, policy: str) -> Mapping[str, Any]:
        document: Mapping[str, Any] = self._iam.get_role_policy(RoleName=role_name, PolicyName=policy)["PolicyDocument"]
        return document

    def _put(self, permission: DeployedPermission, document: Mapping[str, Any]) -> None:
        if not document["Statement"]:  # IAM takes no policy without one
            self._iam.delete_role_policy(RoleName=permission.role_name, PolicyName=permission.policy)
            return
        self._iam.put_role_policy(
            RoleName=permission.role_name, PolicyName=permission.policy, PolicyDocument=json.dumps(document)
        )


def _statements_without(document: Mapping[str, Any], permission: DeployedPermission) -> Iterator[Mapping[str, Any]]:
    """The statements rewritten: the action keeps its other resources, and the resource its other actions."""
    for statement in document["Statement"]:
        actions, resources = listed(statement["Action"]), listed(statement["Resource"])
        if permission.action not in actions or permission.resource not in resources:
            yield statement
            continue
        if others := [action for action in actions if action != permission.action]:
            yield {**statement, "Action": others}
        if others := [resource for resource in resources if resource != permission.resource]:
            yield {**statement, "Action": permission.action, "Resource": others}
