"""`adapter compare`: whether an adapter beats the base model, at the policies' own thresholds."""

from collections.abc import Iterator
from typing import Annotated

import typer

from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.cli.adapter.list_command import settings_line
from gatehouse.cli.aws.adapters import Adapter, Adapters
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.output import Output
from gatehouse.cli.policy.policy_source import SOURCE_HELP, sources_of
from gatehouse.console import printable
from gatehouse.moderation.adapter_comparison import AdapterComparison, ModelErrors
from gatehouse.moderation.interval import Share
from gatehouse.moderation.training_manifest import TestedImage, parse_tested_image


@about_deployment
def compare(
    invocation: Invocation,
    adapter: Annotated[str, typer.Argument(metavar="ARN", help="The adapter, as `adapter list` shows it.")],
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="POLICY", help=f"By this policy: {SOURCE_HELP}. May be repeated.", show_default="those in use"
        ),
    ] = None,
) -> None:
    """Judge the test images of an adapter's training by your policies: as the adapter sees them, and as the base model.

    Both models' answers are in the evaluation files, so nothing is analyzed. Exits with 3 if the adapter is not better
    by every policy: wrong less often, without approving more of what people would not.
    """
    out = invocation.out
    found = Adapters.of(invocation.connection).find(adapter)
    if found.testing_manifest is None:
        raise CommandError(f"{adapter} has no evaluation: it is {found.status}. {found.message}".rstrip())
    sources = sources_of(invocation)
    names = policy or list(invocation.deployment.policies)
    comparisons = [AdapterComparison(sources.resolve(name)) for name in names]
    unreadable = 0
    for image in _tested(invocation, found):
        if image is None:
            unreadable += 1
            continue
        for comparison in comparisons:
            comparison.add(image)
    is_better = all(comparison.is_better for comparison in comparisons)
    documents = [comparison.to_document() for comparison in comparisons]
    out.document({**found.to_document(), "policies": documents, "unreadable": unreadable, "is_better": is_better})
    _show(out, found, comparisons)
    if unreadable:
        out.tell(f"{unreadable:,} lines of the testing manifest have no answers of both models, and do not count.")
    if is_better:
        out.say("It is better by every policy. To use it, in gatehouse.yaml, for the lane:", style="green")
        out.say(settings_line(found.arn))
        return
    out.say("It is not better by every policy. Collect more decisions before you use it.", style="yellow")
    raise typer.Exit(3)


def _tested(invocation: Invocation, adapter: Adapter) -> Iterator[TestedImage | None]:
    """The test images; None for a line that can't be read."""
    assert adapter.testing_manifest is not None  # noqa: S101 - looked at before
    files = WorkBucket(invocation.connection.client("s3"), adapter.testing_manifest[0])
    for line in files.lines(*adapter.testing_manifest):
        if line.strip():
            try:
                yield parse_tested_image(line)
            except ValueError:
                yield None


def _show(out: Output, adapter: Adapter, comparisons: list[AdapterComparison]) -> None:
    f1 = "" if adapter.f1 is None else f"; Rekognition's F1 score is {adapter.f1:.3f}"
    out.say(f"{adapter.project} {adapter.version}: {adapter.status}{f1}.")
    columns = ("Policy", "Model", "Wrong approvals", "Needless flags")
    table = out.table("Test images, judged by the policies", *columns, sentences=set(columns[2:]))
    for comparison in comparisons:
        for model, errors in (("base model", comparison.base), ("adapter", comparison.adapter)):
            table.add_row(printable(comparison.policy.name), model, *_cells(errors))
    out.show(table)


def _cells(errors: ModelErrors) -> tuple[str, str]:
    return _share(Share(errors.approved, errors.unsafe)), _share(Share(errors.flagged, errors.safe))


def _share(share: Share) -> str:
    if share.value is None:
        return "no such image"
    return f"{share.count:,} of {share.of:,} ({share.low:.1%} to {share.high:.1%})"
