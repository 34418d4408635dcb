"""The alarms of a lane: on waiting uploads, on verdicts, and on drift."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from gatehouse.contracts.function_metrics import BatcherMetric, ResultsMetric
from gatehouse.contracts.pascal_case import pascal_case
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.lane import Lane, Priority
from stacks.constructs.alarm import STANDING, AlarmScope, create_alarm, create_band_alarm
from stacks.constructs.lane_metrics import LEAST_FAILED, LaneMetrics
from stacks.constructs.service_function import ServiceFunction


class LaneAlarms:
    """Creates a lane's alarms, which depend on its engine, its priority and whether it has an adapter.

    Args:
        scope: where they are created, which is not the lane's own stack.
    """

    def __init__(self, scope: AlarmScope, lane: Lane, metrics: LaneMetrics, batcher: ServiceFunction) -> None:
        self._scope = scope
        self._lane = lane
        self._subject = f"Lane {lane.name}"
        self._metrics = metrics
        self._batcher = batcher
        self._function = f"{pascal_case(lane.name)}LaneBatcher"
        is_fast = lane.priority is Priority.FAST
        self._too_long = cdk.Duration.minutes(5 if is_fast else 30)
        self._stalled_after = 3 if is_fast else 6

    def create(self) -> Sequence[cloudwatch.Alarm]:
        """Create the alarms, in the order in which dashboards list them."""
        return [*self._on_waiting(), *self._on_verdicts(), *self._on_drift()]

    def _on_waiting(self) -> Sequence[cloudwatch.Alarm]:
        """Alarms on uploads that are not put into a batch."""
        return [
            create_alarm(
                self._scope,
                f"{self._lane.name} uploads in dead-letter queue",
                self._metrics.dead_letters(),
                section="Uploads in a dead-letter queue",
                lane=self._lane.name,
                meaning=f"{self._subject}: uploads could not be put into a batch and have no verdict.",
            ),
            create_alarm(
                self._scope,
                f"{self._lane.name} events undelivered",
                self._metrics.undelivered(),
                section="Undelivered events",
                lane=self._lane.name,
                meaning=f"{self._subject}: EventBridge could not deliver uploads to the lane's queue.",
            ),
            create_alarm(
                self._scope,
                f"{self._lane.name} events lost",
                self._metrics.lost(),
                section="Events lost",
                meaning=f"{self._subject}: EventBridge could not store events anywhere, and they are lost.",
            ),
            create_alarm(
                self._scope,
                f"{self._lane.name} uploads wait too long",
                self._metrics.oldest_upload(),
                section="Uploads wait too long",
                function=self._function,
                meaning=f"{self._subject}: an upload has waited for far too long to be put into a batch.",
                threshold=self._too_long.to_seconds(),
            ),
            create_alarm(
                self._scope,
                f"{self._lane.name} uploads stand still",
                self._metrics.stalled(),
                section="Work stands still",
                meaning=f"{self._subject}: uploads wait and none is put into a batch.",
                periods=self._stalled_after,
                breaching=self._stalled_after,
            ),
            create_alarm(
                self._scope,
                f"{self._lane.name} batcher keeps failing",
                self._batcher.metric_errors(),
                section="The batcher keeps failing",
                function=self._function,
                meaning=f"{self._subject}: the function that makes batches has failed again and again.",
                periods=9,
                breaching=3,
            ),
        ]

    def _on_verdicts(self) -> Sequence[cloudwatch.Alarm]:
        """Alarms on verdicts that are missing, failed or not as configured."""
        alarms = [
            create_alarm(
                self._scope,
                f"{self._lane.name} active policy unknown",
                self._metrics.batcher(BatcherMetric.POLICIES_UNKNOWN),
                section="Active policy unknown",
                meaning=f"{self._subject}: uploads are judged by an older policy than the deployed one.",
                periods=6,
                breaching=3,
            ),
            create_alarm(
                self._scope,
                f"{self._lane.name} uploads failed",
                self._metrics.failed(),
                section="Uploads failed",
                meaning=f"{self._subject}: many uploads could not be analyzed and are FAILED.",
            ),
            create_alarm(
                self._scope,
                f"{self._lane.name} Rekognition calls fail",
                self._metrics.straggling(),
                section="Rekognition's calls fail",
                meaning=f"{self._subject}: every call failed for many uploads. They are retried for about an hour, "
                "and then end FAILED.",
            ),
            create_alarm(
                self._scope,
                f"{self._lane.name} verdicts missing",
                self._metrics.results(ResultsMetric.VERDICTS_MISSING),
                section="Verdicts missing",
                meaning=f"{self._subject}: a batch has fewer verdicts than uploads.",
            ),
        ]
        if self._lane.engine.reads_manifest:
            alarms.append(
                create_alarm(
                    self._scope,
                    f"{self._lane.name} result lines unmatched",
                    self._metrics.results(ResultsMetric.UNMATCHED_RESULT_LINES),
                    section="Result lines unmatched",
                    meaning=f"{self._subject}: a bulk job's result lines do not match its batch's uploads.",
                    periods=STANDING,
                )
            )
        if self._lane.engine.leaves_leftovers:
            alarms.append(
                create_alarm(
                    self._scope,
                    f"{self._lane.name} result lines missing",
                    self._metrics.results(ResultsMetric.UPLOADS_UNANSWERED),
                    section="Result lines unmatched",
                    meaning=f"{self._subject}: bulk jobs return no result for many uploads, which are paid twice.",
                    threshold=LEAST_FAILED,
                    periods=STANDING,
                )
            )
        if self._lane.engine is Engine.AUTO:
            alarms.append(
                create_alarm(
                    self._scope,
                    f"{self._lane.name} Bulk Analysis refused",
                    self._metrics.results(ResultsMetric.BULK_REFUSED),
                    section="Bulk Analysis refused",
                    meaning=f"{self._subject}: Rekognition refused a bulk job; the image engine took over.",
                    periods=STANDING,
                )
            )
        if self._lane.adapter:
            alarms.append(
                create_alarm(
                    self._scope,
                    f"{self._lane.name} adapter ignored",
                    self._metrics.results(ResultsMetric.ADAPTER_IGNORED),
                    section="Adapter ignored",
                    meaning=f"{self._subject}: Rekognition answered without the lane's adapter; has it expired?",
                    periods=STANDING,
                )
            )
        return alarms

    def _on_drift(self) -> Sequence[cloudwatch.Alarm]:
        """Alarms on signs that the policies no longer fit Rekognition's answers, or what is uploaded."""
        return [
            create_alarm(
                self._scope,
                f"{self._lane.name} model version changed",
                self._metrics.results(ResultsMetric.OTHER_MODEL_ANSWERS),
                section="Model version changed",
                meaning=f"{self._subject}: Rekognition answers with another model than the policies were written for.",
                periods=STANDING,
            ),
            create_alarm(
                self._scope,
                f"{self._lane.name} unknown label seen",
                self._metrics.results(ResultsMetric.UNKNOWN_LABELS),
                section="Unknown label seen",
                meaning=f"{self._subject}: Rekognition returned a label that the taxonomy does not have.",
                periods=STANDING,
            ),
            create_band_alarm(
                self._scope,
                f"{self._lane.name} flagged share unusual",
                self._metrics.flagged_share(),
                section="Flagged share unusual",
                meaning=f"{self._subject}: a far larger or smaller share of the uploads is flagged than usual.",
                periods=4,
                breaching=3,
            ),
        ]
