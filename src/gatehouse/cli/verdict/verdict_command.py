"""`verdict`: the short answer to "is my picture through?"."""

from typing import Annotated

import typer

from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.clock import Clock
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.object_uri import object_uri
from gatehouse.cli.output import Output
from gatehouse.cli.progress import progress
from gatehouse.cli.review.verdict_report import show_history
from gatehouse.cli.verdict.absence import AbsenceSearch
from gatehouse.cli.verdict.current_upload import current_standing, version_absence
from gatehouse.cli.verdict.standing import Standing
from gatehouse.cli.verdict.stored_upload import ObjectName, find_item

CLOCK = Clock()

_BETWEEN_LOOKS = 2.0


@about_deployment
def verdict(
    invocation: Invocation,
    upload: ObjectName,
    version: Annotated[
        str | None,
        typer.Option(metavar="VALUE", help="This upload: `version` of its flag.", show_default="the bucket's now"),
    ] = None,
    version_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The upload that made this version of the object (S3 versioning)."),
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="Also what people did since the first verdict.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Wait until it is final, looking every two seconds.")] = False,
) -> None:
    """Tell an upload's status, why it has it, since when, and who decided.

    Without a version it is about what the bucket has now, and not about what was overwritten. A PENDING upload has its
    batch named. Without a verdict, the likely reasons are listed in order: not in the bucket, no lane takes the key,
    still in a queue, expired. Exits with 0 whatever the status is.
    """
    out, found = invocation.out, invocation.deployment
    uri = object_uri(upload, found.upload_bucket)
    table = OperatorsVerdictTable.of(invocation.connection, found, is_patient=False)
    search = AbsenceSearch(invocation.connection, found)

    def look() -> Standing:
        if version is None and version_id is None:
            return current_standing(table, search, uri, CLOCK.now())
        item = find_item(table, uri, version, version_id)
        if item is not None:
            return Standing.of_item(uri, item)
        return Standing(uri, absence=version_absence(search, uri, version, version_id, CLOCK.now()))

    standing = look()
    if watch:
        with progress(out.progress) as tell:
            while not standing.is_settled:
                tell(f"{standing.status or 'No verdict yet'}: {standing.why(CLOCK.now())}")
                CLOCK.pause(_BETWEEN_LOOKS)
                standing = look()
    out.document(standing.to_document(CLOCK.now(), with_history=history))
    _show(out, standing)
    if history and standing.verdict:
        if standing.verdict.history:
            show_history(out, standing.verdict.history)
        else:
            out.say("Nobody has acted on it.")


def _show(out: Output, standing: Standing) -> None:
    now = CLOCK.now()
    held = standing.verdict.claim if standing.verdict else standing.claim
    uploaded = f", uploaded {out.when(held.upload.uploaded_at, now)}" if held else ""
    out.say(f"{standing.uri}{uploaded}", style="bold")
    if standing.absence:
        what = "what the bucket has now" if standing.earlier else "it"
        out.say(f"No verdict of {what}. Likely reasons, the likeliest first:")
        for reason in standing.absence.reasons:
            out.say(f"- {reason.text}")
        if standing.earlier and (older := standing.earlier.upload):
            out.say(
                f"An older upload, of {out.when(older.uploaded_at, now)}, is {standing.earlier.status}: "
                f"{standing.earlier.why(now)}. `--version {older.version}` shows it."
            )
        return
    out.say(f"{standing.status}: {standing.why(now)}")
    if standing.verdict:
        by = f" by {standing.by}" if standing.by else ""
        out.say(f"decided {out.when(standing.verdict.decided_at, now)}{by}")
    for sentence in filter(None, (standing.note, *standing.advice)):
        out.say(sentence)
