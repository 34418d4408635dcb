"""Results: the function that turns a finished analysis into verdicts and flags."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from constructs import Construct

from gatehouse.contracts.function_metrics import Service
from gatehouse.contracts.results_environment import ResultsEnvironment
from gatehouse.moderation.status import Status
from stacks.constructs.accepted_findings import accept_finding
from stacks.constructs.alarm import AlarmScope, create_alarm
from stacks.constructs.runtime import Runtime
from stacks.constructs.service_function import ServiceFunction
from stacks.constructs.storage import Storage
from stacks.constructs.verdict_events import VerdictEvents


class ResultsWriter(Construct):
    """The function with what it may touch.

    Args:
        notify: final statuses that a flag is sent for.
        model_version: of Rekognition's model that the policies were written for; answers of others are counted.
        verdict_retention_days: days until final verdicts expire, or None for never.
        animation_check: whether an approval needs a look for frames that nobody analyzed.
        events: where verdicts are announced as events, or None.
    """

    #: The longest a function may run (Lambda Developer Guide, quotas): a batch's verdicts are written in one go, and
    #: what is written stays written when a run is cut off.
    TIMEOUT = cdk.Duration.minutes(15)

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        runtime: Runtime,
        storage: Storage,
        notify: Sequence[Status],
        model_version: str,
        verdict_retention_days: int | None,
        animation_check: bool,
        events: VerdictEvents | None,
    ) -> None:
        super().__init__(scope, id)
        self.service = ServiceFunction(
            self,
            "Results",
            service=Service.RESULTS,
            runtime=runtime,
            memory_size=1769,  # one whole virtual CPU (Lambda Developer Guide, configuration-memory.html)
            timeout=self.TIMEOUT,
            environment=ResultsEnvironment(
                verdict_table=storage.verdicts.table.table_name,
                work_bucket=storage.work.bucket.bucket_name,
                flag_topic_arn=storage.flags.topic.topic_arn,
                notify=tuple(notify),
                retention_days=verdict_retention_days,
                model_version=model_version,
                animation_check=animation_check,
                events=events.environment if events else None,
            ).to_variables(),
        )
        self.function = self.service.function
        self._grant(storage, animation_check=animation_check)
        if events:
            events.grant_announce(self.function)

    def grant_invoke(self, grantee: iam.IGrantable) -> None:
        """Allow having a batch settled."""
        iam.Grant.add_to_principal(
            grantee=grantee, actions=["lambda:InvokeFunction"], resource_arns=[self.function.function_arn]
        )

    def create_alarms(self, scope: AlarmScope) -> Sequence[cloudwatch.Alarm]:
        """The function's alarms, made in another scope."""
        return [
            create_alarm(
                scope,
                "Results keeps failing",
                self.service.metric_errors(),
                section="Results keeps failing",
                meaning="The function that writes verdicts has failed again and again; uploads stay PENDING.",
                periods=9,
                breaching=3,
            )
        ]

    def _grant(self, storage: Storage, *, animation_check: bool) -> None:
        storage.verdicts.grant_finalize(self.function)
        storage.work.grant_read_batches(self.function)
        storage.work.grant_write_later_passes(self.function)
        storage.work.grant_close(self.function)
        storage.work.grant_list(self.function)
        if animation_check:
            storage.uploads.grant_read_versions(self.function)
        else:
            storage.uploads.grant_read_uploads(self.function)
            storage.uploads.grant_list_versions(self.function)
        storage.uploads.grant_list(self.function)
        storage.flags.grant_publish(self.function)
        accept_finding(
            self,
            "IAM5",
            "Lanes can be changed; what was uploaded before must still be read.",
            ending=storage.uploads.objects_finding,
        )
        accept_finding(self, "IAM5", "Batches get their ids as they are made.", ending="/batches/*/*")
        for file in ("leftovers", "stragglers-*"):
            accept_finding(self, "IAM5", "Batches get their ids as they are made.", ending=f"/batches/*/{file}.jsonl")
        accept_finding(self, "IAM5", "Batches get their ids as they are made.", ending="/open/*/*.json")
