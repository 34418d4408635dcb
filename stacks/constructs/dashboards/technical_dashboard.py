"""What the machinery does: alarms, queues, functions, executions, calls."""

from collections.abc import Sequence

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from gatehouse.contracts.function_metrics import AnalyzerMetric, ResultsMetric, SweeperMetric
from stacks.constructs.analysis_workflow import AnalysisWorkflow
from stacks.constructs.dashboards.dashboard_section import alarm_lists, graph, heading
from stacks.constructs.flag_topic import FlagTopic
from stacks.constructs.image_analyzer import ImageAnalyzer
from stacks.constructs.ingest_lane import IngestLane
from stacks.constructs.results_writer import ResultsWriter
from stacks.constructs.sweeper import Sweeper


class TechnicalDashboard(Construct):
    """Alarms on top, then each step of an upload's way."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        lanes: Sequence[IngestLane],
        workflows: Sequence[AnalysisWorkflow],
        analyzers: Sequence[ImageAnalyzer],
        results: ResultsWriter,
        sweeper: Sweeper,
        flags: FlagTopic,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, id)
        functions = {
            **{f"batcher of {lane.name}": lane.batcher for lane in lanes},
            **{f"analyzer of {analyzer.priority}": analyzer.service for analyzer in analyzers},
            "results": results.service,
            "sweeper": sweeper.service,
        }
        dashboard = cloudwatch.Dashboard(self, "Dashboard")
        dashboard.add_widgets(
            heading("Alarms", "Good: all green. An alarm's description names its section of the guide.")
        )
        for alarm_list in alarm_lists(alarms):
            dashboard.add_widgets(alarm_list)

        dashboard.add_widgets(
            heading("Queues", "Good: no dead letters; the oldest message is younger than the lane's wait.")
        )
        dashboard.add_widgets(
            graph(
                "Messages in dead-letter queues, by lane",
                "messages",
                [
                    *(lane.metrics.dead_letters().with_(label=f"{lane.name}: given up") for lane in lanes),
                    *(lane.metrics.undelivered().with_(label=f"{lane.name}: undelivered") for lane in lanes),
                ],
            ),
            graph(
                "Age of the oldest message",
                "seconds",
                [
                    *(lane.metrics.oldest_upload().with_(label=f"uploads of {lane.name}") for lane in lanes),
                    *(one.metric_oldest_chunk().with_(label=f"chunks of {one.priority}") for one in analyzers),
                ],
            ),
        )

        dashboard.add_widgets(
            heading("Functions", "Good: no errors, throttles or stopped loops, durations well below the timeouts.")
        )
        dashboard.add_widgets(
            graph("Errors", "invocations", [one.metric_errors().with_(label=name) for name, one in functions.items()]),
            graph(
                "Throttles",
                "invocations",
                [one.metric_throttles().with_(label=name) for name, one in functions.items()],
            ),
        )
        dashboard.add_widgets(
            graph(
                "Longest invocation",
                "milliseconds",
                [one.metric_duration().with_(label=name) for name, one in functions.items()],
            ),
            graph(
                "Stopped as recursive loops",
                "invocations",
                [one.metric_stopped_as_loop().with_(label=name) for name, one in functions.items()],
            ),
        )

        dashboard.add_widgets(
            heading(
                "Executions", "Good: as many succeed as start; none fails, is aborted or overdue; no upload is stuck."
            )
        )
        dashboard.add_widgets(
            graph(
                "Batches started and succeeded, by priority",
                "batches",
                [
                    *(one.metric_started().with_(label=f"{one.priority}: started") for one in workflows),
                    *(one.metric_succeeded().with_(label=f"{one.priority}: succeeded") for one in workflows),
                ],
            ),
            graph(
                "Batches failed and aborted, by priority",
                "batches",
                [
                    *(one.metric_failed().with_(label=f"{one.priority}: failed") for one in workflows),
                    *(one.metric_aborted().with_(label=f"{one.priority}: aborted") for one in workflows),
                ],
            ),
        )

        dashboard.add_widgets(
            graph(
                "Sweeper: batches that are open or overdue",
                "batches",
                [
                    sweeper.metric(SweeperMetric.BATCHES_OLD).with_(label="open for half an hour"),
                    sweeper.metric(SweeperMetric.BATCHES_OVERDUE).with_(label="overdue"),
                ],
            ),
            graph(
                "Sweeper: uploads that were stuck, or put back into their queue",
                "uploads",
                [
                    sweeper.metric(SweeperMetric.UPLOADS_STUCK).with_(label="stuck"),
                    sweeper.metric(SweeperMetric.UPLOADS_READMITTED).with_(label="put back"),
                ],
            ),
        )

        dashboard.add_widgets(
            heading("Rekognition", "Good: far more images analysed than calls throttled; none failed, none put back.")
        )
        dashboard.add_widgets(
            graph(
                "Image engine: images and calls, by priority",
                "images, calls",
                [
                    one.metric(metric).with_(label=f"{one.priority}: {what}")
                    for one in analyzers
                    for metric, what in (
                        (AnalyzerMetric.IMAGES_ANALYSED, "images analysed"),
                        (AnalyzerMetric.CALLS_THROTTLED, "calls throttled"),
                        (AnalyzerMetric.CALLS_FAILED, "calls failed"),
                    )
                ],
            ),
            graph(
                "Image engine: chunks, by priority",
                "chunks",
                [
                    one.metric(metric).with_(label=f"{one.priority}: {what}")
                    for one in analyzers
                    for metric, what in (
                        (AnalyzerMetric.CHUNKS_PUT_BACK, "put back"),
                        (AnalyzerMetric.CHUNKS_GIVEN_UP, "given up"),
                    )
                ],
            ),
        )
        dashboard.add_widgets(
            graph(
                "Bulk Analysis: batches the image engine took over, by lane",
                "batches",
                [
                    lane.metrics.results(metric).with_(label=f"{lane.name}: {what}")
                    for lane in lanes
                    for metric, what in ((ResultsMetric.BULK_REFUSED, "refused"), (ResultsMetric.BULK_FAILED, "failed"))
                ],
            ),
            graph(
                "Uploads asked about again, by lane",
                "uploads",
                [
                    lane.metrics.results(metric).with_(label=f"{lane.name}: {what}")
                    for lane in lanes
                    for metric, what in (
                        (ResultsMetric.LEFTOVERS, "leftovers of bulk"),
                        (ResultsMetric.STRAGGLERS, "after failed calls"),
                    )
                ],
            ),
        )

        dashboard.add_widgets(heading("Flags", "Good: flags go out when uploads are flagged, and no delivery fails."))
        dashboard.add_widgets(
            graph(
                "Flags",
                "messages",
                [
                    flags.metric_published().with_(label="published"),
                    flags.metric_undelivered().with_(label="deliveries that failed"),
                ],
            )
        )
