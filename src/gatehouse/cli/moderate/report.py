"""How far a moderation is, for people."""

from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.moderate.moderation import Moderation, Phase, Skipped
from gatehouse.cli.moderate.send_run import duration
from gatehouse.cli.output import Output
from gatehouse.console import printable

CLOCK = Clock()

_WHY = {
    Skipped.NO_LANE: "outside every lane",
    Skipped.TOO_YOUNG: "too young, and left to their events",
    Skipped.KNOWN: "known already",
    Skipped.UNCONFIRMABLE: "not confirmable: multipart uploads without a version",
    Skipped.UNREADABLE: "with an item that another version wrote, or a hand",
}


def show(out: Output, moderation: Moderation) -> None:
    """Print the counts."""
    began = out.when(moderation.started_at, CLOCK.now())
    table = out.table(f"Moderation of {began}: {moderation.phase}", "Objects", "Count")
    table.add_row("listed", f"{moderation.listed:,}")
    for why, words in _WHY.items():
        if count := moderation.skipped[why.value]:
            table.add_row(words, f"{count:,}")
    for lane, count in sorted(moderation.by_lane.items()):
        table.add_row(f"to be moderated, lane {printable(lane)}", f"{count:,}")
    for status, count in sorted(moderation.statuses.items()):
        table.add_row(status, f"{count:,}")
    if moderation.without_verdict:
        table.add_row("without a verdict", f"{moderation.without_verdict:,}")
    out.show(table)
    if moderation.objects:
        out.say(f"{price(moderation)} at list price, if all of them are analyzed.")
    if moderation.phase in (Phase.RUNNING, Phase.PAUSED):
        out.say(f"Moderated {moderation.done:,} of {moderation.objects:,}{_speed(moderation)}.")
    _name(out, "No lane takes", moderation.named, moderation.skipped[Skipped.NO_LANE.value])
    without = "Sent, but gone, overwritten, too close to another upload, or in the backfill's dead-letter queue"
    _name(out, without, moderation.without, moderation.without_verdict)
    if moderation.phase in (Phase.RUNNING, Phase.PAUSED):
        out.say(f"If no command goes on with it, `{COMMAND} moderate resume` does.")


def price(moderation: Moderation) -> str:
    """What all objects cost, from the least to the most."""
    least, most = f"{moderation.cost:,.2f}", f"{moderation.most_cost:,.2f}"
    return f"{least} USD" if moderation.most_calls <= moderation.least_calls else f"{least} to {most} USD"


def _speed(moderation: Moderation) -> str:
    """How fast it was while a command ran, and what is left at that speed."""
    left = moderation.objects - moderation.done
    if not (moderation.done and moderation.running_seconds and left):
        return ""
    rate = moderation.done / moderation.running_seconds
    return f", {rate:,.1f} a second while a command ran, so about {duration(left / rate)} left"


def _name(out: Output, title: str, keys: list[str], count: int) -> None:
    if keys:
        out.say(f"{title}: {count:,}.")
        for key in keys:
            out.say(f"  {key}")
        if count > len(keys):
            out.say(f"  ... and {count - len(keys):,} more")
