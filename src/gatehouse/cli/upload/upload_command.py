"""`upload`: files into the uploads bucket, and their verdicts back."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from gatehouse.cli.aws.upload_bucket import OperatorsUploadBucket
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.cli.errors import INTERRUPTED, user_message
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.key_prefix import parse_prefix
from gatehouse.cli.output import Output, say
from gatehouse.cli.progress import progress
from gatehouse.cli.upload.file_upload import (
    NO_ANSWER,
    PARALLEL,
    FileResult,
    FileUpload,
    PlannedFile,
    UploadedFile,
    ensure_moderated,
    exit_code,
    planned_files,
)
from gatehouse.console import console_for, printable

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

    An object that has the file's bytes already is taken as uploaded, so the same command may be run again after an
    interruption. Exits with 0 if all are APPROVED; with 4 if a file was not uploaded, AWS refused or the usage is
    wrong; else with 1 if one is flagged (REVIEW or BLOCKED); else with 2 if one is UNSUPPORTED or FAILED; else with 3
    if one has no verdict when the wait is over. A file's suffix says what type its object has.
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
    sent: list[UploadedFile] = []
    with progress(out.progress) as tell:
        try:
            taken = sending.send(planned, sent, overwrite=overwrite, tell=tell)
        except KeyboardInterrupt as interruption:
            out.tell(f"Interrupted. {_in_the_bucket(sent, planned)}")
            raise typer.Exit(INTERRUPTED) from interruption
        except Exception:
            out.tell(_in_the_bucket(sent, planned))
            raise
        results = [FileResult(uploaded) for uploaded in sent]
        if wait:
            try:
                results = sending.wait(sent, CLOCK, timeout * 60, tell)
            except KeyboardInterrupt as interruption:
                out.tell(
                    f"Interrupted after the upload: {_keys(sent)}. The verdicts come all the same; `{COMMAND} verdict "
                    "KEY --watch` waits for one, and so does the same command again."
                )
                raise typer.Exit(INTERRUPTED) from interruption
    _show(out, results, taken, waited=wait)
    if taken:
        raise typer.Exit(NO_ANSWER)
    if wait:
        raise typer.Exit(exit_code(results))


class UploadCommand(TyperCommand):
    """Ends with an exit code of its own where there is no answer, so that a script does not take it for a verdict."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Read the command line."""
        try:
            return super().make_context(*arguments, **options)
        except typer.TyperException as error:
            error.exit_code = NO_ANSWER
            raise

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except Exception as error:
            sentence = user_message(error)
            if sentence is None:
                raise
            say(console_for(sys.stderr), sentence, style="red")
            raise typer.Exit(NO_ANSWER) from error


def _in_the_bucket(sent: list[UploadedFile], planned: list[PlannedFile]) -> str:
    there = f"In the bucket: {len(sent):,} of {len(planned):,}: {_keys(sent)}" if sent else "Nothing was uploaded"
    return f"{there}. Run the same command again: what is there with the same bytes is taken as uploaded."


def _keys(sent: list[UploadedFile]) -> str:
    return " ".join(shlex.quote(uploaded.planned.key) for uploaded in sent)


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
        out.say(
            f"{file.path} was not uploaded: there is an object {file.key} with other bytes; --overwrite replaces it.",
            style="red",
        )


def _document(result: FileResult) -> dict[str, Any]:
    """A file for scripts; `status` is null while it has none."""
    uploaded = result.file
    known = result.standing.to_document(CLOCK.now(), with_history=False) if result.standing else {}
    return {
        "file": str(uploaded.planned.path),
        "uploaded": True,
        "was_there": uploaded.was_there is not None,
        "object": uploaded.uri,
        "version_id": uploaded.stored.version_id,
        "etag": uploaded.stored.etag,
        "status": result.status and result.status.value,
        **known,
    }
