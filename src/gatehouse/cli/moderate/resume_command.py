"""`moderate resume`: goes on with a moderation."""

import uuid
from pathlib import Path

from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, Yes, about_deployment
from gatehouse.cli.moderate.going_on import count, files_of, inventory_of, send
from gatehouse.cli.moderate.moderation import OVER, Moderation, Phase
from gatehouse.cli.moderate.moderation_files import MovedError
from gatehouse.cli.moderate.start_command import InventoryManifest, MaxCost


@about_deployment
def resume(
    invocation: Invocation, inventory: InventoryManifest = None, max_cost: MaxCost = None, yes: Yes = False
) -> None:
    """Go on with a moderation that was paused or interrupted, on this machine or another.

    A command that still runs stops: this one takes over. If it was interrupted while it counted an inventory, name the
    same manifest. What was sent is not sent again, but for a part of a thousand at most, which is recognized.
    """
    files = files_of(invocation)
    moderation = files.read()
    if moderation is None or moderation.phase in OVER:
        raise CommandError(f"There is no moderation to go on with; begin one with `{COMMAND} moderate start`.")
    if moderation.phase in (Phase.COUNTING, Phase.COUNTED):
        invocation.out.ensure_answerable(yes=yes)
    invocation.deployment.at_rest()
    if moderation.phase is Phase.COUNTING and moderation.inventory is not None:
        _ensure_same(invocation, moderation, moderation.inventory, inventory)
    moderation.holder = uuid.uuid4().hex
    try:
        files.save(moderation)
        if moderation.phase is Phase.COUNTING:
            count(invocation, moderation, files, inventory if moderation.inventory else None)
    except MovedError as error:
        raise CommandError(
            f"Another command changed the moderation at the same time; see `{COMMAND} moderate status`."
        ) from error
    send(invocation, moderation, files, max_cost=max_cost, yes=yes)


def _ensure_same(invocation: Invocation, moderation: Moderation, counted: str, named: Path | None) -> None:
    """That the inventory is the one that was being counted: how many of its objects were read says nothing of others.

    Raises:
        CommandError: it is another one, or none is named.
    """
    if named is None:
        raise CommandError(f"It was counting the inventory of {counted}; name it with --inventory.")
    if moderation.inventory_mark not in (None, inventory_of(invocation, named).mark):
        raise CommandError(
            f"{named} is another inventory than {counted}, which was being counted; name that one, or "
            f"`{COMMAND} moderate cancel` and start anew."
        )
