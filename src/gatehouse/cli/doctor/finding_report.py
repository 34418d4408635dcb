"""How a finding is shown to people, by `doctor` and by `gate check`."""

from typing import Final

from gatehouse.cli.doctor.finding import Finding, Health
from gatehouse.cli.output import Output

_MARKS: Final = {
    Health.OK: ("ok", "green"),
    Health.WARNING: ("look", "yellow"),
    Health.BROKEN: ("BROKEN", "red"),
    Health.UNKNOWN: ("?", "yellow"),
}


def show_finding(out: Output, finding: Finding) -> None:
    """Show a finding, with the lines to paste."""
    mark, style = _MARKS[finding.health]
    out.say(f"{mark:>6}  {finding.check}: {finding.text}", style)
    for line in finding.fix:
        out.paste(f"          {line}")
