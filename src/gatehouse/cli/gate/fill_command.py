"""`gate fill`: tags for what was approved before there was a gate."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from gatehouse.aws.verdict_table import identity_of
from gatehouse.cli.aws.verdict_table import PARALLEL_QUERIES, OperatorsVerdictTable, Selection
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.gate.deployed_gate import with_gate
from gatehouse.cli.invocation import DryRun, Invocation, Yes, about_deployment
from gatehouse.cli.progress import progress
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import OBJECT, VERSION

CLOCK = Clock()

#: USD: a write to the table, and a tag that is set and kept for a month (us-east-1; docs/cost.md counts them).
_PRICE = 0.000_006_98


@dataclass(slots=True)
class _Filled:
    """Verdicts so far: found, and asked about."""

    found: int = 0
    asked: int = 0

    def to_document(self) -> dict[str, Any]:
        return {"approved": self.found, "asked": self.asked}


@about_deployment
def fill(
    invocation: Invocation,
    again: Annotated[
        bool, typer.Option("--again", help="Also what was asked for before, such as before a gate was removed.")
    ] = False,
    rate: Annotated[
        int, typer.Option(min=1, metavar="N", help="Verdicts a second: more delays the flags of decisions meanwhile.")
    ] = 100,
    segments: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Parts of the table read at once.")] = 4,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Have every approved version tagged that has a verdict from before the gate.

    Writes into each verdict that its tag is asked for; Outcomes sets the tags, from the table's stream. Reads the whole
    table. May be interrupted and run again: what was asked for is not asked for twice.
    """
    out, connection = invocation.out, invocation.connection
    deployment = with_gate(invocation.deployment)
    if not (yes or dry_run):
        out.tell(
            f"A tag for each approved version of {deployment.upload_bucket}: about {_PRICE * 1_000_000:.2f} USD for a "
            "million of them, and in each further month what S3 charges for tags."
        )
        out.confirm()
    table = OperatorsVerdictTable.of(connection, deployment, PARALLEL_QUERIES + segments)
    selection = Selection(statuses=(Status.APPROVED,), gate_not_asked=not again)
    done = _Filled()
    try:
        with progress(out.progress) as tell, ThreadPoolExecutor(PARALLEL_QUERIES) as threads:
            began = CLOCK.monotonic()
            pages = table.scan(selection, segments=segments, consistent=True, attributes=(OBJECT, VERSION))
            for items in pages:
                done.found += len(items)
                if not dry_run:
                    now = iso(CLOCK.now())
                    done.asked += sum(threads.map(lambda item: table.ask_gate(identity_of(item), now), items))  # noqa: B023 - used at once
                    CLOCK.pause(max(0.0, done.found / rate - (CLOCK.monotonic() - began)))
                tell(f"Asking for tags: {done.found:,} approved verdicts so far")
    finally:
        out.document({"dry_run": dry_run, **done.to_document()})
        if dry_run:
            out.say(f"Would be asked for: the tags of {done.found:,} approved versions.")
        else:
            out.say(f"Asked for the tags of {done.asked:,} approved versions.", style="green")
            out.say(f"Outcomes sets them, a hundred or so a second; `{COMMAND} gate check` says when all have theirs.")
