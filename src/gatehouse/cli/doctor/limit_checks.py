"""How near a deployment is to limits that only AWS enforces. Reads only.

The limits that bind: open jobs of Bulk Analysis, functions that run at once, messages in flight, and the days that a
dead letter is kept.
"""

import shlex
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from gatehouse.cli.ago import duration_words
from gatehouse.cli.aws.monitoring import Metric, Monitoring
from gatehouse.cli.doctor.finding import Finding, Health
from gatehouse.cli.queue.message_queue import PARALLEL_COUNTS, MessageQueue, counted
from gatehouse.configuration.call_rate import LARGE_REGIONS

if TYPE_CHECKING:
    from gatehouse.cli.clock import Clock
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment
    from gatehouse.cli.paste import Paste

#: The part of a limit from which on it is near.
_NEAR: Final = 0.8

#: Open jobs, in large Regions and elsewhere (General Reference, Amazon Rekognition endpoints and quotas).
_OPEN_JOBS: Final = (20, 5)
_OPEN: Final = frozenset({"CREATED", "QUEUED", "IN_PROGRESS"})

#: Code of Lambda's quota "Concurrent executions".
CONCURRENCY_QUOTA: Final = "L-B99A9384"
_LOOKED_BACK: Final = timedelta(hours=1)

#: Of a standard queue (SQS Developer Guide, quotas-messages.html). Then nobody receives any.
_IN_FLIGHT: Final = 120_000

#: A message expires 14 days after it was sent first, in whichever queue it is by then.
_RETENTION: Final = timedelta(days=14)
_OLD: Final = timedelta(days=10)


def bulk_jobs(jobs: Iterable[Mapping[str, Any]], region: str | None, paste: "Paste") -> Finding:
    """Whether the account's open jobs leave room for another.

    Args:
        jobs: the newest, as ListMediaAnalysisJobs has them.
    """
    open_jobs = sum(job["Status"] in _OPEN for job in jobs)
    limit = _OPEN_JOBS[0 if region in LARGE_REGIONS else 1]
    if open_jobs < _NEAR * limit:
        return Finding("bulk-jobs", Health.OK, f"{open_jobs} jobs are open; {limit} may be, by AWS's default.")
    return Finding(
        "bulk-jobs",
        Health.WARNING,
        f"{open_jobs} jobs of Bulk Analysis are open, and AWS's default quota is {limit}: batches wait for a slot, and "
        "with `engine: auto` the image engine takes them over. Look which are open; AWS Support raises the quota.",
        (paste.gatehouse("jobs list --all --status IN_PROGRESS"),),
    )


def lambda_in_use(connection: "Connection", clock: "Clock", paste: "Paste") -> Finding:
    """Whether the account's functions nearly used up Lambda's concurrency within the last hour."""
    limit = int(connection.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
    now = clock.now()
    used = Monitoring(connection.client("cloudwatch")).maximum(
        Metric("AWS/Lambda", "ConcurrentExecutions", {}), now - _LOOKED_BACK, now
    )
    most = round(used or 0)
    if most < _NEAR * limit:
        return Finding("lambda-in-use", Health.OK, f"{most:,} of {limit:,} functions ran at once in the last hour.")
    return Finding(
        "lambda-in-use",
        Health.WARNING,
        f"{most:,} functions of the account ran at once in the last hour, and {limit:,} may: Lambda refuses the rest, "
        "and uploads wait.",
        (
            paste.aws(
                "service-quotas request-service-quota-increase --service-code lambda --quota-code "
                f"{CONCURRENCY_QUOTA} --desired-value {2 * limit}"
            ),
        ),
    )


def messages_in_flight(connection: "Connection", deployment: "Deployment", paste: "Paste") -> list[Finding]:
    """Whether a queue has nearly as many messages in flight as SQS lets it."""
    urls = {f"the queue of lane {lane}": queues.ingest for lane, queues in sorted(deployment.queues.items())}
    if deployment.backfill:
        urls |= {f"the backfill of lane {lane}": url for lane, url in sorted(deployment.backfill.queues.items())}
    client = connection.client("sqs", connections=PARALLEL_COUNTS)
    counts = counted(MessageQueue(client, url) for url in urls.values())
    in_flight = {name: count.in_flight for name, count in zip(urls, counts, strict=True)}
    near = {name: count for name, count in in_flight.items() if count >= _NEAR * _IN_FLIGHT}
    if not near:
        most = max(in_flight.values(), default=0)
        return [Finding("in-flight", Health.OK, f"At most {most:,} messages of a queue are in flight.")]
    return [
        Finding(
            "in-flight",
            Health.WARNING,
            f"{count:,} messages of {name} are in flight, and SQS lets {_IN_FLIGHT:,} be: then no batcher gets any. "
            "They come back when batchers fail, or run out of time.",
            (paste.gatehouse("logs --function Batcher --errors --since 1h"),),
        )
        for name, count in near.items()
    ]


def dead_letters(connection: "Connection", deployment: "Deployment", clock: "Clock", paste: "Paste") -> list[Finding]:
    """Whether dead letters expire soon: nobody has them then."""
    queues = {
        url: (lane, kind)
        for lane, of_lane in sorted(deployment.queues.items())
        for kind, url in (("dead-letter", of_lane.dead_letter), ("undelivered", of_lane.undelivered))
    }
    if deployment.backfill:
        queues |= {url: (lane, "backfill") for lane, url in sorted(deployment.backfill.dead_letters.items())}
    others = {"changes": deployment.change_failures} | (
        {"events": deployment.events.dead_letter} if deployment.events else {}
    )
    lines = {
        url.rsplit("/", 1)[-1]: f"--queue {kind}" + (f" --lane {shlex.quote(lane)}" if lane else "")
        for url, (lane, kind) in (queues | {url: ("", kind) for kind, url in others.items()}).items()
    }
    ages = Monitoring(connection.client("cloudwatch")).oldest_messages(lines, clock.now())
    old = {name: age for name, age in ages.items() if age >= _OLD.total_seconds()}
    if not old:
        return [Finding("dead-letters", Health.OK, "No dead letter expires within days.")]
    return [
        Finding(
            "dead-letters",
            Health.WARNING,
            f"A dead letter has been in {name} for {duration_words(age)}, and expires {_RETENTION.days} days after it "
            "was sent first.",
            (paste.gatehouse(f"queue show {lines[name]}"), paste.gatehouse(f"queue redrive {lines[name]}")),
        )
        for name, age in old.items()
    ]
