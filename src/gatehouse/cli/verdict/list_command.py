"""`list`: uploads by what became of them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer

from gatehouse.cli.clock import Clock
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.key_prefix import KeyPrefix
from gatehouse.cli.lifetime import since_creation
from gatehouse.cli.output import Output
from gatehouse.cli.printed_parts import parts, streamed
from gatehouse.cli.review.verdict_report import verdict_document
from gatehouse.cli.since import parse_since
from gatehouse.cli.verdict.standing import why_line
from gatehouse.cli.verdict.verdict_search import VerdictSearch, Wanted
from gatehouse.console import printable
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict

CLOCK = Clock()


class FinalStatus(StrEnum):
    """The statuses that can be listed."""

    APPROVED = Status.APPROVED.value
    REVIEW = Status.REVIEW.value
    BLOCKED = Status.BLOCKED.value
    UNSUPPORTED = Status.UNSUPPORTED.value
    FAILED = Status.FAILED.value


_BY_DEFAULT = (Status.REVIEW, Status.BLOCKED, Status.UNSUPPORTED, Status.FAILED)


@about_deployment
def list_verdicts(
    invocation: Invocation,
    status: Annotated[
        list[FinalStatus] | None,
        typer.Option(
            case_sensitive=False, help="Only these; may be given more than once.", show_default="all but APPROVED"
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Only with this label, whatever the policy made of it.")
    ] = None,
    lane: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this lane.")] = None,
    since: Annotated[
        str,
        typer.Option(metavar="TIME", help="Only what came into its status since: 12h, 30d, or an ISO date (UTC)."),
    ] = "1d",
    prefix: KeyPrefix = "",
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="List this many at most.", show_default="all")
    ] = None,
) -> None:
    """List uploads by what became of them, newest first, as many as there are.

    They come from an index: ten queries a day and status, and a read for each hundred. No index has what is APPROVED:
    with --status APPROVED the whole table is read, in no order, whatever else is asked for. That takes minutes for
    millions of verdicts, and at 2 KB a verdict about 0.03 USD a million.
    """
    out = invocation.out
    now = CLOCK.now()
    statuses = tuple(Status(each.value) for each in dict.fromkeys(status)) if status else _BY_DEFAULT
    wanted = Wanted(parse_since(since, now), statuses, label, lane, prefix)
    if not wanted.needs_scan:
        wanted = replace(wanted, since=since_creation(invocation, wanted.since, now))
    reading = "Reading the whole table" if wanted.needs_scan else "Reading the index"
    found = VerdictSearch.of(invocation.connection, invocation.deployment, CLOCK).find(wanted, now.date())
    counted = Counted(found if limit is None else islice(found, limit))
    if out.json:
        out.entries(map(verdict_document, streamed(out, counted, reading)))
    else:
        _show(out, parts(out, counted, reading))
    more = f"; --limit {limit} may have left out more" if counted.count == limit else ""
    out.tell(f"{counted.count:,} of status {', '.join(statuses)} since {wanted.since}{more}.")


class Counted(Iterator[Verdict]):
    """Verdicts as they come, counted.

    Attributes:
        count: those that came.
    """

    def __init__(self, verdicts: Iterator[Verdict]) -> None:
        self._verdicts = verdicts
        self.count = 0

    def __next__(self) -> Verdict:
        verdict = next(self._verdicts)
        self.count += 1
        return verdict


def _show(out: Output, found: Iterable[list[Verdict]]) -> None:
    for some in found:
        now = CLOCK.now()
        table = out.table("Uploads", "Status", "Since", "Key", "Lane", "Why", sentences={"Why"})
        for verdict in some:
            cells = (
                *(verdict.status.value, out.when(verdict.decided_at, now), verdict.upload.key),
                *(verdict.claim.lane, why_line(verdict)),
            )
            table.add_row(*(printable(cell) for cell in cells))
        out.show(table)
