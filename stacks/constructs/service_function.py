"""A Lambda function the way all of ours are."""

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
    """A function with a role of its own that starts with nothing but its logs and traces.

    Args:
        service: whose logs, metrics and traces they are; its handler is `lambdas.<service>.handler.handler`.
        memory_size: MB; processor time grows with it.
        environment: variables beside those of Powertools: names, no secrets.
        may_loop: whether its invocations may lead back to it. Lambda ends any other function's chain of requests
            after about 16 of them (Lambda Developer Guide, invocation-recursion.html). Say next to it what ends the
            chain instead.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        service: Service,
        runtime: Runtime,
        memory_size: int,
        timeout: cdk.Duration,
        environment: Mapping[str, str],
        may_loop: bool = False,
    ) -> None:
        super().__init__(scope, id)
        log_group = create_log_group(self, "Logs", retention_days=runtime.log_retention_days, key=runtime.key)
        # A role of its own: the one the library makes has a managed policy that may write to any log group.
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
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
            "CKV_AWS_116": "What failed stays with the queue or the execution that called; a schedule calls again.",
            "CKV_AWS_117": "It speaks to AWS's own endpoints alone, with TLS and IAM; a VPC would be one more to run.",
            "CKV_AWS_173": "Its environment has names in it, no secrets, and is encrypted with Lambda's own key.",
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
        """Invocations that the account had no concurrency left for."""
        return self.function.metric_throttles(period=PERIOD, statistic="Sum")

    def metric_stopped_as_loop(self) -> cloudwatch.Metric:
        """Invocations that Lambda refused because it took them for a loop."""
        return self.function.metric("RecursiveInvocationsDropped", period=PERIOD, statistic="Sum")

    def metric_duration(self) -> cloudwatch.Metric:
        """Milliseconds that the longest invocation took."""
        return self.function.metric_duration(period=PERIOD, statistic="Maximum")
