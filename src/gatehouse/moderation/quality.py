"""How good policies are, by what people decided: counts in bounded memory, for a table or a page."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, floor, log
from typing import Any

from gatehouse.moderation.interval import Share
from gatehouse.moderation.opinion import Opinion
from gatehouse.moderation.status import FLAGGED, Status

#: A duration is known to within this factor.
_STEP = 1.02


@dataclass(slots=True)
class Tally:
    """Opinions, and those that disagree with the policy."""

    opinions: int = 0
    wrong: int = 0

    def add(self, opinion: Opinion) -> None:
        """Count an opinion."""
        self.opinions += 1
        self.wrong += not opinion.agrees

    @property
    def wrong_share(self) -> Share:
        """The share on which people disagree with the policy."""
        return Share(self.wrong, self.opinions)

    @property
    def agreement(self) -> Share:
        """The share on which they agree."""
        return Share(self.opinions - self.wrong, self.opinions)


@dataclass(slots=True)
class Durations:
    """Durations in seconds, of which quantiles are known to within 2%."""

    _counts: Counter[int] = field(default_factory=Counter)

    def add(self, seconds: float) -> None:
        """Count a duration; less than a second counts as one."""
        self._counts[floor(log(max(1.0, seconds), _STEP))] += 1

    @property
    def count(self) -> int:
        """The number of durations."""
        return self._counts.total()

    def quantile(self, share: float) -> float | None:
        """The duration that this share, above 0 and up to 1, does not exceed; None of nothing."""
        left = ceil(share * self.count)
        for step, count in sorted(self._counts.items()):
            left -= count
            if left <= 0:
                return float(_STEP ** (step + 0.5))
        return None


@dataclass(slots=True)
class LaneQuality:
    """What people said about a lane's uploads.

    Attributes:
        samples: of what was approved and drawn: how often an approval is wrong.
        review: of what was held for a person: how often there was no need.
        blocked: of what was blocked. People see these only because somebody appealed or looked, so that the share says
            how such doubts end, and not how often blocking is wrong.
    """

    samples: Tally = field(default_factory=Tally)
    review: Tally = field(default_factory=Tally)
    blocked: Tally = field(default_factory=Tally)

    def add(self, opinion: Opinion) -> None:
        """Count an opinion. Of approvals only samples count: the others were found because somebody had a doubt."""
        if opinion.policys is Status.REVIEW:
            self.review.add(opinion)
        elif opinion.policys is Status.BLOCKED:
            self.blocked.add(opinion)
        elif opinion.policys is Status.APPROVED and opinion.is_sample:
            self.samples.add(opinion)

    def to_document(self) -> dict[str, Any]:
        """The shares for scripts."""
        return {
            "wrong_approvals": self.samples.wrong_share.to_document(),
            "wrong_review": self.review.wrong_share.to_document(),
            "wrong_blocks": self.blocked.wrong_share.to_document(),
        }


@dataclass(slots=True)
class Quality:
    """What people decided.

    Attributes:
        opinions: all of them.
        overall, lanes: see `LaneQuality`. Lanes may draw different shares, so look at each for its wrong approvals.
        rules, labels: agreement about the flags that a rule, and a label, was a reason for.
        days, in_lanes, with_labels, reviewers: opinions by day of the decision, lane, label that was a reason, and
            person, each by the status given. An upload with two such labels counts for both.
        waits: from REVIEW to the decision.
    """

    opinions: int = 0
    overall: LaneQuality = field(default_factory=LaneQuality)
    lanes: dict[str, LaneQuality] = field(default_factory=dict)
    rules: dict[str, Tally] = field(default_factory=dict)
    labels: dict[str, Tally] = field(default_factory=dict)
    days: dict[str, Counter[Status]] = field(default_factory=dict)
    in_lanes: dict[str, Counter[Status]] = field(default_factory=dict)
    with_labels: dict[str, Counter[Status]] = field(default_factory=dict)
    reviewers: dict[str, Counter[Status]] = field(default_factory=dict)
    waits: Durations = field(default_factory=Durations)

    def add(self, opinion: Opinion) -> None:
        """Count an opinion."""
        self.opinions += 1
        self.overall.add(opinion)
        self.lanes.setdefault(opinion.lane, LaneQuality()).add(opinion)
        labels = {reason.label for reason in opinion.reasons}
        if opinion.policys in FLAGGED:
            for tallies, names in (
                (self.rules, {reason.rule for reason in opinion.reasons}),
                (self.labels, labels),
            ):
                for name in names:
                    tallies.setdefault(name, Tally()).add(opinion)
        for counts, name in (
            (self.days, opinion.at[:10]),
            (self.in_lanes, opinion.lane),
            *((self.with_labels, label) for label in labels),
            (self.reviewers, opinion.by),
        ):
            counts.setdefault(name, Counter())[opinion.persons] += 1
        if opinion.waited is not None:
            self.waits.add(opinion.waited)

    def to_document(self) -> dict[str, Any]:
        """The numbers for scripts and pages."""
        return {
            "opinions": self.opinions,
            **self.overall.to_document(),
            "lanes": {name: lane.to_document() for name, lane in sorted(self.lanes.items())},
            "rules": _agreements(self.rules),
            "labels": _agreements(self.labels),
            "by_day": _counts(self.days),
            "by_lane": _counts(self.in_lanes),
            "by_label": _counts(self.with_labels),
            "by_reviewer": _counts(self.reviewers),
            "seconds_in_review": {
                "count": self.waits.count,
                "median": self.waits.quantile(0.5),
                "p90": self.waits.quantile(0.9),
            },
        }


def most_doubted(tallies: Mapping[str, Tally]) -> list[tuple[str, Tally]]:
    """Tallies by name, those that people disagree with most often first."""
    return sorted(tallies.items(), key=lambda entry: (-entry[1].wrong, entry[1].opinions, entry[0]))


def _agreements(tallies: Mapping[str, Tally]) -> dict[str, Any]:
    return {name: tally.agreement.to_document() for name, tally in most_doubted(tallies)}


def _counts(counts: Mapping[str, Counter[Status]]) -> dict[str, dict[str, int]]:
    return {
        name: {status.value: count for status, count in sorted(found.items())} for name, found in sorted(counts.items())
    }
