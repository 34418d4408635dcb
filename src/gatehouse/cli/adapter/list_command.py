"""`adapter list`: the account's adapters, and those that need somebody."""

from gatehouse.cli.aws.adapters import DEPRECATED, EXPIRED, Adapters
from gatehouse.cli.clock import Clock
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.console import printable

CLOCK = Clock()


@about_deployment
def list_adapters(invocation: Invocation) -> None:
    """List the Custom Moderation adapters of the account and Region, and say which are deprecated or expired."""
    out, now = invocation.out, CLOCK.now()
    found = list(Adapters.of(invocation.connection).listed())
    out.document([adapter.to_document() for adapter in found])
    if not found:
        out.say("No adapter.")
        return
    columns = ("Project", "Adapter", "Status", "Created", "Base model", "F1", "Retrained by AWS")
    table = out.table("Adapters", *columns)
    for adapter in found:
        f1 = "" if adapter.f1 is None else f"{adapter.f1:.3f}"
        cells = (adapter.project, adapter.version, adapter.status, out.when(adapter.created_at, now))
        others = (adapter.base_model or "", f1, (adapter.auto_update or "").lower())
        table.add_row(*map(printable, (*cells, *others)))
    out.show(table)
    for adapter in found:
        if adapter.status == DEPRECATED:
            out.say(
                f"{adapter.arn} was trained on an older base model, and expires 60 to 90 days after the new one's "
                "release: train it again.",
                style="yellow",
            )
        elif adapter.status == EXPIRED:
            out.say(
                f"{adapter.arn} has expired: Rekognition ignores it in silence, and what a lane with it approves ends "
                "FAILED. Train it again, or write `adapter: null`.",
                style="red",
            )


def settings_line(arn: str) -> str:
    """What to write into gatehouse.yaml, for a lane."""
    return f"  adapter: {arn}"
