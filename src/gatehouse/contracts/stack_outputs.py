"""The names of the stacks' outputs: the stacks write them; the command, the demo and users read them.

An output that exists for each priority or lane is prefixed with the priority's or the lane's name:
`ProfilePicturesIngestQueueUrl`. Those of the main priority and of the lane `default` have no prefix.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from gatehouse.contracts.pascal_case import pascal_case
from gatehouse.moderation.lane import Priority

#: The lane whose outputs have no prefix.
_DEFAULT_LANE: Final = "default"


class StorageOutput(StrEnum):
    """Outputs of `<name>-storage`, besides those of the policies (`policy_parameter_output`)."""

    UPLOAD_BUCKET_NAME = "UploadBucketName"
    WORK_BUCKET_NAME = "WorkBucketName"
    VERDICT_TABLE_NAME = "VerdictTableName"
    FLAG_TOPIC_ARN = "FlagTopicArn"
    #: The pointer of the main lane's policy; this name does not change with the policy's.
    MAIN_POLICY_PARAMETER_NAME = "PolicyParameterName"
    #: Exists if the user has a key; so does the next.
    ENCRYPTION_KEY_ARN = "EncryptionKeyArn"
    #: What the key's policy must allow.
    ENCRYPTION_KEY_POLICY = "EncryptionKeyPolicy"
    #: The gate's settings, as JSON.
    GATE = "Gate"
    #: With a gate: the statements of the bucket's policy, as a JSON list.
    GATE_STATEMENTS = "GateStatements"
    #: What the user still has to do for an existing bucket.
    UPLOAD_BUCKET_NOTICE = "UploadBucketNotice"


class PipelineOutput(StrEnum):
    """Outputs of `<name>-pipeline` that exist once. `gatehouse.contracts.texts` writes and reads the values."""

    #: The role that reads the images it approves.
    RESULTS_ROLE_ARN = "ResultsRoleArn"
    #: `on` or `off`.
    ANIMATION_CHECK = "AnimationCheck"
    #: Which policy judges what in each lane.
    LANE_POLICIES = "LanePolicies"
    #: Reason codes that reviewers choose from, with commas between them.
    DECISION_REASONS = "DecisionReasons"
    #: A number of days, or `never`.
    VERDICT_RETENTION_DAYS = "VerdictRetentionDays"
    #: The role that changes are announced with: another account's bus has to let it in, as the one above.
    OUTCOMES_ROLE_ARN = "OutcomesRoleArn"
    #: The function that announces changes.
    OUTCOMES_FUNCTION_NAME = "OutcomesFunctionName"
    #: The queue for changes that it was given up on.
    CHANGE_FAILURE_QUEUE_URL = "ChangeFailureQueueUrl"


class MonitoringOutput(StrEnum):
    """Outputs of `<name>-monitoring`."""

    #: The topic that alarms are sent to, or only pages where tickets have one of their own.
    ALARM_TOPIC_ARN = "AlarmTopicArn"
    #: Addresses in AWS's console.
    BUSINESS_DASHBOARD_URL = "BusinessDashboardUrl"
    TECHNICAL_DASHBOARD_URL = "TechnicalDashboardUrl"


class EventsOutput(StrEnum):
    """Of `<name>-pipeline`, what there is only where verdicts are announced as events."""

    #: As the settings name it.
    EVENT_BUS = "EventBus"
    #: What the bus did not take.
    DEAD_LETTER_QUEUE_URL = "EventDeadLetterQueueUrl"


class PriorityOutput(StrEnum):
    """Outputs of `<name>-pipeline` that exist for each priority."""

    STATE_MACHINE_ARN = "StateMachineArn"
    #: The role that Rekognition reads images with in bulk.
    ANALYSIS_ROLE_ARN = "AnalysisRoleArn"
    #: The role that Rekognition reads images with one by one.
    ANALYZER_ROLE_ARN = "AnalyzerRoleArn"
    CHUNK_QUEUE_URL = "ChunkQueueUrl"

    def of(self, priority: Priority, *, main: Priority) -> str:
        """The output's name for a priority.

        Args:
            main: the main lane's priority, which has no prefix.
        """
        return self.value if priority is main else f"{pascal_case(priority)}{self.value}"

    def all_in(self, outputs: Iterable[str]) -> list[str]:
        """The names of this output among a deployment's, for all priorities."""
        return [name for name in outputs if name.endswith(self.value)]


class LaneOutput(StrEnum):
    """Outputs of `<name>-pipeline` that exist for each lane."""

    #: The queue that the lane's batcher reads.
    INGEST_QUEUE_URL = "IngestQueueUrl"
    #: Its dead-letter queue, for messages that were received too often.
    INGEST_DEAD_LETTER_QUEUE_URL = "IngestDeadLetterQueueUrl"
    #: The queue for events that EventBridge could not deliver to it.
    UNDELIVERED_QUEUE_URL = "UndeliveredQueueUrl"

    def of(self, lane: str) -> str:
        """The output's name for a lane."""
        return self.value if lane == _DEFAULT_LANE else f"{pascal_case(lane)}{self.value}"


class BackfillOutput(StrEnum):
    """Of `<name>-pipeline`, what exists for each lane where objects from before are moderated."""

    #: The queue that `gatehouse moderate` puts the lane's objects into.
    QUEUE_URL = "BackfillQueueUrl"
    DEAD_LETTER_QUEUE_URL = "BackfillDeadLetterQueueUrl"

    def of(self, lane: str) -> str:
        """The output's name for a lane."""
        return self.value if lane == _DEFAULT_LANE else f"{pascal_case(lane)}{self.value}"


#: With those: the calls a second of the priority `backfill`, as a number.
BACKFILL_CALLS_PER_SECOND: Final = "BackfillCallsPerSecond"


def policy_parameter_output(policy: str) -> str:
    """The output of `<name>-storage` with the name of the parameter that points to a policy's active version."""
    return f"{pascal_case(policy)}PolicyParameterName"
