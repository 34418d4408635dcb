"""`upload`: files into the uploads bucket, and their verdicts back."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from gatehouse.cli.aws.upload_bucket import OperatorsUploadBucket
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.cli.errors import INTERRUPTED
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.key_prefix import parse_prefix
from gatehouse.cli.output import Output
from gatehouse.cli.progress import progress
from gatehouse.cli.upload.file_upload import (
    PARALLEL,
    FileResult,
    FileUpload,
    PlannedFile,
    ensure_moderated,
    exit_code,
    planned_files,
)
from gatehouse.console import printable

CLOCK = Clock()


@about_deployment
def upload(
    invocation: Invocation,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The files to upload.")],
    prefix: Annotated[
        str,
        typer.Option(
            "--prefix", parser=parse_prefix, metavar="TEXT", help="Put in front of each file's name: incoming/."
        ),
    ] = "",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace objects that have such a key already.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the verdicts.")] = True,
    timeout: Annotated[float, typer.Option(min=0, metavar="MINUTES", help="Longest wait for all of them.")] = 30.0,
) -> None:
    """Upload files to be moderated, wait for their verdicts, and print them.

    Exits with 0 if all are APPROVED; with 1 if one is flagged (REVIEW or BLOCKED), or was not uploaded; else with 2 if
    one is UNSUPPORTED or FAILED; else with 3 if one has no verdict when the wait is over. A file's suffix says what
    type its object has.
    """
    out, connection, found = invocation.out, invocation.connection, invocation.deployment
    planned = planned_files(files, prefix)
    if wait:
        ensure_moderated(planned, DeployedLanes.find(connection, found))
    sending = FileUpload(
        OperatorsUploadBucket(connection.client("s3", PARALLEL), finds_animations=found.animation_check),
        OperatorsVerdictTable.of(connection, found, PARALLEL, is_patient=False),
        found.upload_bucket,
    )
    with progress(out.progress) as tell:
        sent, taken = sending.send(planned, overwrite=overwrite, tell=tell)
        results = [FileResult(uploaded) for uploaded in sent]
        if wait:
            try:
                results = sending.wait(sent, CLOCK, timeout * 60, tell)
            except KeyboardInterrupt as interruption:
                keys = " ".join(shlex.quote(uploaded.planned.key) for uploaded in sent)
                out.tell(
                    f"Interrupted after the upload: {keys}. The verdicts come all the same; `{COMMAND} verdict KEY "
                    "--watch` waits for one."
                )
                raise typer.Exit(INTERRUPTED) from interruption
    _show(out, results, taken, waited=wait)
    if taken:
        raise typer.Exit(1)
    if wait:
        raise typer.Exit(exit_code(results))


def _show(out: Output, results: list[FileResult], taken: list[PlannedFile], *, waited: bool) -> None:
    now = CLOCK.now()
    out.document([*map(_document, results), *({"file": str(file.path), "uploaded": False} for file in taken)])
    columns = ("Status", "Key", "Why") if waited else ("File", "Key")
    table = out.table("Uploaded", *columns, sentences={"Why"})
    for result in results:
        file = result.file.planned
        why = result.standing.why(now) if result.standing else "no batch has it yet"
        cells = (result.status or "-", file.key, why) if waited else (str(file.path), file.key)
        table.add_row(*(printable(cell) for cell in cells))
    if results:
        out.show(table)
    for file in taken:
        out.say(f"{file.path} was not uploaded: there is an object {file.key}; --overwrite replaces it.", style="red")


def _document(result: FileResult) -> dict[str, Any]:
    """A file for scripts; `status` is null while it has none."""
    uploaded = result.file
    known = result.standing.to_document(CLOCK.now(), with_history=False) if result.standing else {}
    return {
        "file": str(uploaded.planned.path),
        "uploaded": True,
        "object": uploaded.uri,
        "version_id": uploaded.stored.version_id,
        "etag": uploaded.stored.etag,
        "status": result.status and result.status.value,
        **known,
    }
