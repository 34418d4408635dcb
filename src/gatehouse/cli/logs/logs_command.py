"""`logs`: what the functions and workflows of a deployment say."""

from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from heapq import merge
from typing import Annotated

import typer

from gatehouse.cli.aws.deployed_logs import DeployedLog, LogEvent, LogReader, deployed_logs, writers
from gatehouse.cli.clock import Clock
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.logs.log_line import (
    ERROR_LEVELS,
    FAILED_RUNS,
    FAILED_TYPES,
    at,
    is_noise,
    is_wanted,
    line,
    style,
    to_document,
)
from gatehouse.cli.progress import progress
from gatehouse.cli.since import parse_since
from gatehouse.moderation.moment import iso

CLOCK = Clock()

#: Milliseconds of the first span that is read, the newest, and by how much each next one is longer.
_FIRST_SPAN = 600_000
_LONGER = 4


@about_deployment
def logs(
    invocation: Invocation,
    batch: Annotated[str | None, typer.Option(metavar="ID", help="Only lines about this batch.")] = None,
    function: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only of the functions and workflows whose name has this in it: DefaultLaneBatcher, Results, Sweeper.",
        ),
    ] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="Lines since: 12h, 30d, or an ISO date (UTC).")] = "6h",
    errors: Annotated[bool, typer.Option("--errors", help="Only errors and warnings.")] = False,
    pattern: Annotated[
        str | None,
        typer.Option(metavar="PATTERN", help="CloudWatch's filter pattern: '{ $.message = \"batch stuck\" }'."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also metrics, and Lambda's own notes of each run.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Print this many lines at most: the newest.")] = 1000,
) -> None:
    """Print what the functions and workflows logged, oldest first; the newest of them where there are very many.

    CloudWatch looks through all that was logged since then, which takes a while for days of a busy deployment. Object
    keys are never logged.
    """
    out = invocation.out
    wanted = filter_pattern(batch, pattern, errors=errors)
    oldest = datetime.fromisoformat(parse_since(since, CLOCK.now()))
    found = deployed_logs(invocation.connection.client("cloudformation"), f"{invocation.deployment.name}-pipeline")
    chosen = chosen_logs(found, function)
    reader = LogReader(invocation.connection.client("logs"))

    def entries(start: int, end: int | None) -> Iterator[LogEvent]:
        events = [reader.events(log, start, wanted, end) for log in chosen]
        return (
            event
            for event in merge(*events, key=lambda event: event.timestamp)
            if is_wanted(event, batch, errors=errors) and (everything or not is_noise(event))
        )

    with progress(out.progress) as tell:
        newest = newest_entries(entries, milliseconds(oldest), milliseconds(CLOCK.now()), limit, tell)
    now = CLOCK.now()
    out.entries(map(to_document, newest))
    for event in newest:
        out.say(line(event, out.when(at(event), now)), style(event))
    more = f" Older ones may be left out (--limit {limit})." if len(newest) == limit else ""
    if not out.json:
        out.tell(f"{len(newest):,} lines of {len(chosen)} logs since {since}.{more}")


def newest_entries(
    entries: Callable[[int, int | None], Iterator[LogEvent]],
    since: int,
    now: int,
    limit: int,
    tell: Callable[[str], None],
) -> list[LogEvent]:
    """The newest entries, oldest first, with `limit` of them in memory at most.

    CloudWatch gives the oldest first, so it is asked for spans of time, back from now, and each is longer than the one
    before: what is older than enough of them is not read.

    Args:
        entries: those between two times, oldest first; None is for whatever comes.
        since, now: milliseconds since 1970.
    """
    found: list[LogEvent] = []
    end, span = None, _FIRST_SPAN
    while True:
        start = max(since, (now if end is None else end) - span)
        tell(f"Reading logs back to {iso(datetime.fromtimestamp(start / 1000, UTC))}: {len(found):,} lines so far")
        found = [*deque(entries(start, end), maxlen=limit - len(found)), *found]
        if len(found) == limit or start == since:
            return found
        end, span = start, span * _LONGER


def milliseconds(moment: datetime) -> int:
    """Since 1970."""
    return int(moment.timestamp() * 1000)


def chosen_logs(found: list[DeployedLog], function: str | None) -> list[DeployedLog]:
    """The logs of the functions whose name has this in it, upper and lower case alike.

    Raises:
        CommandError: there are none.
    """
    chosen = [log for log in found if function is None or function.casefold() in log.writer.casefold()]
    if not chosen:
        raise CommandError(f"No function is called {function}; there are {', '.join(writers(found))}.")
    return chosen


def filter_pattern(batch: str | None, pattern: str | None, *, errors: bool) -> str:
    """One filter pattern for all that was asked for; empty for everything.

    Raises:
        CommandError: a pattern of one's own can't be combined with the others.
    """
    if pattern is not None:
        if batch is not None or errors:
            raise CommandError(
                "--pattern says it all; write batch and level into it, and leave out --batch and --errors."
            )
        return pattern
    conditions = []
    if batch is not None:
        if not batch.replace("-", "").replace("_", "").isalnum():
            raise CommandError(f"{batch!r} is no batch's id; `batch_id` of a verdict, a flag or a log line is one.")
        conditions.append(f'($.batch_id = "{batch}" || $.execution_arn = "*:{batch}")')
    if errors:
        levels = [f'$.level = "{level}"' for level in ERROR_LEVELS]
        types = [f'$.type = "*{end}"' for end in FAILED_TYPES]
        runs = [f'$.record.status = "{status}"' for status in FAILED_RUNS]
        conditions.append(f"({' || '.join((*levels, *types, *runs))})")
    return f"{{ {' && '.join(conditions)} }}" if conditions else ""
