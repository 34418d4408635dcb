"""`batch list`: which batches failed, were stopped, or are running."""

from typing import Annotated

import typer

from cli.batch_executions import BatchExecutions, Ending
from cli.clock import Clock
from cli.connection import Connection, DeploymentName, EndpointUrl, Profile, Region
from cli.deployment import Deployment
from cli.output import Format, Output, OutputFormat
from cli.since import parse_since
from local.report import printable


def list_batches(
    status: Annotated[
        list[Ending] | None,
        typer.Option(help="Only these; may be given more than once.", show_default="failed and aborted"),
    ] = None,
    since: Annotated[
        str,
        typer.Option(metavar="TIME", help="Only what ended (or began and runs) since: 12h, 30d, or an ISO date (UTC)."),
    ] = "7d",
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    deployment: DeploymentName = None,
    output: OutputFormat = Format.TABLE,
) -> None:
    """List batches by what became of their executions, the latest first. Step Functions remembers 90 days.

    A failed one that was redriven runs again, and is listed so. `batch show` of one says what failed, and what to do.
    """
    out = Output.of(output)
    connection = Connection(profile, region, endpoint_url)
    oldest = parse_since(since, Clock().now())
    found = Deployment.find(connection, deployment)
    executions = BatchExecutions(connection.client("stepfunctions"), found.state_machines)
    endings = list(dict.fromkeys(status or [Ending.FAILED, Ending.ABORTED]))
    listed = sorted(
        (execution for execution in executions.listed(endings) if execution.changed_at >= oldest),
        key=lambda execution: execution.changed_at,
        reverse=True,
    )
    out.document([execution.to_document() for execution in listed])
    if not listed:
        out.say(f"No batch is {' or '.join(endings)} since {oldest}.")
        return
    table = out.table("Batches, the latest first", "Batch", "Status", "Workflow", "Started", "Stopped", "Redriven")
    for execution in listed:
        table.add_row(
            printable(execution.batch_id),
            execution.status,
            execution.workflow,
            execution.started_at,
            execution.stopped_at or "",
            str(execution.redrives or ""),
        )
    out.show(table)
    out.say("`./gatehouse batch show` with one's id says what failed, and what to do.")
