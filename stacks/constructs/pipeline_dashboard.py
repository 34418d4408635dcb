"""One look at how uploads become verdicts."""

from collections.abc import Sequence

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.constructs.analysis_workflow import AnalysisWorkflow
from stacks.constructs.image_analyzer import ImageAnalyzer
from stacks.constructs.ingest_lane import IngestLane

_VERDICTS = ("UploadsApproved", "UploadsFlagged", "UploadsUnsupported", "UploadsFailed")


class PipelineDashboard(Construct):
    """Alarms on top, then uploads, verdicts, latency and queues of every lane, then the image engine."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        workflows: Sequence[AnalysisWorkflow],
        analyzers: Sequence[ImageAnalyzer],
        lanes: Sequence[IngestLane],
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, id)
        dashboard = cloudwatch.Dashboard(self, "Dashboard")
        dashboard.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24, height=4))
        dashboard.add_widgets(
            _graph("Uploads put into batches", [lane.metric_of_service("batcher", "UploadsBatched") for lane in lanes]),
            _graph("Verdicts", [lane.metric_of_service("results", name) for lane in lanes for name in _VERDICTS]),
        )
        dashboard.add_widgets(
            _graph(
                "Upload to verdict, milliseconds",
                [lane.metric_upload_to_verdict(statistic) for lane in lanes for statistic in ("p50", "p95")],
            ),
            _graph(
                "Batches that stopped",
                [metric for workflow in workflows for metric in (workflow.metric_failed(), workflow.metric_aborted())],
            ),
        )
        dashboard.add_widgets(
            _graph("Seconds the oldest upload has waited", [lane.metric_oldest_message() for lane in lanes]),
            _graph("Uploads in dead-letter queues", [lane.metric_uploads_in_dead_letter_queue() for lane in lanes]),
        )
        dashboard.add_widgets(
            _graph(
                "Image engine: images analysed, calls throttled",
                [analyzer.metric(name) for analyzer in analyzers for name in ("ImagesAnalysed", "CallsThrottled")],
            ),
            _graph("Seconds the oldest chunk has waited", [analyzer.metric_oldest_chunk() for analyzer in analyzers]),
        )


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=12)
