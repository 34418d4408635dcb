"""`moderate start`: moderates objects that were in the bucket before."""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import DryRun, Invocation, Yes, about_deployment
from gatehouse.cli.key_prefix import KeyPrefix
from gatehouse.cli.moderate.going_on import backfill_of, count, files_of, intention, inventory_of, send
from gatehouse.cli.moderate.moderation import OVER, Moderation
from gatehouse.cli.moderate.moderation_files import MovedError
from gatehouse.cli.moderate.object_selection import ObjectSelection
from gatehouse.cli.moderate.report import show
from gatehouse.cli.since import parse_since
from gatehouse.moderation.moment import iso

CLOCK = Clock()

#: Of `--min-age`.
HOUR_SECONDS = 3600.0

MaxCost = Annotated[
    float | None,
    typer.Option(min=0, metavar="USD", help="Send nothing if it could cost more.", show_default="any"),
]
InventoryManifest = Annotated[
    Path | None,
    typer.Option(
        "--inventory",
        metavar="MANIFEST",
        help="Read the objects from a downloaded S3 Inventory (CSV), by its manifest.json, instead of listing.",
    ),
]
#: EventBridge tries to deliver an event for a day (S3 User Guide, EventBridge.html).
MinAge = Annotated[
    int,
    typer.Option(min=1, metavar="HOURS", help="Leave younger objects to their events, which may still come."),
]


@about_deployment
def start(
    invocation: Invocation,
    prefix: KeyPrefix = "",
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only objects modified since: 12h, 30d, or an ISO date (UTC)."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only objects modified until then; the same forms.")
    ] = None,
    suffix: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Only keys that end with this, ignoring case; may be given more than once."),
    ] = None,
    larger: Annotated[int | None, typer.Option(min=0, metavar="BYTES", help="Only larger objects.")] = None,
    smaller: Annotated[int | None, typer.Option(min=0, metavar="BYTES", help="Only smaller objects.")] = None,
    inventory: InventoryManifest = None,
    min_age: MinAge = 24,
    max_cost: MaxCost = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Moderate objects that were in the bucket before, without copying them. What is known already is skipped.

    First counts the objects and says what they cost at most and how long they take: what may have several frames, by
    its suffix or for lack of one, counts with as many calls as its lane's `max_frames`. Then sends them, never far
    ahead of what is judged, and stays until all have ended; `moderate resume` goes on after an interruption, from any
    machine. Each is judged by the lane that its key belongs to. There is one moderation at a time. Exits with 3 if
    objects were sent that have no verdict at the end, or if another command stopped this one.
    """
    out, now = invocation.out, CLOCK.now()
    out.ensure_answerable(yes=yes or dry_run)
    selection = ObjectSelection(
        prefix=prefix,
        since=parse_since(since, now) if since else None,
        until=parse_since(until, now, "--until") if until else iso(now),
        suffixes=tuple(suffix or ()),
        larger=larger,
        smaller=smaller,
    )
    backfill = backfill_of(invocation.deployment.at_rest())
    moderation = Moderation.new(selection, iso(now), str(inventory) if inventory else None)
    if inventory:
        moderation.inventory_mark = inventory_of(invocation, inventory).mark
    moderation.young = iso(now - timedelta(seconds=min_age * HOUR_SECONDS))
    if dry_run:
        count(invocation, moderation, None, inventory)
        out.tell(intention(moderation, backfill))
        out.document({"dry_run": True, **moderation.to_document()})
        show(out, moderation)
        return
    files = files_of(invocation)
    standing = files.read()
    if standing and standing.phase not in OVER:
        raise CommandError(
            f"A moderation of {standing.started_at} is not over; go on with it by `{COMMAND} moderate resume`, or drop "
            f"it by `{COMMAND} moderate cancel`."
        )
    moderation.holder = uuid.uuid4().hex
    try:
        files.save(moderation)
        count(invocation, moderation, files, inventory)
    except MovedError as error:
        raise CommandError(
            f"Another command began at the same time, or ended this one; see `{COMMAND} moderate status`."
        ) from error
    send(invocation, moderation, files, max_cost=max_cost, yes=yes)
