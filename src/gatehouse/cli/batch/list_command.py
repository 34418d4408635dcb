"""`batch list`: lists batches that failed, were stopped, are running, or hold FAILED uploads."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any

import typer

from gatehouse.cli.aws.batch_execution import ExecutionEnding, ListedExecution
from gatehouse.cli.aws.executions import DeployedExecutions
from gatehouse.cli.batch.failed_uploads import FailedBatch, FailedSelection, FailedUploads, by_batch, code_words
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.output import Output
from gatehouse.cli.progress import progress
from gatehouse.cli.since import parse_since
from gatehouse.console import printable

CLOCK = Clock()


@about_deployment
def list_batches(
    invocation: Invocation,
    status: Annotated[
        list[ExecutionEnding] | None,
        typer.Option(help="Only these; may be given more than once.", show_default="all but running"),
    ] = None,
    since: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="Only batches that started, ended or failed since: 12h, 30d, or an ISO date (UTC)."
        ),
    ] = "7d",
) -> None:
    """List batches by the outcome of their executions, and those that hold FAILED uploads, the latest first.

    An execution that succeeded may have left FAILED uploads. A failed one that was redriven is listed as running. Step
    Functions keeps executions for 90 days. `batch show` says what failed in a batch, and what to do.
    """
    out, connection = invocation.out, invocation.connection
    now = CLOCK.now()
    oldest = parse_since(since, now)
    found = invocation.deployment
    endings = list(
        dict.fromkeys(status or [ExecutionEnding.FAILED, ExecutionEnding.ABORTED, ExecutionEnding.FAILED_UPLOADS])
    )
    executions = DeployedExecutions(connection.client("stepfunctions"), found.state_machines)
    with progress(out.progress, first="Listing executions"):
        listed = sorted(
            (execution for execution in executions.listed(endings) if execution.changed_at >= oldest),
            key=lambda execution: execution.changed_at,
            reverse=True,
        )
    failed: dict[str, FailedBatch] = {}
    if ExecutionEnding.FAILED_UPLOADS in endings:
        with progress(out.progress, first="Reading the index") as tell:
            uploads = FailedUploads.of(connection, found, CLOCK)
            failed = by_batch(uploads.find(FailedSelection(oldest), now.date(), tell))
    out.document(_documents(listed, failed))
    if not listed and not failed:
        *others, last = (ending.words for ending in endings)
        out.say(f"No batch is {', '.join(others)}{' or ' if others else ''}{last} since {oldest}.")
        return
    if listed:
        _show_executions(out, listed, now)
    if failed:
        _show_failed(out, failed)
    out.say(f"`{COMMAND} batch show` with an id says what failed, and what to do.")
    if failed:
        retry = f"`{COMMAND} retry --status FAILED --since {since}`"
        out.say(f"Once the cause is gone, {retry} analyzes the FAILED uploads of all of them again.")


def _documents(listed: Sequence[ListedExecution], failed: Mapping[str, FailedBatch]) -> list[dict[str, Any]]:
    """A document for each batch: its execution, if that is listed, and its failed uploads."""
    unlisted: dict[str, Any] = dict.fromkeys(field.name for field in fields(ListedExecution))
    executions = {execution.batch_id: execution.to_document() for execution in listed}
    documents = []
    for batch_id in dict.fromkeys((*executions, *failed)):
        batch = failed.get(batch_id, FailedBatch())
        failures = {"failed_uploads": dict(batch.codes.most_common()), "failed_at": batch.failed_at or None}
        documents.append({**unlisted, "batch_id": batch_id, **executions.get(batch_id, {}), **failures})
    return documents


def _show_executions(out: Output, listed: Sequence[ListedExecution], now: datetime) -> None:
    table = out.table("Executions, the latest first", "Batch", "Status", "Since")
    for execution in listed:
        table.add_row(printable(execution.batch_id), execution.status, out.when(execution.changed_at, now))
    out.show(table)


def _show_failed(out: Output, failed: Mapping[str, FailedBatch]) -> None:
    total: Counter[str] = Counter()
    table = out.table("Batches with FAILED uploads, the latest first", "Batch", "FAILED", "Codes", sentences={"Codes"})
    for batch_id, batch in failed.items():
        total += batch.codes
        table.add_row(printable(batch_id), f"{batch.codes.total():,}", printable(code_words(batch.codes)))
    out.show(table)
    out.say(f"{total.total():,} FAILED uploads in {len(failed):,} batches: {code_words(total)}.", style="yellow")
