"""Results: the function that turns a finished analysis into verdicts and flags."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from gatehouse.contracts.function_metrics import Service
from gatehouse.contracts.results_environment import ResultsEnvironment
from gatehouse.moderation.verdict import Status
from stacks.constructs.accepted_findings import accept_finding
from stacks.constructs.alarm import create_alarm
from stacks.constructs.encryption_key import EncryptionKey
from stacks.constructs.flag_topic import FlagTopic
from stacks.constructs.service_function import ServiceFunction
from stacks.constructs.upload_bucket import UploadBucket
from stacks.constructs.verdict_table import VerdictTable
from stacks.constructs.work_bucket import WorkBucket


class ResultsWriter(Construct):
    """The function with what it may touch.

    Args:
        notify: final statuses that a flag is sent for.
        model_version: of Rekognition's model that the policies were written for; answers of others are counted.
        verdict_retention_days: days until final verdicts expire, or None for never.
        animation_check: whether an approval needs a look for frames that nobody analysed.
    """

    #: The longest a function may run (Lambda Developer Guide, quotas): a batch's verdicts are written in one go, and
    #: what is written stays written when a run is cut off.
    TIMEOUT = cdk.Duration.minutes(15)

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        code: lambda_.Code,
        uploads: UploadBucket,
        work: WorkBucket,
        verdicts: VerdictTable,
        flags: FlagTopic,
        notify: Sequence[Status],
        model_version: str,
        verdict_retention_days: int | None,
        animation_check: bool,
        log_retention_days: int,
        key: EncryptionKey | None,
    ) -> None:
        super().__init__(scope, id)
        self.service = ServiceFunction(
            self,
            "Results",
            service=Service.RESULTS,
            code=code,
            memory_size=1769,  # one whole virtual CPU (Lambda Developer Guide, configuration-memory.html)
            timeout=self.TIMEOUT,
            log_retention_days=log_retention_days,
            key=key,
            environment=ResultsEnvironment(
                verdict_table=verdicts.table.table_name,
                work_bucket=work.bucket.bucket_name,
                flag_topic_arn=flags.topic.topic_arn,
                notify=tuple(notify),
                retention_days=verdict_retention_days,
                model_version=model_version,
                animation_check=animation_check,
            ).to_variables(),
        )
        self.function = self.service.function
        verdicts.grant_finalize(self.function)
        work.grant_read_batches(self.function)
        work.grant_write_later_passes(self.function)
        work.grant_close(self.function)
        work.grant_tell_missing(self.function)
        if animation_check:
            uploads.grant_read_versions(self.function)
        else:
            uploads.grant_read_uploads(self.function)
        uploads.grant_tell_missing(self.function)
        flags.grant_publish(self.function)
        accept_finding(
            self,
            "IAM5",
            "Lanes can be changed; what was uploaded before must still be read.",
            ending=uploads.objects_finding,
        )
        accept_finding(self, "IAM5", "Batches get their ids as they are made.", ending="/batches/*/*")
        for file in ("leftovers", "stragglers-*"):
            accept_finding(self, "IAM5", "Batches get their ids as they are made.", ending=f"/batches/*/{file}.jsonl")
        accept_finding(self, "IAM5", "Batches get their ids as they are made.", ending="/open/*/*.json")

    def grant_invoke(self, grantee: iam.IGrantable) -> None:
        """Allow having a batch settled."""
        iam.Grant.add_to_principal(
            grantee=grantee, actions=["lambda:InvokeFunction"], resource_arns=[self.function.function_arn]
        )

    def create_alarms(self, scope: Construct) -> Sequence[cloudwatch.Alarm]:
        """The function's alarms, made in another scope."""
        return [
            create_alarm(
                scope,
                "KeepsFailing",
                self.service.metric_errors(),
                section="Results keeps failing",
                meaning="The function that writes verdicts has failed again and again; uploads stay PENDING.",
                periods=9,
                breaching=3,
            )
        ]
