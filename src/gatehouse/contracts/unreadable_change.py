"""The message of the failure queue about a change that Outcomes could not read."""

import json
from dataclasses import dataclass
from typing import Final

from gatehouse.moderation.document import of_kind, text

_MEMBER: Final = "unreadable"
_LONGEST_PROBLEM: Final = 500


@dataclass(frozen=True, slots=True)
class UnreadableChange:
    """Which item it is about.

    Attributes:
        object, version: the item's key.
        problem: what is wrong with it.
    """

    object: str
    version: str
    problem: str

    def to_text(self) -> str:
        """The message's body."""
        document = {"object": self.object, "version": self.version, "problem": self.problem[:_LONGEST_PROBLEM]}
        return json.dumps({_MEMBER: document}, separators=(",", ":"))

    @classmethod
    def parse(cls, body: str) -> "UnreadableChange | None":
        """Read a message of the queue. Returns None for one that Lambda sent.

        Raises:
            ValueError, TypeError, KeyError: it is neither.
        """
        message = of_kind(json.loads(body), dict)
        if _MEMBER not in message:
            return None
        return cls(*(text(message[_MEMBER][name]) for name in ("object", "version", "problem")))
