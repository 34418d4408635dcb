"""How a deployment does at the moment: a look at each part, in a bounded number of calls.

What may not be looked at, or fails, is told in a sentence, and holds up nothing else.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gatehouse.cli.aws.batch_execution import ExecutionEnding
from gatehouse.cli.aws.executions import DeployedExecutions
from gatehouse.cli.aws.flag_topic import Subscriber, Subscriptions
from gatehouse.cli.aws.monitoring import Alarm, Metric, Monitoring
from gatehouse.cli.aws.policy_parameters import OperatorsPolicyParameters
from gatehouse.cli.aws.verdict_table import PARALLEL_QUERIES, OperatorsVerdictTable
from gatehouse.cli.errors import user_message
from gatehouse.cli.policy.drift import Drift, drifts
from gatehouse.cli.policy.policy_in_use import policy_in_use
from gatehouse.cli.policy.recent_verdicts import RecentVerdicts
from gatehouse.cli.queue.message_queue import PARALLEL_COUNTS, MessageQueue, QueueCounts, counted
from gatehouse.contracts.function_metrics import METRICS_NAMESPACE, AnalyzerMetric, Dimension, ResultsMetric, Service
from gatehouse.contracts.list_price import LIST_PRICE
from gatehouse.moderation.lane import Priority
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment

_Seen = TypeVar("_Seen")

#: Executions of each workflow and status that are looked at, newest first: three calls of a hundred.
MOST_EXECUTIONS = 300
#: How far back failed batches are counted.
FAILED_WITHIN = timedelta(days=1)

#: Statuses that the index `by_status` counts.
INDEXED = (Status.REVIEW, Status.BLOCKED, Status.UNSUPPORTED, Status.FAILED)


@dataclass(frozen=True, slots=True)
class Section(Generic[_Seen]):
    """What was seen of one part; `problem` says why nothing was."""

    seen: _Seen | None = None
    problem: str | None = None

    @classmethod
    def look(cls, look: Callable[[], _Seen]) -> "Section[_Seen]":
        """Look at it; an error that may happen to anyone becomes the problem."""
        try:
            return cls(look())
        except Exception as error:
            sentence = user_message(error)
            if sentence is None:
                raise
            return cls(problem=sentence)


@dataclass(frozen=True, slots=True)
class LaneBacklog:
    """What waits in a lane's queues, as SQS counts it.

    Attributes:
        backfill, backfill_dead: objects from before, and those given up; None where none are moderated.
    """

    lane: str
    ingest: QueueCounts
    dead: int
    undelivered: int
    backfill: QueueCounts | None = None
    backfill_dead: int | None = None

    @property
    def stuck(self) -> Iterator[tuple[str, int]]:
        """The lane's queues that hold what nothing moves by itself, as `queue show` names them."""
        counts = (("dead-letter", self.dead), ("undelivered", self.undelivered), ("backfill", self.backfill_dead))
        return ((queue, count) for queue, count in counts if count)


@dataclass(frozen=True, slots=True)
class Queues:
    """What waits.

    Attributes:
        changes: changes that could not be announced.
        events: events that the bus did not take; None where none are sent.
    """

    lanes: tuple[LaneBacklog, ...]
    changes: int
    events: int | None


@dataclass(frozen=True, slots=True)
class Batches:
    """Executions, counted.

    Attributes:
        running: batches under analysis.
        failed: that failed, were stopped or timed out within a day and were not redriven.
        are_all: whether none was left out.
    """

    running: int
    failed: int
    are_all: bool


@dataclass(frozen=True, slots=True)
class IndexedCounts:
    """Uploads that came into a status today and still have it.

    Attributes:
        are_all: whether none was left out.
    """

    counts: Mapping[Status, int]
    are_all: bool


