"""What the stacks' outputs are called: the stacks write them; the command, the demo and users read them.

What there is once for each priority or lane has the same name each time, with the priority's or the lane's in front:
`ProfilePicturesIngestQueueUrl`. The main priority and the lane `default` have the bare name.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from gatehouse.contracts.pascal_case import pascal_case
from gatehouse.moderation.lane import Priority

#: The lane whose outputs have the bare names.
_DEFAULT_LANE: Final = "default"


class StorageOutput(StrEnum):
    """Of `<name>-storage`, beside those of the policies (`policy_parameter_output`)."""

    UPLOAD_BUCKET_NAME = "UploadBucketName"
    WORK_BUCKET_NAME = "WorkBucketName"
    VERDICT_TABLE_NAME = "VerdictTableName"
    FLAG_TOPIC_ARN = "FlagTopicArn"
    #: The pointer of the main lane's policy, under a name that does not change with the policy's.
    MAIN_POLICY_PARAMETER_NAME = "PolicyParameterName"
    #: Where everything is encrypted with a key of the user's own; so the next.
    ENCRYPTION_KEY_ARN = "EncryptionKeyArn"
    #: What the key's policy has to allow.
    ENCRYPTION_KEY_POLICY = "EncryptionKeyPolicy"
    #: What a user still has to do to a bucket that exists already.
    UPLOAD_BUCKET_NOTICE = "UploadBucketNotice"


class PipelineOutput(StrEnum):
    """Of `<name>-pipeline`, what there is once. `gatehouse.contracts.texts` writes and reads the values."""

    #: The role that reads the images it approves.
    RESULTS_ROLE_ARN = "ResultsRoleArn"
    #: `on` or `off`.
    ANIMATION_CHECK = "AnimationCheck"
    #: Which policy judges what in each lane.
    LANE_POLICIES = "LanePolicies"
    #: Final statuses a flag is sent for, with commas between them.
    NOTIFIED_STATUSES = "NotifiedStatuses"
    #: A number of days, or `never`.
    VERDICT_RETENTION_DAYS = "VerdictRetentionDays"


class PriorityOutput(StrEnum):
    """Of `<name>-pipeline`, what there is for each priority."""

    STATE_MACHINE_ARN = "StateMachineArn"
    #: The role that Rekognition reads images with in bulk.
    ANALYSIS_ROLE_ARN = "AnalysisRoleArn"
    #: The role that it reads images with one by one.
    ANALYZER_ROLE_ARN = "AnalyzerRoleArn"
    CHUNK_QUEUE_URL = "ChunkQueueUrl"

    def of(self, priority: Priority, *, main: Priority) -> str:
        """The output's name for a priority.

        Args:
            main: the main lane's priority, which has the bare name.
        """
        return self.value if priority is main else f"{pascal_case(priority)}{self.value}"

    def all_in(self, outputs: Iterable[str]) -> list[str]:
        """The names among a deployment's outputs that are this one's, of whatever priorities there are."""
        return [name for name in outputs if name.endswith(self.value)]


class LaneOutput(StrEnum):
    """Of `<name>-pipeline`, what there is for each lane."""

    #: Where the lane's batcher takes its uploads from.
    INGEST_QUEUE_URL = "IngestQueueUrl"
    #: What was received from it too often.
    INGEST_DEAD_LETTER_QUEUE_URL = "IngestDeadLetterQueueUrl"
    #: What EventBridge could not put into it.
    UNDELIVERED_QUEUE_URL = "UndeliveredQueueUrl"

    def of(self, lane: str) -> str:
        """The output's name for a lane."""
        return self.value if lane == _DEFAULT_LANE else f"{pascal_case(lane)}{self.value}"


def policy_parameter_output(policy: str) -> str:
    """Of `<name>-storage`: the name of the parameter that points to a policy's active version."""
    return f"{pascal_case(policy)}PolicyParameterName"
