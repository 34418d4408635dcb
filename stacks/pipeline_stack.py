"""What may be replaced any day: the lanes, the workflow and the functions."""

import json
from collections.abc import Sequence

import aws_cdk as cdk
from constructs import Construct

from stacks.constructs.analysis_workflow import AnalysisWorkflow
from stacks.constructs.function_code import function_code
from stacks.constructs.ingest_lane import IngestLane
from stacks.constructs.results_writer import ResultsWriter
from stacks.pascal_case import pascal_case
from stacks.policies import PolicyCatalog
from stacks.settings import Settings
from stacks.storage_stack import StorageStack


class PipelineStack(cdk.Stack):
    """From upload to verdict."""

    def __init__(self, scope: Construct, *, settings: Settings, policies: PolicyCatalog, storage: StorageStack) -> None:
        super().__init__(scope, f"{settings.name}-pipeline", description="Gatehouse: from upload to verdict")
        with function_code(policies.files(settings.policies)) as code:
            self.results = ResultsWriter(
                self,
                "ResultsWriter",
                code=code,
                uploads=storage.uploads,
                work=storage.work,
                verdicts=storage.verdicts,
                flags=storage.flags,
                notify=settings.notify,
                verdict_retention_days=settings.verdict_retention_days,
                log_retention_days=settings.log_retention_days,
            )
            self.workflow = AnalysisWorkflow(
                self,
                "Analysis",
                uploads=storage.uploads,
                work=storage.work,
                results=self.results,
                log_retention_days=settings.log_retention_days,
            )
            self.lanes = [
                IngestLane(
                    self,
                    f"{pascal_case(lane.lane.name)}Lane",
                    settings=lane,
                    code=code,
                    uploads=storage.uploads,
                    work=storage.work,
                    verdicts=storage.verdicts,
                    policies={name: storage.policies[name] for name in lane.lane.policies},
                    workflow=self.workflow,
                    log_retention_days=settings.log_retention_days,
                )
                for lane in settings.lanes
            ]
        self._output(settings)

    @property
    def alarm_owners(self) -> Sequence[ResultsWriter | AnalysisWorkflow | IngestLane]:
        """The constructs that define alarms."""
        return [self.results, self.workflow, *self.lanes]

    def _output(self, settings: Settings) -> None:
        cdk.CfnOutput(self, "StateMachineArn", value=self.workflow.state_machine.state_machine_arn)
        cdk.CfnOutput(self, "AnalysisRoleArn", value=self.workflow.state_machine.role.role_arn)
        cdk.CfnOutput(self, "LanePolicies", value=_lane_policies(settings))
        cdk.CfnOutput(self, "NotifiedStatuses", value=",".join(settings.notify))
        for lane in self.lanes:
            prefix = "" if lane.name == "default" else pascal_case(lane.name)
            cdk.CfnOutput(self, f"{prefix}IngestQueueUrl", value=lane.queue.queue_url)
            cdk.CfnOutput(self, f"{prefix}IngestDeadLetterQueueUrl", value=lane.dead_letter_queue.queue_url)
            cdk.CfnOutput(self, f"{prefix}UndeliveredQueueUrl", value=lane.undelivered_queue.queue_url)


def _lane_policies(settings: Settings) -> str:
    """Which policy judges what, and what Rekognition is asked for: JSON by lane."""
    document = {
        lane.name: {
            "policy": lane.policy,
            "policy_overrides": dict(lane.policy_overrides),
            "min_confidence": lane.min_confidence,
        }
        for lane in (entry.lane for entry in settings.lanes)
    }
    return json.dumps(document, separators=(",", ":"))