@dataclass(frozen=True, slots=True)
class PolicyDrift:
    """How pointers differ from files.

    Attributes:
        without_file: policies that have no file here, so that their pointers were compared with nothing.
    """

    drifts: tuple[Drift, ...]
    without_file: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """All that was seen, part by part.

    Attributes:
        at: when; ISO 8601, UTC.
        deploying: the stack that is being deployed, or None.
        ages: seconds that the oldest message of each lane's queue has waited.
        approved: approvals of today, as Results counted them.
        paid: images and frames of today that Rekognition charges for, as functions counted them.
    """

    name: str
    at: str
    deploying: str | None
    queues: Section[Queues]
    ages: Section[dict[str, float]]
    batches: Section[Batches]
    indexed: Section[IndexedCounts]
    approved: Section[int]
    paid: Section[int]
    subscribers: Section[list[Subscriber]]
    alarms: Section[list[Alarm]]
    drift: Section[PolicyDrift]

    @property
    def spend(self) -> float | None:
        """What today's images cost at list price, in USD."""
        return None if self.paid.seen is None else self.paid.seen * LIST_PRICE

    def to_document(self) -> dict[str, Any]:
        """All of it for scripts; what could not be seen is null, and `problems` says why."""
        queues, batches, indexed = self.queues.seen, self.batches.seen, self.indexed.seen
        ages, alarms = self.ages.seen, self.alarms.seen
        parts = ("queues", "ages", "batches", "indexed", "approved", "paid", "subscribers", "alarms", "drift")
        return {
            "deployment": self.name,
            "at": self.at,
            "deploying": self.deploying,
            "lanes": queues
            and [
                {
                    "lane": lane.lane,
                    "waiting": lane.ingest.waiting,
                    "in_flight": lane.ingest.in_flight,
                    "oldest_seconds": None if ages is None else ages.get(lane.lane),
                    "dead_letters": lane.dead,
                    "undelivered": lane.undelivered,
                    "backfill": lane.backfill
                    and {
                        "waiting": lane.backfill.waiting,
                        "in_flight": lane.backfill.in_flight,
                        "dead_letters": lane.backfill_dead,
                    },
                }
                for lane in queues.lanes
            ],
            "unannounced_changes": queues and queues.changes,
            "unsent_events": queues and queues.events,
            "batches": batches and {"running": batches.running, "failed": batches.failed, "all": batches.are_all},
            "today": {
                "APPROVED": self.approved.seen,
                **{status.value: indexed and indexed.counts[status] for status in INDEXED},
                "all": indexed and indexed.are_all,
            },
            "paid": None if self.paid.seen is None else {"images": self.paid.seen, "usd": round(self.spend or 0, 2)},
            "subscribers": self.subscribers.seen
            and [
                {"protocol": each.protocol, "endpoint": each.endpoint, "confirmed": each.is_confirmed}
                for each in self.subscribers.seen
            ],
            "alarms": None if alarms is None else len(alarms),
            "ringing": alarms
            and [
                {
                    "name": alarm.name,
                    "severity": alarm.severity,
                    "since": alarm.since and iso(alarm.since),
                    "text": alarm.text,
                    "first": alarm.first_command,
                }
                for alarm in alarms
                if alarm.is_ringing
            ],
            "drift": None if self.drift.seen is None else [each.to_document() for each in self.drift.seen.drifts],
            "policies_without_file": None if self.drift.seen is None else list(self.drift.seen.without_file),
            "problems": {name: problem for name in parts if (problem := getattr(self, name).problem)},
        }


