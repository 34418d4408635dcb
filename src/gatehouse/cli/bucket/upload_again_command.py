"""`upload-again`: makes S3 send new events for objects whose events were lost."""

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from gatehouse.cli.bucket.bucket_reconciliation import UNJUDGED, ObjectStanding
from gatehouse.cli.bucket.object_copy import Copied, copy_onto_itself
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.connection import Connection
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import DryRun, Invocation, Yes, about_deployment
from gatehouse.cli.output import Output
from gatehouse.cli.progress import Countdown, progress

_PARALLEL_COPIES = 20

#: Key, and the modification time that the object must still have, or None.
_Wanted = tuple[str, str | None]


@dataclass(slots=True)
class _Done:
    """The outcomes, and the keys of the objects that could not be copied."""

    counts: Counter[Copied] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    def to_document(self) -> dict[str, Any]:
        return {**{result.value: self.counts[result] for result in Copied}, "failed_keys": self.failed}


@about_deployment
def upload_again(
    invocation: Invocation,
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY", help="Keys in the uploads bucket, or s3://bucket/key.", show_default=False),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also the unknown and other-version objects in a `reconcile --report`."),
    ] = None,
    expired: Annotated[
        bool, typer.Option("--expired", help="Also the objects in the file whose verdicts have expired.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Copy objects onto themselves: each copy is a new upload with a new event, analyzed at a cost.

    For objects that have no verdict, `moderate start` is the better way: it makes no copies, and pays once.

    Bytes, metadata, tags, storage class and encryption are kept; an ACL is not. With versioning, the copy is a new
    version. An object of a file that has changed since is left alone, so you can use the same file again. A key on the
    command line is copied each time. Exits with 1 if S3 can't copy some objects, or has no such key.
    """
    out, connection = invocation.out, invocation.connection
    if not keys and report is None:
        raise CommandError("No object is named; write keys, or --report with a file that `reconcile --report` wrote.")
    reported = _reported(report, (*UNJUDGED, ObjectStanding.EXPIRED) if expired else UNJUDGED) if report else []
    out.ensure_answerable(yes=yes or dry_run)
    found = invocation.deployment.at_rest()
    if found.gate.sets_tags:
        raise CommandError(
            f"The gate of {found.name} refuses copies, since a copy can bring a tag along. `{COMMAND} moderate start` "
            "gives objects a verdict without one; its --prefix names single ones."
        )
    wanted: list[_Wanted] = [(key.removeprefix(f"s3://{found.upload_bucket}/"), None) for key in keys or ()]
    wanted += reported
    if not dry_run:
        out.tell(f"To be copied onto themselves in {found.upload_bucket}, and analyzed at a cost: {len(wanted):,}.")
    if wanted and not (yes or dry_run):
        out.confirm()
    done = _Done()
    try:
        _copy(out, connection, found.upload_bucket, wanted, done, dry_run=dry_run)
    finally:  # report what was done, whatever ended it
        out.document({"dry_run": dry_run, "objects": len(wanted), **done.to_document()})
        _show(out, done, dry_run=dry_run)
    raise typer.Exit(1 if done.failed else 0)


def _reported(path: Path, standings: Sequence[ObjectStanding]) -> list[_Wanted]:
    """The objects of a report with one of these standings."""
    try:
        findings = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        return [
            (str(finding["key"]), str(finding["modified_at"]))
            for finding in findings
            if ObjectStanding(finding["standing"]) in standings
        ]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CommandError(f"{path} was not written by `{COMMAND} reconcile --report` ({error!r}).") from error


def _copy(
    out: Output, connection: Connection, bucket: str, wanted: Sequence[_Wanted], done: _Done, *, dry_run: bool
) -> None:
    copy = partial(copy_onto_itself, connection.client("s3", connections=_PARALLEL_COPIES), bucket, dry_run=dry_run)
    countdown = Countdown(len(wanted))
    with progress(out.progress) as tell, ThreadPoolExecutor(_PARALLEL_COPIES) as threads:
        for start in range(0, len(wanted), _PARALLEL_COPIES):
            some = wanted[start : start + _PARALLEL_COPIES]
            for result, (key, modified_at) in zip(threads.map(lambda entry: copy(*entry), some), some, strict=True):
                done.counts[result] += 1
                if result is Copied.IMPOSSIBLE or (result is Copied.CHANGED and modified_at is None):
                    done.failed.append(key)
            count = start + len(some)
            tell(f"Processed {count:,} of {len(wanted):,}{countdown.after(count)}")


def _show(out: Output, done: _Done, *, dry_run: bool) -> None:
    if copied := done.counts[Copied.COPIED]:
        what = "Would be copied onto themselves, and analyzed at a cost" if dry_run else "Copied onto themselves"
        out.say(f"{what}: {copied:,}.", style="green")
    if changed := done.counts[Copied.CHANGED]:
        out.say(f"Left alone, because they are gone or have been written since: {changed:,}.")
    if impossible := done.counts[Copied.IMPOSSIBLE]:
        out.say(f"S3 can't copy these, which are archived or too large; upload them again: {impossible:,}.")
    if done.failed:
        out.tell("Would not be copied:" if dry_run else "Not copied:")
        for key in done.failed:
            out.tell(f"  {key}")
