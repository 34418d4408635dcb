"""A Lambda function with the settings that all of ours share."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from gatehouse.configuration.function_environment import function_environment
from gatehouse.contracts.function_metrics import Service
from stacks.constructs.accepted_findings import accept_finding
from stacks.constructs.alarm import PERIOD
from stacks.constructs.log_group import create_log_group
from stacks.constructs.runtime import Runtime


class ServiceFunction(Construct):
    """A function with its own role, which initially permits only logs and traces.

    Args:
        service: names its logs, metrics and traces; the handler is `lambdas.<service>.handler.handler`.
        memory_size: MB, or a token; CPU grows with it.
        environment: variables beside those of Powertools: names, no secrets.
        role_path: of its role; None for the path that all roles of the deployment have.
        may_loop: whether its invocations may invoke it again. For other functions, Lambda stops a chain of requests
            after about 16 of them (Lambda Developer Guide, invocation-recursion.html). A comment at the call must say
            what ends the chain instead.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: Service,
        runtime: Runtime,
        memory_size: float,
        timeout: cdk.Duration,
        environment: Mapping[str, str],
        may_loop: bool = False,
        role_path: str | None = None,
    ) -> None:
        super().__init__(scope, id)
        log_group = create_log_group(self, "Logs", retention_days=runtime.log_retention_days, key=runtime.key)
        # The role that the library creates has a managed policy that may write to any log group.
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"), path=role_path)
        log_group.grant_write(role)
        self.function = lambda_.Function(
            self,
            "Function",
            code=runtime.code,
            handler=f"lambdas.{service}.handler.handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=memory_size,
            timeout=timeout,
            recursive_loop=lambda_.RecursiveLoop.ALLOW if may_loop else None,
            role=role,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            environment=function_environment(service, environment),
        )
        accept_finding(
            self.function, "L1", "The runtime is chosen for each release; the newest is not better by itself."
        )
        self._accept_checkovs_findings(has_own_key=runtime.key is not None)
        accept_finding(role, "IAM5", "X-Ray's actions for sending traces have no resource types.", ending="::*")

    def _accept_checkovs_findings(self, *, has_own_key: bool) -> None:
        accepted = {
            "CKV_AWS_115": "Reserved concurrency would break small new accounts; queues and executions limit the runs.",
            "CKV_AWS_116": "A failed event stays with the queue or execution that invoked it; a schedule runs again.",
            "CKV_AWS_117": "It calls only AWS's own endpoints, with TLS and IAM; a VPC would only add work to operate.",
            "CKV_AWS_173": "Its environment contains names, no secrets, and is encrypted with Lambda's own key.",
        }
        for rule, reason in accepted.items():
            accept_finding(self.function, rule, reason)
        if not has_own_key:
            accept_finding(
                self, "CKV_AWS_158", "CloudWatch encrypts logs with its own key; encryption_key sets another."
            )

    def metric_errors(self) -> cloudwatch.Metric:
        """Invocations that raised or timed out."""
        return self.function.metric_errors(period=PERIOD, statistic="Sum")

    def metric_throttles(self) -> cloudwatch.Metric:
        """Invocations for which the account had no concurrency left."""
        return self.function.metric_throttles(period=PERIOD, statistic="Sum")

    def metric_stopped_as_loop(self) -> cloudwatch.Metric:
        """Invocations that Lambda's recursive loop detection stopped."""
        return self.function.metric("RecursiveInvocationsDropped", period=PERIOD, statistic="Sum")

    def metric_duration(self) -> cloudwatch.Metric:
        """Duration of the longest invocation in milliseconds."""
        return self.function.metric_duration(period=PERIOD, statistic="Maximum")
