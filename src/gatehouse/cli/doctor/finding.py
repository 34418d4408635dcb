"""What one check of `doctor` found, with the commands that mend it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Health(StrEnum):
    """How bad it is. Only what is broken makes `doctor` fail."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"
    #: It could not be looked at.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        check: what was looked at: `eventbridge`.
        text: what was found, and what follows from it.
        fix: lines to paste, or to write into gatehouse.yaml.
    """

    check: str
    health: Health
    text: str
    fix: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """The finding for scripts."""
        return {"check": self.check, "health": self.health.value, "text": self.text, "fix": list(self.fix)}
