"""The parameter that says which version of a policy is active."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer


class PolicyParameter(Construct):
    """A pointer to the policy as shipped, until `policy apply` moves it.

    CloudFormation overwrites the parameter when any property of the resource changes. So the properties change only
    with the policy: a deployment leaves a moved pointer alone unless it brings a new version.
    """

    def __init__(self, scope: Construct, id: str, *, policy: Policy) -> None:
        super().__init__(scope, id)
        self.parameter = ssm.StringParameter(
            self,
            "Parameter",
            string_value=PolicyPointer.to_shipped(policy).to_text(),
            description="Which version of a moderation policy is active",
        )
        self.parameter.apply_removal_policy(cdk.RemovalPolicy.RETAIN)

    def grant_read(self, grantee: iam.IGrantable) -> None:
        """Allow following the pointer."""
        iam.Grant.add_to_principal(
            grantee=grantee, actions=["ssm:GetParameters"], resource_arns=[self.parameter.parameter_arn]
        )
