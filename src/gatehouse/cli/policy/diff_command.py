"""`policy diff`: shows how another policy would judge recent uploads. Reads labels, writes nothing."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Annotated, Any

import typer
from rich.text import Text

from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable, Selection
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.key_prefix import KeyPrefix
from gatehouse.cli.output import Output
from gatehouse.cli.policy.comparison import Comparison
from gatehouse.cli.policy.policy_source import SOURCE_HELP, short, sources_of
from gatehouse.cli.progress import progress
from gatehouse.cli.since import parse_since
from gatehouse.cli.table_reading import TableReading
from gatehouse.console import printable
from gatehouse.moderation.policy.policy import Policy

CLOCK = Clock()

_SEGMENTS = 8
_LABELS_SHOWN = 5


@about_deployment
def diff(
    invocation: Invocation,
    old: Annotated[str, typer.Argument(metavar="OLD", help=f"The policy in use: {SOURCE_HELP}.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The policy to compare it with, in the same forms.")],
    since: Annotated[str, typer.Option(metavar="TIME", help="Uploads since: 12h, 30d, or an ISO date (UTC).")] = "30d",
    lane: Annotated[str | None, typer.Option(metavar="NAME", help="Only this lane's uploads.")] = None,
    prefix: KeyPrefix = "",
    examples: Annotated[int, typer.Option(min=0, metavar="N", help="Keys to show for each kind of change.")] = 3,
) -> None:
    """Show which uploads would change their status under another policy.

    Judges the stored labels of OLD's uploads by both policies, regardless of their stored statuses. No image is
    analyzed again, and nothing is written.
    """
    out = invocation.out
    selection = Selection(parse_since(since, CLOCK.now()), lane, prefix or None)
    found = invocation.deployment
    sources = sources_of(invocation)
    comparison = Comparison(sources.resolve(old), sources.resolve(new), found.policy_name_for, examples)
    _check(comparison.old, selection, found)
    table = OperatorsVerdictTable.of(invocation.connection, found, _SEGMENTS)
    reading = TableReading.of(table)
    with (
        progress(out.progress, first="Reading the whole table") as tell,
        closing(table.scan(selection, segments=_SEGMENTS, consistent=False, read=reading.add)) as pages,
    ):
        for page in pages:
            for item in page:
                comparison.add(item)
            tell(f"Comparing: {reading.words}, {comparison.judged:,} judged")
    out.document({"since": selection.since, "lane": lane, "prefix": selection.prefix, **comparison.to_document()})
    _show(out, comparison, selection)


def _show(out: Output, comparison: Comparison, selection: Selection) -> None:
    old, new = comparison.old, comparison.new
    out.say(f"{_named(old)} against {_named(new)}, uploads since {selection.since}")
    flipped = sum(flips.count for flips in comparison.flips.values())
    flips, stays = _counted(flipped, "flip"), _counted(comparison.unchanged, "stay")
    out.say(f"{comparison.judged:,} judged by both: {flips}, {stays}.")
    if comparison.unlike_old:
        verb, them = ("is", "it") if comparison.unlike_old == 1 else ("are", "them")
        out.say(
            f"{comparison.unlike_old:,} of these {verb} in the table with another status than {old.name} {old.version} "
            f"gives {them}, because another version decided {them} or an approval could not be confirmed; "
            f"`{COMMAND} policy apply` of {old.name} {old.version} judges {them} again."
        )
    if comparison.flips:
        table = out.table("Flips", "From", "To", "Uploads", "Because of", "For example", sentences={"Because of"})
        for (before, after), found in comparison.directions():
            labels = ", ".join(f"{name} {count:,}" for name, count in found.labels.most_common(_LABELS_SHOWN))
            table.add_row(before.value, after.value, f"{found.count:,}", printable(labels), _keys(found.examples))
        out.show(table)
    if comparison.with_labels:
        _show_agreement(out, comparison)
    for line in _asides(comparison):
        out.say(line)


def _show_agreement(out: Output, comparison: Comparison) -> None:
    title = f"How each policy agrees with people, who decided {comparison.with_labels:,} that have labels"
    table = out.table(title, "Policy", "Same status", "Stricter", "Milder", "Not the same, for example")
    for policy, found in (
        (comparison.old, comparison.old_and_people),
        (comparison.new, comparison.new_and_people),
    ):
        counts = (f"{count:,}" for count in (found.same, found.stricter, found.milder))
        table.add_row(printable(f"{policy.name} {policy.version}"), *counts, _keys(found.examples))
    out.show(table)


def _keys(keys: Sequence[str]) -> Text:
    return Text("\n").join(map(printable, keys))


def _asides(comparison: Comparison) -> Iterator[str]:
    new = comparison.new
    if comparison.unknowable:
        found = ", ".join(_min_confidence(entry) for entry in comparison.to_document()["unknowable"])
        lowest = f"{new.lowest_threshold:g}"
        yield (
            f"Unknowable: {comparison.unknowable.total():,}. {new.name} {new.version} judges labels from {lowest}, but "
            f"these uploads were analyzed with min_confidence {found}. Their status stays. To judge later uploads by "
            f"the complete policy, set min_confidence to {lowest} or less in gatehouse.yaml, where it is higher, and "
            "deploy."
        )
    if comparison.adapter_ignored:
        yield (
            f"Can't be approved: {comparison.adapter_ignored:,}. Their lane's adapter did not analyze them. Their "
            "status stays."
        )
    if comparison.by_a_person:
        yield f"Not judged, because a person decided: {comparison.by_a_person:,}."
    if comparison.sent_back:
        yield f"Not judged, because they were appealed or reported and wait for a person: {comparison.sent_back:,}."
    if comparison.without_labels:
        counts = ", ".join(f"{status} {count:,}" for status, count in sorted(comparison.without_labels.items()))
        yield f"Not judged, because there are no labels: {comparison.without_labels.total():,} ({counts})."
    if comparison.unreadable:
        yield f"Not judged, because the items are malformed or from another version: {comparison.unreadable:,}."
    if comparison.is_same_version:
        yield f"Both are version {new.version} of {new.name}: write another version into NEW before you apply it."


def _check(old: Policy, selection: Selection, deployment: Deployment) -> None:
    """Refuse a selection that can't find anything, before the table is read."""
    if selection.lane and selection.lane not in deployment.lanes:
        lanes = ", ".join(sorted(deployment.lanes))
        raise CommandError(f"There is no lane {selection.lane}; the lanes are {lanes}.")
    if old.name not in deployment.policies:
        policies = ", ".join(deployment.policies)
        raise CommandError(f"No lane uses the policy {old.name}; OLD must be one of those in use: {policies}.")
    if selection.lane and selection.lane not in (lanes_of_old := sorted(deployment.min_confidence_for(old.name))):
        raise CommandError(
            f"Lane {selection.lane} does not use {old.name}; the lanes that do: {', '.join(lanes_of_old)}."
        )


def _counted(count: int, verb: str) -> str:
    return f"{count:,} {verb}{'s' if count == 1 else ''}"


def _named(policy: Policy) -> str:
    return f"{policy.name} {policy.version} ({short(policy.hash)})"


def _min_confidence(entry: dict[str, Any]) -> str:
    asked = "unrecorded" if entry["min_confidence"] is None else f"{entry['min_confidence']:g}"
    return f"{asked} ({entry['count']:,})"
