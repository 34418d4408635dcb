"""`review stats`: how people's decisions agree with the policies, and what they suggest."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated

import typer

from gatehouse.cli.clock import Clock
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.lifetime import since_creation
from gatehouse.cli.output import Output
from gatehouse.cli.policy.policy_source import sources_of
from gatehouse.cli.progress import progress
from gatehouse.cli.review.decided_quality import DecidedQuality, share_words, threshold_words, wait_words
from gatehouse.cli.review.listed_uploads import ListedUploads
from gatehouse.cli.since import parse_since
from gatehouse.console import printable
from gatehouse.moderation.policy.threshold_advice import MIN_CHANGED, Suggestion
from gatehouse.moderation.quality import LaneQuality, Tally, most_doubted
from gatehouse.moderation.status import Status

CLOCK = Clock()

#: Decisions between two sentences about how far it is.
_TOLD_EVERY = 200


@about_deployment
def stats(
    invocation: Invocation,
    since: Annotated[
        str,
        typer.Option(metavar="TIME", help="Decisions since: 12h, 30d, or an ISO date (UTC). A day is ten queries."),
    ] = "30d",
    lane: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this lane.")] = None,
    thresholds: Annotated[
        bool,
        typer.Option("--thresholds", help="Also suggest thresholds. This reads the active policies."),
    ] = False,
) -> None:
    """Show how often people disagree with the policies, and about what. A person's last word on an upload counts.

    Wrong approvals are estimated from samples (`samples` in gatehouse.yaml) and shares have 95% confidence intervals.
    docs/quality.md says how to read the numbers.
    """
    out, found, now = invocation.out, invocation.deployment, CLOCK.now()
    beginning = since_creation(invocation, parse_since(since, now), now)
    sources = sources_of(invocation) if thresholds else None
    numbers = DecidedQuality.of(found, sources)
    uploads = ListedUploads.of(invocation.connection, found, CLOCK)
    with progress(out.progress, first="Reading decisions") as tell:
        for count, (_, opinion) in enumerate(uploads.opinions(beginning, lane, now.date()), start=1):
            numbers.add(opinion)
            if count % _TOLD_EVERY == 0:
                tell(f"Reading decisions: {count:,} so far")
    out.document({"since": beginning, "lane": lane, **numbers.to_document()})
    _show(out, numbers, beginning)
    for policy in numbers.unavailable:
        out.tell(f"Policy {policy} can't be read, so no thresholds are suggested for it; see `policy status`.")


def _show(out: Output, numbers: DecidedQuality, since: str) -> None:
    quality = numbers.quality
    out.say(f"{quality.opinions:,} {'upload' if quality.opinions == 1 else 'uploads'} decided since {since}.")
    if not quality.opinions:
        return
    _show_lanes(out, {"all": quality.overall, **quality.lanes} if len(quality.lanes) > 1 else quality.lanes)
    _show_agreement(out, "Rule", quality.rules)
    _show_agreement(out, "Label", quality.labels)
    for what, counts in (
        ("Day", quality.days),
        ("Lane", quality.in_lanes),
        ("Label", quality.with_labels),
        ("Reviewer", quality.reviewers),
    ):
        _show_counts(out, what, counts)
    median, most = quality.waits.quantile(0.5), quality.waits.quantile(0.9)
    if median is not None and most is not None:
        out.say(
            f"Waited in REVIEW: {wait_words(median)} (median), nine of ten at most {wait_words(most)}; "
            f"{quality.waits.count:,} uploads."
        )
    if numbers.advice:
        _show_suggestions(out, numbers.suggestions())


def _show_lanes(out: Output, lanes: Mapping[str, LaneQuality]) -> None:
    columns = ("Lane", "Wrong approvals (samples)", "Needless reviews", "Doubted blocks")
    table = out.table("Where people disagree with the policy", *columns, sentences=set(columns[1:]))
    for name, lane in lanes.items():
        shares = (tally.wrong_share for tally in (lane.samples, lane.review, lane.blocked))
        table.add_row(printable(name), *map(share_words, shares))
    out.show(table)


def _show_agreement(out: Output, what: str, tallies: Mapping[str, Tally]) -> None:
    if not tallies:
        return
    table = out.table(f"Agreement with flags, by {what.lower()}", what, "People agree", sentences={"People agree"})
    for name, tally in most_doubted(tallies):
        table.add_row(printable(name), share_words(tally.agreement))
    out.show(table)


def _show_counts(out: Output, what: str, counts: Mapping[str, Counter[Status]]) -> None:
    table = out.table(f"Decided, by {what.lower()}", what, "APPROVED", "BLOCKED")
    for name, found in sorted(counts.items()):
        table.add_row(printable(name), *(f"{found[status]:,}" for status in (Status.APPROVED, Status.BLOCKED)))
    out.show(table)


def _show_suggestions(out: Output, suggestions: Mapping[str, list[Suggestion]]) -> None:
    columns = ("Policy", "Threshold", "Now", "Suggested", "Right", "Wrong", "Would be approved, but blocked", "Samples")
    if not any(suggestions.values()):
        out.say(f"No threshold is suggested: for none do {MIN_CHANGED} or more decisions clearly speak for another.")
        return
    table = out.table("Thresholds that decisions suggest", *columns, sentences={"Threshold", columns[6]})
    for policy, found in suggestions.items():
        for one in found:
            place = one.place
            kind = f" (where {place.content_type})" if place.content_type else ""
            cells = (policy, f"{place.rule}{kind}: {place.key}", threshold_words(place.now), threshold_words(one.value))
            counts = (one.right, one.wrong, one.wrongly_approved, one.samples)
            table.add_row(*map(printable, cells), *(f"{count:,}" for count in counts))
    out.show(table)
