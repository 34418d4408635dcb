"""`logs`: what the functions and workflows of a deployment say."""

from collections.abc import Iterator
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Annotated

import typer

from gatehouse.cli.aws.deployed_logs import DeployedLog, LogEvent, LogReader, deployed_logs, writers
from gatehouse.cli.clock import Clock
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.logs.log_line import ERROR_LEVELS, is_noise, is_wanted, line, style, to_document
from gatehouse.cli.since import parse_since

CLOCK = Clock()


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
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Print this many lines at most.")] = 1000,
) -> None:
    """Print what the functions and workflows logged, oldest first.

    CloudWatch looks through all that was logged since then, which takes a while for days of a busy deployment. Object
    keys are never logged.
    """
    out = invocation.out
    wanted = filter_pattern(batch, pattern, errors=errors)
    oldest = datetime.fromisoformat(parse_since(since, CLOCK.now()))
    found = deployed_logs(invocation.connection.client("cloudformation"), f"{invocation.deployment.name}-pipeline")
    chosen = chosen_logs(found, function)
    reader = LogReader(invocation.connection.client("logs"))
    events = [reader.events(log, int(oldest.timestamp() * 1000), wanted) for log in chosen]
    wanted_entries = (
        event
        for event in merge(*events, key=lambda event: event.timestamp)
        if is_wanted(event, batch, errors=errors) and (everything or not is_noise(event))
    )
    entries: Iterator[LogEvent] = islice(wanted_entries, limit)
    if out.json:
        out.entries(map(to_document, entries))
        return
    count = 0
    for event in entries:
        out.say(line(event), style(event))
        count += 1
    more = " There may be more (--limit)." if count == limit else ""
    out.tell(f"{count:,} lines of {len(chosen)} logs since {since}.{more}")


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
        conditions.append(f'$.batch_id = "{batch}"')
    if errors:
        levels = " || ".join(f'$.level = "{level}"' for level in ERROR_LEVELS)
        conditions.append(f"({levels})")
    return f"{{ {' && '.join(conditions)} }}" if conditions else ""
