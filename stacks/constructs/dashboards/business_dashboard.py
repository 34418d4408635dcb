"""The outcome of uploads, how long it takes, and what it costs."""

from collections.abc import Sequence

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from gatehouse.contracts.function_metrics import AnalyzerMetric, BatcherMetric, ResultsMetric
from gatehouse.contracts.list_price import LIST_PRICE
from stacks.constructs.dashboards.dashboard_section import figures, graph, heading, total
from stacks.constructs.image_analyzer import ImageAnalyzer
from stacks.constructs.ingest_lane import IngestLane


class BusinessDashboard(Construct):
    """Uploads and verdicts, the time between them, the flagged share, the backlog, and the cost so far."""

    def __init__(
        self, scope: Construct, id: str, *, lanes: Sequence[IngestLane], analyzers: Sequence[ImageAnalyzer]
    ) -> None:
        super().__init__(scope, id)
        self._lanes, self._analyzers = lanes, analyzers
        self.dashboard = cloudwatch.Dashboard(self, "Dashboard")
        self.dashboard.add_widgets(
            heading("In the time shown", "Good: as many verdicts as uploads, and next to none failed.")
        )
        self.dashboard.add_widgets(figures("Uploads and verdicts, all lanes", [self._uploads(), *self._verdicts()]))
        self.dashboard.add_widgets(
            heading(
                "Rekognition's price",
                f"Good: about one image paid for each upload. The list price, {LIST_PRICE:g} USD, is that of a month's "
                "first million images in us-east-1; what a bulk job left unanswered counts as paid.",
            )
        )
        self.dashboard.add_widgets(
            figures("Rekognition, all lanes", [self._paid("Images paid"), self._paid("USD at list price", LIST_PRICE)])
        )
        self.dashboard.add_widgets(
            heading("Uploads and verdicts", "Good: verdicts follow uploads, and the flagged share stays where it was.")
        )
        self.dashboard.add_widgets(
            graph("Uploads put into batches, by lane", "uploads", [self._batched(lane) for lane in lanes]),
            graph("Verdicts by status, all lanes", "verdicts", self._verdicts(), stacked=True),
        )
        self.dashboard.add_widgets(
            graph(
                "Flagged share of an hour's verdicts, by lane",
                "percent",
                [lane.metrics.flagged_share() for lane in lanes],
            ),
        )
        self.dashboard.add_widgets(
            heading(
                "Time and backlog", "Good: p95 stays within what the lane promises, and backlogs shrink after a peak."
            )
        )
        self.dashboard.add_widgets(
            graph(
                "Upload to verdict, p50 and p95, by lane",
                "milliseconds",
                [
                    lane.metrics.upload_to_verdict(statistic).with_(label=f"{lane.name} {statistic}")
                    for lane in lanes
                    for statistic in ("p50", "p95")
                ],
            ),
            graph(
                "Backlog: uploads that wait for a batch, by lane",
                "uploads",
                [lane.metrics.waiting().with_(label=lane.name) for lane in lanes],
            ),
        )
        self.dashboard.add_widgets(
            graph(
                "Backlog: chunks of images that wait for the image engine, by priority",
                "chunks",
                [analyzer.metric_waiting_chunks().with_(label=analyzer.priority.value) for analyzer in analyzers],
            )
        )

    def _batched(self, lane: IngestLane) -> cloudwatch.Metric:
        return lane.metrics.batcher(BatcherMetric.UPLOADS_BATCHED).with_(label=lane.name)

    def _uploads(self) -> cloudwatch.MathExpression:
        return total("Uploads", {f"uploads{n}": self._batched(lane) for n, lane in enumerate(self._lanes)})

    def _verdicts(self) -> list[cloudwatch.IMetric]:
        """Verdicts of each status, over all lanes."""
        flagged = self._of_all_lanes(ResultsMetric.UPLOADS_FLAGGED)
        blocked = self._of_all_lanes(ResultsMetric.UPLOADS_BLOCKED)
        return [
            total("Approved", self._of_all_lanes(ResultsMetric.UPLOADS_APPROVED)),
            cloudwatch.MathExpression(
                expression=f"SUM([{', '.join(flagged)}]) - SUM([{', '.join(blocked)}])",
                using_metrics=flagged | blocked,
                label="In review",
            ),
            total("Blocked", blocked),
            total("Unsupported", self._of_all_lanes(ResultsMetric.UPLOADS_UNSUPPORTED)),
            total("Failed", self._of_all_lanes(ResultsMetric.UPLOADS_FAILED)),
        ]

    def _of_all_lanes(self, metric: ResultsMetric) -> dict[str, cloudwatch.IMetric]:
        identity = metric.removeprefix("Uploads").lower()
        return {f"{identity}{n}": lane.metrics.results(metric) for n, lane in enumerate(self._lanes)}

    def _paid(self, label: str, factor: float = 1) -> cloudwatch.MathExpression:
        """Images and frames that Rekognition charges for; the image engine counts its own, Results those of bulk."""
        one_by_one = {
            f"{name}{n}": analyzer.metric(metric)
            for n, analyzer in enumerate(self._analyzers)
            for name, metric in (("images", AnalyzerMetric.IMAGES_ANALYZED), ("frames", AnalyzerMetric.FRAMES_ANALYZED))
        }
        in_bulk = {
            f"bulk{n}": lane.metrics.results(ResultsMetric.IMAGES_ANALYZED_IN_BULK)
            for n, lane in enumerate(self._lanes)
        }
        return total(label, one_by_one | in_bulk, factor)
