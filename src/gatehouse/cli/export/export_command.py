"""`export`: verdicts and decisions, for a spreadsheet or a warehouse."""

from pathlib import Path
from typing import Annotated

import typer

from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable, Selection
from gatehouse.cli.clock import Clock
from gatehouse.cli.errors import CommandError
from gatehouse.cli.export.export_run import ExportFormat, ExportRun, ensure_file, to_stdout, whole_file
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.progress import progress
from gatehouse.cli.since import parse_since
from gatehouse.cli.verdict.list_command import FinalStatus
from gatehouse.moderation.status import FINAL, Status

CLOCK = Clock()


@about_deployment
def export(
    invocation: Invocation,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Only what was decided since: 12h, 30d, or an ISO date (UTC).", show_default="all"
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only what was decided before then; likewise.", show_default="now"),
    ] = None,
    status: Annotated[
        list[FinalStatus] | None,
        typer.Option(case_sensitive=False, help="Only these; may be given more than once.", show_default="all"),
    ] = None,
    lane: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this lane.")] = None,
    written_as: Annotated[
        ExportFormat, typer.Option("--format", help="JSON Lines, or CSV with a line of names.")
    ] = ExportFormat.JSONL,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write into this file.", show_default="standard output")
    ] = None,
    segments: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Parts of the table read at once.")] = 8,
) -> None:
    """Export verdicts, with what people decided, one a line and in no order.

    Reads the whole table as it is meanwhile, whatever is selected: at 2 KB a verdict about 0.03 USD a million. A file
    gets its name when it is complete. docs/contracts/export.md has the columns.
    """
    out, now = invocation.out, CLOCK.now()
    if out.json and to is None:
        raise CommandError(
            "--output json is about what was done, and needs --to FILE; --format jsonl has verdicts as JSON."
        )
    if to is not None:
        ensure_file(to)
    selection = Selection(
        lane=lane,
        statuses=tuple(Status(each.value) for each in dict.fromkeys(status)) if status else tuple(sorted(FINAL)),
        decided_since=parse_since(since, now) if since else None,
        decided_until=parse_since(until, now, "--until") if until else None,
    )
    run = ExportRun(
        OperatorsVerdictTable.of(invocation.connection, invocation.deployment, segments), selection, segments
    )
    with progress(out.progress, first="Reading the table") as tell:
        if to is None:
            run.write(to_stdout(), written_as, tell)
        else:
            with whole_file(to) as stream:
                run.write(stream.write, written_as, tell)
    out.document({"exported": run.exported, "unreadable": run.unreadable, "file": to and str(to)})
    out.tell(f"{run.exported:,} verdicts exported{f' to {to}' if to else ''}.")
    if run.unreadable:
        out.tell(f"{run.unreadable:,} were written by another version of Gatehouse or by hand, and are left out.")
