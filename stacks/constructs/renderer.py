"""The renderer: the function that decodes pictures, and may do nothing else."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from constructs import Construct

from gatehouse.contracts.function_metrics import RendererMetric, Service
from gatehouse.contracts.renderer_environment import RendererEnvironment
from stacks.constructs.alarm import AlarmScope, create_alarm
from stacks.constructs.function_metric import function_metric
from stacks.constructs.runtime import Runtime
from stacks.constructs.service_function import ServiceFunction


class Renderer(Construct):
    """The function. Its role may write its log and its traces, like every function's, and is never granted more.

    Args:
        runtime: with the renderer's own code.
        heic: whether HEIC is decoded, which the code must be able to.
    """

    #: Fetching may take 10 seconds and decoding 25 (lambdas/renderer); an instance's first call starts it, too.
    TIMEOUT = cdk.Duration.seconds(60)

    #: MB, and with it one whole virtual CPU (Lambda Developer Guide, configuration-memory.html): 1,400 for decoding,
    #: and the rest for the function, the file and its answer.
    MEMORY_SIZE = 1769

    def __init__(self, scope: Construct, id: str, *, runtime: Runtime, heic: bool) -> None:
        super().__init__(scope, id)
        self.service = ServiceFunction(
            self,
            "Renderer",
            service=Service.RENDERER,
            runtime=runtime,
            memory_size=self.MEMORY_SIZE,
            timeout=self.TIMEOUT,
            environment=RendererEnvironment(heic=heic).to_variables(),
        )
        self.function = self.service.function

    def grant_invoke(self, grantee: iam.IGrantable) -> None:
        """Allow having a picture rendered."""
        iam.Grant.add_to_principal(
            grantee=grantee, actions=["lambda:InvokeFunction"], resource_arns=[self.function.function_arn]
        )

    def metric(self, metric: RendererMetric) -> cloudwatch.Metric:
        """A metric that the function's code writes."""
        return function_metric(Service.RENDERER, metric, dimensions={})

    def create_alarms(self, scope: AlarmScope) -> Sequence[cloudwatch.Alarm]:
        """The function's alarms, made in another scope."""
        return [
            create_alarm(
                scope,
                "renderer keeps failing",
                self.service.metric_errors(),
                section="The renderer keeps failing",
                meaning="The function that decodes pictures has failed again and again, which no picture should cause.",
                periods=9,
                breaching=3,
            ),
            create_alarm(
                scope,
                "decoders are stopped",
                self.metric(RendererMetric.DECODERS_STOPPED),
                section="Decoders are stopped",
                meaning="Pictures keep crashing their decoder, or using up its time or memory: an attack, or a fault.",
                periods=6,
                breaching=3,
            ),
        ]
