"""Where the engines differ and may: each with its reason. An entry that is no longer needed is a failure."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.second_engine.comparison import Difference


@dataclass(frozen=True, slots=True)
class KnownDifference:
    """Parts of a scenario's run that are not the same, and why that is no fault of ours."""

    scenario: str
    parts: frozenset[str]
    reason: str

    def covers(self, difference: Difference) -> bool:
        """Whether it is this one."""
        return difference.scenario == self.scenario and difference.part in self.parts


_HEARTBEAT = (
    "a heartbeat that fails is States.HeartbeatTimeout here, which AWS's table of error names has for it, and"
    " States.Timeout there; our catchers take both"
)
_FORBIDDEN = (
    "S3 models AccessDenied for one of its operations only, so the SDK of Step Functions has its base class for the"
    " others: S3.S3Exception. botocore, which names the error there, has it for all; our retriers take both"
)
_UNDEFINED = (
    "States.TaskFailed takes all errors but States.Timeout by AWS's guide, so a step whose Assign fails is tried again"
    " here; there, retriers are only asked about the call itself. The words are each engine's own"
)
_WORDS = "the error is the same, and its words are each engine's own"

KNOWN_DIFFERENCES = (
    KnownDifference("a chunk that nobody has any more", frozenset({"error", "cause", "parts", "calls"}), _HEARTBEAT),
    KnownDifference("a file that may not be read", frozenset({"error"}), _FORBIDDEN),
    KnownDifference("a file that is no JSON", frozenset({"cause", "calls"}), _UNDEFINED),
    KnownDifference("a file without what is needed", frozenset({"cause", "calls"}), _UNDEFINED),
    KnownDifference("a function that answers something else", frozenset({"cause", "calls"}), _UNDEFINED),
    KnownDifference("a file that is too large", frozenset({"cause"}), _WORDS),
)


def unknown(found: Iterable[Difference], known: Iterable[KnownDifference] = KNOWN_DIFFERENCES) -> list[Difference]:
    """The differences that no entry covers."""
    entries = tuple(known)
    return [difference for difference in found if not any(entry.covers(difference) for entry in entries)]


def unneeded(
    found: Iterable[Difference], known: Iterable[KnownDifference] = KNOWN_DIFFERENCES
) -> list[tuple[str, str]]:
    """Scenario and part of what an entry covers and no difference is."""
    seen = {(difference.scenario, difference.part) for difference in found}
    covered = {(entry.scenario, part) for entry in known for part in entry.parts}
    return sorted(covered - seen)
