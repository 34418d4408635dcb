"""`review list`: lists uploads that wait for a person, or that people decided."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated

import typer

from gatehouse.cli.clock import Clock
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.lifetime import since_creation
from gatehouse.cli.output import Output
from gatehouse.cli.printed_parts import parts, streamed
from gatehouse.cli.review.listed_uploads import ListedUploads, ReviewSelection
from gatehouse.cli.review.named_upload import NamedUpload
from gatehouse.cli.review.reviewer import reviewer
from gatehouse.cli.review.verdict_report import verdict_document, who, why_words
from gatehouse.cli.since import parse_since
from gatehouse.console import printable
from gatehouse.moderation.change import Cause
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict

CLOCK = Clock()

#: What a terminal shows meanwhile.
_READING = "Reading the index"

#: How far back to look where nobody says. In REVIEW what waits longest matters most. Nothing remembers since when
#: something waits, and each day that is looked at costs ten queries; 90 days are 900: seconds, and far below a cent.
_WAITING_SINCE, _SINCE = "90d", "30d"
#: How many times as far the next look may go.
_FURTHER = 4


class Listed(StrEnum):
    """Final statuses. Approvals are found among what people decided only: no index has the others."""

    APPROVED = Status.APPROVED.value
    REVIEW = Status.REVIEW.value
    BLOCKED = Status.BLOCKED.value
    UNSUPPORTED = Status.UNSUPPORTED.value
    FAILED = Status.FAILED.value


@about_deployment
def list_uploads(
    invocation: Invocation,
    status: Annotated[
        Listed | None,
        typer.Option(case_sensitive=False, help="Only uploads with this status now.", show_default="REVIEW"),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Only what came into its status since: 12h, 30d, or an ISO date (UTC). A day is ten queries.",
            show_default=f"{_WAITING_SINCE} for REVIEW, else {_SINCE}",
        ),
    ] = None,
    lane: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this lane.")] = None,
    label: Annotated[
        str | None, typer.Option(metavar="LABEL", help="Only uploads with this label, even if no rule matched it.")
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Only uploads that a rule or a label of this name flagged, or that people decided, appealed or "
            "reported with this code.",
        ),
    ] = None,
    appeals: Annotated[bool, typer.Option("--appeals", help="Only appealed uploads.")] = False,
    reports: Annotated[bool, typer.Option("--reports", help="Only reported uploads; with --appeals, both.")] = False,
    decided: Annotated[
        bool,
        typer.Option("--decided", help="Uploads that people decided, including approvals and confirmed samples."),
    ] = False,
    samples: Annotated[
        bool,
        typer.Option("--samples", help="Approved uploads that were drawn for people to look at; see `review confirm`."),
    ] = False,
    by: Annotated[
        str | None,
        typer.Option(metavar="PERSON", help="With --decided: only by this person, as in `review show`."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="List at most this many.", show_default="all")
    ] = None,
) -> None:
    """List the uploads that wait for a person, oldest first. With --decided, those that people decided.

    Each is named as `review approve` and `review block` take it, quoted for a shell. The list of --output json has an
    entry a line, and may be their --file, whole or in part.
    """
    out = invocation.out
    if by is not None and not decided:
        raise CommandError("--by selects among decisions of people; add --decided.")
    if decided and (appeals or reports):
        raise CommandError("Appealed and reported uploads are waiting, not decided; leave out --decided.")
    if samples and (decided or appeals or reports or status not in (None, Listed.APPROVED)):
        raise CommandError("Samples are APPROVED, and wait to be looked at; leave out the other options.")
    if decided and status not in (None, Listed.APPROVED, Listed.BLOCKED):
        raise CommandError(
            f"People decide {Status.APPROVED} or {Status.BLOCKED}, so nothing that they decided is {status.value}; "
            "leave out --decided or --status."
        )
    if status is Listed.APPROVED and not decided and not samples:
        raise CommandError("Only approvals by people can be listed; add --decided.")
    now = CLOCK.now()
    causes = {cause for cause, asked in ((Cause.APPEAL, appeals), (Cause.REPORT, reports)) if asked}
    default = Status.APPROVED if samples else None if decided else Status.REVIEW
    chosen = Status(status.value) if status else default
    asked = parse_since(since or (_WAITING_SINCE if chosen is Status.REVIEW else _SINCE), now)
    beginning = since_creation(invocation, asked, now) if since else asked
    selection = ReviewSelection(
        *(beginning, chosen, lane, label, reason, frozenset(causes), by),
        is_decided=decided,
        is_sample=samples,
    )
    found = invocation.deployment
    counted = _Counted(ListedUploads.of(invocation.connection, found, CLOCK).find(selection, now.date()), limit)
    if out.json:
        out.entries(map(verdict_document, streamed(out, counted, _READING)))
    else:
        _Shown(out, selection, found.upload_bucket, invocation, now).show(parts(out, counted, _READING))
    out.tell(_summary(selection, counted, now.date(), is_all=beginning != asked))
    if lane is not None and lane not in found.lanes:  # uploads of one that is gone are found all the same
        out.tell(f"No lane is called {lane} now. The lanes are: {', '.join(sorted(found.lanes))}.")


class _Counted(Iterator[Verdict]):
    """Passes uploads on and counts them, up to a limit.

    Attributes:
        count: the number of uploads so far.
        more: whether there are more than the limit.
    """

    def __init__(self, verdicts: Iterator[Verdict], limit: int | None) -> None:
        self._verdicts = verdicts
        self._limit = limit
        self.count = 0
        self.more = False

    def __next__(self) -> Verdict:
        verdict = next(self._verdicts)
        if self.count == self._limit:
            self.more = True
            raise StopIteration
        self.count += 1
        return verdict


@dataclass(frozen=True)
class _Shown:
    """Shows uploads in tables."""

    out: Output
    selection: ReviewSelection
    upload_bucket: str
    invocation: Invocation
    now: datetime

    def show(self, found: Iterable[list[Verdict]]) -> None:
        """Print a table for every few hundred."""
        decided = ("Status", "By") if self.selection.is_decided else ()
        for some in found:
            columns = ("Since", "Upload", *decided, "Lane", "Why")
            table = self.out.table(_title(self.selection), *columns, sentences={"Why"})
            for verdict in some:
                table.add_row(*(printable(cell) for cell in self._cells(verdict)))
            self.out.show(table)

    def _cells(self, verdict: Verdict) -> Iterator[str]:
        upload = verdict.upload
        yield self.out.when(verdict.decided_at, self.now)
        yield NamedUpload(upload.object, upload.version).quoted(self.upload_bucket)
        if self.selection.is_decided:
            yield verdict.status.value
            yield who(str(verdict.decided_by), verdict.decided_by_name)
        yield verdict.claim.lane
        yield "; ".join(filter(None, (why_words(verdict), *self._obstacles(verdict))))

    def _obstacles(self, verdict: Verdict) -> Iterator[str]:
        """Why whoever asks can't decide it now."""
        hold = verdict.review_claim
        if hold is not None and hold.until > iso(self.now):
            by = "you" if hold.by == self._caller else hold.by
            yield f"held by {by} until {hold.until}"
        if verdict.recused is not None:
            yield (
                "another person has to decide, not you"
                if verdict.recused == self._caller
                else (f"not for {verdict.recused} to decide")
            )

    @cached_property
    def _caller(self) -> str:
        return reviewer(self.invocation, None).decided_by


def _title(selection: ReviewSelection) -> str:
    if selection.is_decided:
        return "Decided by people, oldest first"
    return f"{_waiting(selection)}, oldest first"


def _waiting(selection: ReviewSelection) -> str:
    return "Samples that nobody has looked at" if selection.is_sample else str(selection.status)


def _summary(selection: ReviewSelection, counted: _Counted, today: date, *, is_all: bool) -> str:
    what = f"that came into {selection.status}"
    if selection.is_decided or selection.is_sample:
        what = "decided by people" if selection.is_decided else "samples that nobody has looked at, approved"
    if counted.more:
        return f"The oldest {counted.count:,} {what} since {selection.since}; there are more (--limit)."
    if is_all:
        return f"{counted.count:,} {what} since {selection.since}, the deployment's whole time."
    days = max(1, (today - date.fromisoformat(selection.since[:10])).days)
    back = f"{days:,} {'day' if days == 1 else 'days'} back"
    return (
        f"{counted.count:,} {what} since {selection.since}, {back}. Anything older is not shown: to look further back, "
        f"use for example --since {_FURTHER * days}d."
    )