@dataclass(frozen=True, slots=True)
class StatusLook:
    """Looks at every part of a deployment, one after the other."""

    connection: "Connection"
    deployment: "Deployment"

    def look(self, now: datetime, say: Callable[[str], None] = lambda _: None) -> DeploymentStatus:
        """How the deployment does now.

        Args:
            say: hears which part is next.
        """
        looks: dict[str, Callable[[], Any]] = {
            "queues": self._queues,
            "ages": lambda: self._ages(now),
            "batches": lambda: self._batches(now),
            "indexed": lambda: self._indexed(now),
            "approved": lambda: self._approved(now),
            "paid": lambda: self._paid(now),
            "subscribers": self._subscribers,
            "alarms": self._alarms,
            "drift": self._drift,
        }
        sections: dict[str, Any] = {}
        for name, look in looks.items():
            say(f"Looking at {name}")
            sections[name] = Section.look(look)
        return DeploymentStatus(self.deployment.name, iso(now), self.deployment.deploying, **sections)

    def _queues(self) -> Queues:
        found = self.deployment
        client = self.connection.client("sqs", connections=PARALLEL_COUNTS)
        lanes = sorted(found.queues.items())
        urls = [url for _, lane in lanes for url in (lane.ingest, lane.dead_letter, lane.undelivered)]
        if found.backfill:
            urls += [
                url for name, _ in lanes for url in (found.backfill.queues[name], found.backfill.dead_letters[name])
            ]
        urls += [found.change_failures, *([found.events.dead_letter] if found.events else [])]
        counts = iter(counted(MessageQueue(client, url) for url in urls))
        backlogs = [LaneBacklog(name, next(counts), next(counts).total, next(counts).total) for name, _ in lanes]
        if found.backfill:
            backlogs = [replace(lane, backfill=next(counts), backfill_dead=next(counts).total) for lane in backlogs]
        return Queues(tuple(backlogs), next(counts).total, next(counts).total if found.events else None)

    def _ages(self, now: datetime) -> dict[str, float]:
        names = {lane: queues.ingest.rsplit("/", 1)[-1] for lane, queues in self.deployment.queues.items()}
        ages = self._monitoring().oldest_messages(names.values(), now)
        return {lane: ages[name] for lane, name in names.items()}

    def _batches(self, now: datetime) -> Batches:
        client = self.connection.client("stepfunctions")
        since = iso(now - FAILED_WITHIN)
        counts: Counter[ExecutionEnding] = Counter()
        are_all = True
        for machine in self.deployment.state_machines:
            executions = DeployedExecutions(client, [machine])
            for ending in (ExecutionEnding.RUNNING, ExecutionEnding.FAILED, ExecutionEnding.ABORTED):
                listed = list(islice(executions.listed([ending]), MOST_EXECUTIONS))
                recent = [each for each in listed if ending is ExecutionEnding.RUNNING or each.changed_at >= since]
                counts[ending] += len(recent)
                are_all = are_all and len(recent) < MOST_EXECUTIONS
        failed = counts[ExecutionEnding.FAILED] + counts[ExecutionEnding.ABORTED]
        return Batches(counts[ExecutionEnding.RUNNING], failed, are_all)

    def _indexed(self, now: datetime) -> IndexedCounts:
        table = OperatorsVerdictTable.of(self.connection, self.deployment, PARALLEL_QUERIES, is_patient=False)
        counts = {status: table.count_since(status, now.date().isoformat(), now.date()) for status in INDEXED}
        return IndexedCounts(
            {status: count for status, (count, _) in counts.items()}, all(whole for _, whole in counts.values())
        )

    def _approved(self, now: datetime) -> int:
        return self._today(self._of_lanes(ResultsMetric.UPLOADS_APPROVED), now)

    def _paid(self, now: datetime) -> int:
        one_by_one = [
            Metric(
                METRICS_NAMESPACE,
                metric.value,
                {Dimension.SERVICE.value: Service.ANALYZER.value, Dimension.PRIORITY.value: priority.value},
            )
            for metric in (AnalyzerMetric.IMAGES_ANALYZED, AnalyzerMetric.FRAMES_ANALYZED)
            for priority in Priority
        ]
        return self._today([*one_by_one, *self._of_lanes(ResultsMetric.IMAGES_ANALYZED_IN_BULK)], now)

    def _of_lanes(self, metric: ResultsMetric) -> list[Metric]:
        dimensions = {Dimension.SERVICE.value: Service.RESULTS.value}
        return [
            Metric(METRICS_NAMESPACE, metric.value, {**dimensions, Dimension.LANE.value: lane})
            for lane in self.deployment.lanes
        ]

    def _today(self, metrics: list[Metric], now: datetime) -> int:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return round(sum(self._monitoring().sums(metrics, midnight, now)))

    def _subscribers(self) -> list[Subscriber]:
        return Subscriptions(self.connection.client("sns"), self.deployment.flag_topic_arn).first()

    def _alarms(self) -> list[Alarm]:
        return self._monitoring().alarms(self.deployment.name)

    def _drift(self) -> PolicyDrift:
        """What `policy status` tells of files and pointers; recent verdicts are its own to judge again."""
        found = self.deployment
        pointers, unreadable = OperatorsPolicyParameters(self.connection.client("ssm"), found.policy_parameters).look()
        policies = [policy_in_use(name, found, pointers.get(name)) for name in found.policies]
        return PolicyDrift(
            tuple(drifts(policies, unreadable, RecentVerdicts(()), [])),
            tuple(policy.name for policy in policies if not policy.file.is_file()),
        )

    def _monitoring(self) -> Monitoring:
        return Monitoring(self.connection.client("cloudwatch"))
