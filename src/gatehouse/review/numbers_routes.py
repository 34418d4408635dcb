"""The page of numbers: what people's decisions say about the policies, and how much they decide."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatehouse.cli.policy.policy_source import PolicySources
from gatehouse.cli.review.decided_quality import DecidedQuality, share_words, threshold_words, wait_words
from gatehouse.cli.review.listed_uploads import ListedUploads
from gatehouse.console import spelled_out
from gatehouse.moderation.interval import Share
from gatehouse.moderation.quality import Quality, most_doubted
from gatehouse.moderation.status import Status
from gatehouse.review.bench import AGES, DEFAULT_AGE, Bench
from gatehouse.review.endpoint import report

#: Rules and labels that are shown of each, those that people disagree with most often.
_MOST_ROWS = 20


@dataclass(frozen=True, slots=True)
class ShownShare:
    """A share as a row: in words, and as percentages for a plot.

    Attributes:
        value: None if nothing was decided.
    """

    name: str
    words: str
    value: float | None
    low: float
    high: float

    @classmethod
    def of(cls, name: str, share: Share) -> "ShownShare":
        """The row of a share."""
        value = None if share.value is None else 100 * share.value
        return cls(spelled_out(name), share_words(share), value, 100 * share.low, 100 * share.high)


@dataclass(frozen=True, slots=True)
class ShownCount:
    """How many uploads were approved and blocked, and both as parts of the largest sum, 0-100."""

    name: str
    approved: int
    blocked: int
    approved_part: float
    blocked_part: float


def routes(bench: Bench) -> list[Route]:
    """The route, for one reviewer."""

    async def numbers(request: Request) -> Response:
        return await report(bench, request, "numbers.html", lambda: _numbers(bench, request.query_params))

    return [Route("/numbers", numbers)]


def _numbers(bench: Bench, asked: Mapping[str, str]) -> dict[str, Any]:
    since, lane, has_advice = bench.since(asked), asked.get("lane") or None, bool(asked.get("thresholds"))
    connection, deployment = bench.connection, bench.deployment
    sources = PolicySources.of(connection, lambda: deployment) if has_advice else None
    numbers = DecidedQuality.of(deployment, sources)
    for _, opinion in ListedUploads(bench.table).opinions(since, lane, bench.clock.now().date()):
        numbers.add(opinion)
    quality = numbers.quality
    return {
        "filters": {"age": asked.get("age", DEFAULT_AGE), "lane": lane or "", "thresholds": has_advice},
        "ages": AGES,
        "lanes": sorted(deployment.lanes),
        "since": since[:10],
        "opinions": quality.opinions,
        "waits": _waits(quality),
        "shares": _shares(quality),
        "days": list(_counts(quality.days)),
        "counts": [
            (what, list(_counts(counts)))
            for what, counts in (
                ("Lane", quality.in_lanes),
                ("Label", quality.with_labels),
                ("Reviewer", quality.reviewers),
            )
        ],
        "suggestions": [
            {
                "policy": policy,
                "place": f"{one.place.rule}{f' ({one.place.content_type})' if one.place.content_type else ''}",
                "key": one.place.key,
                "now": threshold_words(one.place.now),
                "value": threshold_words(one.value),
                "change": one,
            }
            for policy, found in numbers.suggestions().items()
            for one in found
        ],
        "unavailable": numbers.unavailable,
    }


def _waits(quality: Quality) -> tuple[str, str, int] | None:
    """The median, the ninth decile and the number of waits; None without any."""
    median, most = quality.waits.quantile(0.5), quality.waits.quantile(0.9)
    return None if median is None or most is None else (wait_words(median), wait_words(most), quality.waits.count)


def _shares(quality: Quality) -> list[tuple[str, str, list[ShownShare]]]:
    """Tables of shares: title, what a row is, and rows."""
    lanes = sorted(quality.lanes.items())
    tables = [
        (title, "Lane", [ShownShare.of(name, tally.wrong_share) for name, tally in tallies])
        for title, tallies in (
            ("Wrong approvals, estimated from samples", [(name, lane.samples) for name, lane in lanes]),
            ("Needless reviews", [(name, lane.review) for name, lane in lanes]),
            ("Doubted blocks that were wrong", [(name, lane.blocked) for name, lane in lanes]),
        )
    ]
    tables += [
        (
            f"Flags that people agree with, by {what.lower()}",
            what,
            [ShownShare.of(name, tally.agreement) for name, tally in most_doubted(tallies)[:_MOST_ROWS]],
        )
        for what, tallies in (("Rule", quality.rules), ("Label", quality.labels))
    ]
    return [(title, what, rows) for title, what, rows in tables if any(row.value is not None for row in rows)]


def _counts(counts: Mapping[str, Counter[Status]]) -> Iterator[ShownCount]:
    most = max((found.total() for found in counts.values()), default=1)
    for name, found in sorted(counts.items()):
        approved, blocked = found[Status.APPROVED], found[Status.BLOCKED]
        yield ShownCount(spelled_out(name), approved, blocked, 100 * approved / most, 100 * blocked / most)
