"""The state of the system: alarms, queues, functions, executions, calls."""

from collections.abc import Callable, Iterator, Sequence

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from gatehouse.contracts.function_metrics import (
    AnalyzerMetric,
    OutcomesMetric,
    RendererMetric,
    ResultsMetric,
    SweeperMetric,
)
from stacks.constructs.analysis_workflow import AnalysisWorkflow
from stacks.constructs.dashboards.dashboard_section import alarm_lists, graph, heading
from stacks.constructs.flag_topic import FlagTopic
from stacks.constructs.image_analyzer import ImageAnalyzer
from stacks.constructs.ingest_lane import IngestLane
from stacks.constructs.outcomes import Outcomes
from stacks.constructs.renderer import Renderer
from stacks.constructs.results_writer import ResultsWriter
from stacks.constructs.service_function import ServiceFunction
from stacks.constructs.sweeper import Sweeper
from stacks.constructs.verdict_events import VerdictEvents

#: Widgets side by side.
Row = tuple[cloudwatch.IWidget, ...]


class TechnicalDashboard(Construct):
    """Alarms on top, then each step of the pipeline: a section is a heading and the rows below it."""

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
        outcomes: Outcomes,
        renderer: Renderer,
        flags: FlagTopic,
        events: VerdictEvents | None,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, id)
        self._lanes, self._workflows, self._analyzers = lanes, workflows, analyzers
        functions = {
            **{f"batcher of {lane.name}": lane.batcher for lane in lanes},
            **{f"analyzer of {analyzer.priority}": analyzer.service for analyzer in analyzers},
            "results": results.service,
            "sweeper": sweeper.service,
            "outcomes": outcomes.service,
            "renderer": renderer.service,
        }
        sections = (
            _alarms(alarms),
            self._queues(),
            _functions(functions),
            self._executions(),
            _sweeps(sweeper),
            self._rekognition(),
            _pictures(renderer),
            _flags(flags),
            _changes(outcomes),
            self._events(events, outcomes) if events else (),
        )
        self.dashboard = cloudwatch.Dashboard(self, "Dashboard")
        for section in sections:
            for row in section:
                self.dashboard.add_widgets(*row)

    def _queues(self) -> Iterator[Row]:
        lanes = self._lanes
        yield (heading("Queues", "Good: no dead letters; the oldest message is younger than the lane's wait."),)
        yield (
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
                    *(one.metric_oldest_chunk().with_(label=f"chunks of {one.priority}") for one in self._analyzers),
                ],
            ),
        )

    def _executions(self) -> Iterator[Row]:
        workflows = self._workflows
        good = "Good: as many succeed as start; none fails, is aborted or overdue; no upload is stuck."
        yield (heading("Executions", good),)
        yield (
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

    def _rekognition(self) -> Iterator[Row]:
        good = "Good: far more images analyzed than calls throttled; none failed, none put back."
        yield (heading("Rekognition", good),)
        yield (
            graph(
                "Image engine: images and calls, by priority",
                "images, calls",
                self._of_analyzers(
                    (AnalyzerMetric.IMAGES_ANALYZED, "images analyzed"),
                    (AnalyzerMetric.FRAMES_ANALYZED, "frames analyzed"),
                    (AnalyzerMetric.CALLS_THROTTLED, "calls throttled"),
                    (AnalyzerMetric.CALLS_FAILED, "calls failed"),
                ),
            ),
            graph(
                "Image engine: chunks, by priority",
                "chunks",
                self._of_analyzers(
                    (AnalyzerMetric.CHUNKS_PUT_BACK, "put back"), (AnalyzerMetric.CHUNKS_GIVEN_UP, "given up")
                ),
            ),
        )
        yield (
            graph(
                "Bulk Analysis: batches the image engine took over, by lane",
                "batches",
                self._of_results((ResultsMetric.BULK_REFUSED, "refused"), (ResultsMetric.BULK_FAILED, "failed")),
            ),
            graph(
                "Uploads asked about again, by lane",
                "uploads",
                self._of_results(
                    (ResultsMetric.LEFTOVERS, "leftovers of bulk"), (ResultsMetric.STRAGGLERS, "after failed calls")
                ),
            ),
        )

    def _events(self, events: VerdictEvents, outcomes: Outcomes) -> Iterator[Row]:
        yield (heading("Events", "Good: events go out with the verdicts, and none is kept."),)
        yield (
            graph(
                "Events sent, and kept because the bus did not take them",
                "events",
                [
                    *self._of_results((ResultsMetric.EVENTS_SENT, "sent"), (ResultsMetric.EVENTS_KEPT, "kept")),
                    outcomes.metric(OutcomesMetric.EVENTS_SENT).with_(label="changes: sent"),
                    outcomes.metric(OutcomesMetric.EVENTS_KEPT).with_(label="changes: kept"),
                ],
            ),
            graph("Events in the dead-letter queue", "events", [events.metric_dead_letters().with_(label="not sent")]),
        )

    def _of_analyzers(self, *labeled: tuple[AnalyzerMetric, str]) -> list[cloudwatch.IMetric]:
        """Metrics of each priority's Analyzer, with their labels."""
        return [
            one.metric(metric).with_(label=f"{one.priority}: {label}")
            for one in self._analyzers
            for metric, label in labeled
        ]

    def _of_results(self, *labeled: tuple[ResultsMetric, str]) -> list[cloudwatch.IMetric]:
        """Metrics that Results writes for each lane, with their labels."""
        return [
            lane.metrics.results(metric).with_(label=f"{lane.name}: {label}")
            for lane in self._lanes
            for metric, label in labeled
        ]


def _alarms(alarms: Sequence[cloudwatch.IAlarm]) -> Iterator[Row]:
    yield (heading("Alarms", "Good: all green. An alarm's description names its section of the guide."),)
    for alarm_list in alarm_lists(alarms):
        yield (alarm_list,)


def _functions(functions: dict[str, ServiceFunction]) -> Iterator[Row]:
    def of_each(metric: Callable[[ServiceFunction], cloudwatch.Metric]) -> list[cloudwatch.IMetric]:
        return [metric(function).with_(label=name) for name, function in functions.items()]

    good = "Good: no errors, throttles or stopped loops, durations well below the timeouts."
    yield (heading("Functions", good),)
    yield (
        graph("Errors", "invocations", of_each(ServiceFunction.metric_errors)),
        graph("Throttles", "invocations", of_each(ServiceFunction.metric_throttles)),
    )
    yield (
        graph("Longest invocation", "milliseconds", of_each(ServiceFunction.metric_duration)),
        graph("Stopped as recursive loops", "invocations", of_each(ServiceFunction.metric_stopped_as_loop)),
    )


def _sweeps(sweeper: Sweeper) -> Iterator[Row]:
    """The rest of the section on executions: those that the sweeper has to restart."""
    yield (
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


def _flags(flags: FlagTopic) -> Iterator[Row]:
    yield (heading("Flags", "Good: flags go out when uploads are flagged, and no delivery fails."),)
    yield (
        graph(
            "Flags",
            "messages",
            [
                flags.metric_published().with_(label="published"),
                flags.metric_undelivered().with_(label="deliveries that failed"),
            ],
        ),
    )


def _pictures(renderer: Renderer) -> Iterator[Row]:
    yield (
        heading(
            "Pictures", "Good: no decoder stopped. A refused picture ends UNSUPPORTED; a refused call is tried again."
        ),
    )
    counted = (
        (RendererMetric.PICTURES_DESCRIBED, "pictures described"),
        (RendererMetric.FRAMES_RENDERED, "frames rendered"),
        (RendererMetric.PICTURES_REFUSED, "pictures refused"),
        (RendererMetric.DECODERS_STOPPED, "decoders stopped"),
        (RendererMetric.CALLS_REFUSED, "calls refused"),
    )
    yield (
        graph(
            "Renderer", "pictures, frames, calls", [renderer.metric(one).with_(label=label) for one, label in counted]
        ),
    )


def _changes(outcomes: Outcomes) -> Iterator[Row]:
    good = "Good: every change is announced within seconds; none refused, unreadable or given up."
    yield (heading("Changes after a first verdict", good),)
    yield (
        graph(
            "Changes by people and replays",
            "changes",
            [
                outcomes.metric(OutcomesMetric.CHANGES_ANNOUNCED).with_(label="announced"),
                outcomes.metric(OutcomesMetric.CHANGES_REFUSED).with_(label="refused, to be delivered again"),
                outcomes.metric(OutcomesMetric.CHANGES_UNREADABLE).with_(label="unreadable"),
                outcomes.metric_given_up().with_(label="batches given up"),
            ],
        ),
        graph(
            "Change to flag",
            "milliseconds",
            [
                outcomes.metric(OutcomesMetric.CHANGE_TO_FLAG, "p95").with_(label="from a change to its flag, p95"),
                outcomes.metric_iterator_age().with_(label="age of the newest record read"),
            ],
        ),
    )
