"""The parameter that says which policies are in force."""

import aws_cdk as cdk
from aws_cdk import aws_ssm as ssm
from constructs import Construct


class PolicyParameter(Construct):
    """A pointer, JSON of `{policy name: {"version", "hash"}}`: what a verdict's policy can be compared with."""

    def __init__(self, scope: Construct, id: str, *, pointer: str) -> None:
        super().__init__(scope, id)
        self.parameter = ssm.StringParameter(
            self,
            "Parameter",
            string_value=pointer,
            description="Moderation policies in force, by name: version and hash",
        )
        self.parameter.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
