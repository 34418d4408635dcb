"""The path of all roles of a deployment, by which policies of buckets and keys can name them."""

import aws_cdk as cdk
import jsii
from aws_cdk import aws_iam as iam
from constructs import IConstruct


@jsii.implements(cdk.IAspect)
class RolePath:
    """Gives a path to every role that has none, those that the library creates included."""

    def __init__(self, path: str) -> None:
        self._path = path

    def visit(self, node: IConstruct) -> None:
        """Look at a construct."""
        if isinstance(node, iam.CfnRole) and node.path is None:
            node.path = self._path
