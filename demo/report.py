"""Shows verdicts and flags as tables: in color on a terminal, as plain text elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from gatehouse.console import printable, spelled_out
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import STATUS

_STYLES = {
    Status.APPROVED: "green",
    Status.REVIEW: "yellow",
    Status.BLOCKED: "bold red",
    Status.UNSUPPORTED: "dim",
    Status.FAILED: "magenta",
    Status.PENDING: "cyan",
}


def verdict_table(items: Sequence[Mapping[str, Any]], *, plain: bool) -> Table:
    """Verdict items as a table: upload, verdict, why, content types."""
    table = _table("Verdicts, read from the verdict table", plain=plain)
    table.add_column("Upload", overflow="fold", ratio=4)
    table.add_column("Verdict", no_wrap=True)
    table.add_column("Why", overflow="fold", ratio=5)
    table.add_column("Content types", overflow="fold", ratio=3)
    for item in items:
        status = Status(item[STATUS])
        table.add_row(
            printable(item["key"]), Text(status, _STYLES[status]), Text(why(item)), Text(_content_types(item))
        )
    return table


def flag_table(flags: Sequence[Mapping[str, Any]], *, plain: bool) -> Table:
    """Flags as a table: upload, status, labels."""
    table = _table("Flags, received by a queue that is subscribed to statuses REVIEW and BLOCKED", plain=plain)
    table.add_column("Upload", overflow="fold", ratio=3)
    table.add_column("Status", no_wrap=True)
    table.add_column("Labels", overflow="fold", ratio=7)
    for flag in flags:
        status = Status(flag["status"])
        table.add_row(printable(flag["object"]["key"]), Text(status, _STYLES[status]), Text(_labels(flag)))
    return table


def _table(title: str, *, plain: bool) -> Table:
    return Table(title=title, title_justify="left", box=box.ASCII2 if plain else box.ROUNDED, expand=True)


def why(item: Mapping[str, Any]) -> str:
    """What decided: the rule that fired, the error, or that nothing was found."""
    if error := item.get("error"):
        return spelled_out(f"{error['code']}: {error['message']}")
    if reasons := item.get("reasons"):
        return "\n".join(_reason(reason) for reason in reasons)
    if item.get("labels"):
        return f"below every threshold, or allowed: {_labels(item)}"
    return "no labels"


def _reason(reason: Mapping[str, Any]) -> str:
    confidence, threshold = number(reason["confidence"]), number(reason["threshold"])
    return spelled_out(f"{reason['label']} {confidence} ≥ {threshold} (rule {reason['rule']})")


def _labels(document: Mapping[str, Any]) -> str:
    return _found(document.get("labels", []))


def _content_types(item: Mapping[str, Any]) -> str:
    return _found(item.get("content_types", []))


def _found(entries: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{spelled_out(entry['name'])} {number(entry['confidence'])}" for entry in entries)


def number(value: Any) -> str:
    """A confidence with one decimal place at most."""
    return f"{float(value):.1f}".removesuffix(".0")
