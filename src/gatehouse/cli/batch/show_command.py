"""`batch show`: shows the state of a batch, and what to do about it."""

from datetime import datetime
from typing import Annotated

import typer

from gatehouse.cli.aws.batch_execution import BatchExecution, failure_words
from gatehouse.cli.aws.execution_history import ExecutionHistory
from gatehouse.cli.aws.executions import DeployedExecutions
from gatehouse.cli.batch.batch_state import BatchState
from gatehouse.cli.batch.batch_uploads import BatchUploads
from gatehouse.cli.clock import Clock
from gatehouse.cli.failure_advice import about
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.output import Output

CLOCK = Clock()

BatchId = Annotated[
    str, typer.Argument(metavar="ID", help="`batch_id` of a verdict or a log line; the execution's name.")
]


@about_deployment
def show(
    invocation: Invocation,
    batch_id: BatchId,
) -> None:
    """Show the state of a batch's execution, its error and cause, its files, its uploads, and what to do.

    If it is retrying: which state, since when, how many times it failed, and the last error.
    """
    out, connection, found = invocation.out, invocation.connection, invocation.deployment
    state = BatchState.find(connection, found, batch_id)
    executions = DeployedExecutions(connection.client("stepfunctions"), found.state_machines)
    history = executions.history(state.execution) if state.execution else ExecutionHistory(None, ())
    retrying = [entry.to_document() for entry in history.retrying]
    out.document({**state.to_document(), "last_state": history.last_state, "retrying": retrying})
    now = CLOCK.now()
    made = (
        f", made {out.when(state.created_at, now)} by lane {state.lane}, engine {state.engine}"
        if state.lane and state.created_at
        else ""
    )
    out.say(f"Batch {state.batch_id}{made}", style="bold")
    _show_execution(out, state.execution, history, now)
    kinds = [name if count == 1 else f"{name} ({count:,})" for name, count in sorted(state.folders.items())]
    out.say(f"  files: {', '.join(kinds) or 'none'}")
    if state.uploads:
        _show_uploads(out, state.uploads)
    if retrying:
        out.say("- It retries by itself: remove the cause, and it continues.", style="yellow")
    for sentence in state.advice():
        out.say(f"- {sentence}", style="yellow")


def _show_execution(out: Output, execution: BatchExecution | None, history: ExecutionHistory, now: datetime) -> None:
    if execution is None:
        out.say("  execution: none, or expired")
        return
    until = f", stopped {out.when(execution.stopped_at, now)}" if execution.stopped_at else ""
    redrives = f", redriven {execution.redrives} times" if execution.redrives else ""
    out.say(f"  execution: {execution.status}, started {out.when(execution.started_at, now)}{until}{redrives}")
    for name, value in (("last state", history.last_state), ("error", execution.error), ("cause", execution.cause)):
        if value:
            out.say(f"    {name}: {value}")
    for entry in history.retrying:
        times = "once" if entry.failures == 1 else f"{entry.failures:,} times, last {out.when(entry.failed_at, now)}"
        error = failure_words(entry.error, entry.cause) or "without an error name"
        out.say(f"    retrying: {entry.state}, since {out.when(entry.since, now)}: failed {times}: {error}")
    out.say(f"    {execution.arn}")


def _show_uploads(out: Output, uploads: BatchUploads) -> None:
    counts = [f"{count:,} {status}" for status, count in sorted(uploads.statuses.items())]
    if uploads.elsewhere:
        counts.append(f"{uploads.elsewhere:,} taken over by another batch")
    if uploads.forgotten:
        counts.append(f"{uploads.forgotten:,} without an item (expired)")
    out.say(f"  uploads: {uploads.total:,}: {', '.join(counts) or 'none'}")
    for code, count in uploads.failures.most_common():
        sentence = about(code)
        out.say(f"    {count:,} FAILED with {code}{f': {sentence}' if sentence else ''}")
