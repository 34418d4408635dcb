"""`adapter export`: training data for an adapter, from what people decided."""

import re
from typing import Annotated

import typer

from gatehouse.cli.adapter.export_run import PARALLEL_COPIES, ExportRun, TrainingExport
from gatehouse.cli.aws.upload_bucket import OperatorsUploadBucket
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import DryRun, Invocation, Yes, about_deployment
from gatehouse.cli.lifetime import since_creation
from gatehouse.cli.output import Output
from gatehouse.cli.progress import progress
from gatehouse.cli.review.listed_uploads import ListedUploads
from gatehouse.cli.since import parse_since
from gatehouse.console import printable
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.training_manifest import MAX_IMAGES

CLOCK = Clock()

#: Rekognition reads a manifest's keys; what a URI could mean otherwise is not for a prefix of ours.
_PLACE = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9/_.-]*))?")


@about_deployment
def export(
    invocation: Invocation,
    to: Annotated[
        str, typer.Option("--to", metavar="S3URI", help="Where to: s3://bucket/prefix, in the deployment's Region.")
    ],
    since: Annotated[
        str,
        typer.Option(metavar="TIME", help="Decisions since: 12h, 30d, or an ISO date (UTC). A day is ten queries."),
    ] = "90d",
    lane: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this lane.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODE=LABEL",
            help="The label of what people blocked with this reason code though no rule had fired. May be repeated.",
            show_default=False,
        ),
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Export what people decided as training data: images copied to one bucket, and a manifest that names them.

    What people approved is safe; what they blocked has the labels of the rules that had fired. The copies are yours:
    delete them when you need them no more.
    """
    invocation.out.ensure_answerable(yes=yes or dry_run)
    out, deployment, now = invocation.out, invocation.deployment, CLOCK.now()
    bucket, prefix = _place(to)
    if bucket == deployment.upload_bucket:
        raise CommandError(f"{bucket} is the uploads bucket, where copies would be moderated; name another bucket.")
    labels = dict(map(_label_of_reason, label or ()))
    beginning = since_creation(invocation, parse_since(since, now), now)
    if not (yes or dry_run):
        out.tell(f"What people decided since {beginning} will be copied to s3://{bucket}/{prefix}.")
        out.confirm()
    uploads = ListedUploads.of(invocation.connection, deployment, CLOCK)
    s3 = invocation.connection.client("s3", PARALLEL_COPIES)
    run = ExportRun(s3, OperatorsUploadBucket(s3, finds_animations=False), bucket, prefix, labels, dry_run)
    with progress(out.progress, first="Reading decisions") as tell:
        found = run.run(uploads.opinions(beginning, lane, now.date()), lambda count: tell(f"{count:,} images"))
    out.document({"since": beginning, "lane": lane, "dry_run": dry_run, **found.to_document()})
    _show(out, found, dry_run=dry_run)


def _show(out: Output, found: TrainingExport, *, dry_run: bool) -> None:
    counts = found.counts
    if counts.images:
        table = out.table("Images by label", "Label", "Labeled", "False positives", "False negatives")
        for name in counts.labels:
            numbers = (counts.labeled[name], counts.false_positives[name], counts.false_negatives[name])
            table.add_row(printable(name), *(f"{number:,}" for number in numbers))
        out.show(table)
    for number, what in (
        (found.gone, "are deleted, overwritten or archived"),
        (found.unlabeled, "were blocked though no rule had fired, and --label says no label for their reason"),
        (found.unjudged, "had not been judged by a policy"),
    ):
        if number:
            out.say(f"Left out: {number:,} that {what}.", style="yellow")
    if found.is_full:
        out.say(
            f"A training takes {MAX_IMAGES:,} images; the newest were left out. Give a later --since.", style="yellow"
        )
    for warning in counts.warnings():
        out.say(warning, style="yellow")
    if counts.images and not dry_run:
        out.say(f"{counts.images:,} images in {found.manifest}. To train an adapter with them:")
        out.say(f"  `{COMMAND} adapter train --manifest {found.manifest} --project NAME --version NAME`")


def _place(text: str) -> tuple[str, str]:
    match = _PLACE.fullmatch(text)
    if match is None:
        raise CommandError(f"--to {text} is not s3://bucket/prefix with a prefix of letters, digits and / _ . - only.")
    return match[1], (match[2] or "").strip("/")


def _label_of_reason(text: str) -> tuple[str, str]:
    code, _, label = text.partition("=")
    if label not in taxonomy.PARENTS:
        raise CommandError(f"--label {text} does not end in a moderation label; write, for example, spam=Gambling.")
    return code, label
