"""A row of the fault table: a step, what goes wrong there, to which uploads, and what may come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.chaos.cloud import BULK_LANES
from tests.chaos.situations import Situation, uploaded
from tests.chaos.strikes import BATCHER, Document

#: In `Row.answers`: whatever the error's name is.
ANY_ERROR = "any error"


@dataclass(frozen=True, slots=True)
class Row:
    """One row. A row whose faults or switches do not strike fails.

    Attributes:
        step: who does what.
        fault: what goes wrong.
        lane: of the uploads.
        faults: armed in the local cloud once the situation is ready for them.
        switches: of the local Rekognition, set before anything is uploaded.
        answers: operation and error's name of calls of Rekognition that have to be counted, for the switches' sake.
        situation: what is done, and when the faults are armed.
        paid_again: analyses beyond one for each upload that are legitimate, in all.
        outcome: what is legitimate beside the usual, and why: of verdicts and of analyses.
        fails_with: codes of errors with which an upload may be FAILED.
        dead_letters: messages that have to end in the dead-letter queue.
        given_up: changes of verdicts that have to end in Outcomes' failure queue.
    """

    step: str
    fault: str
    lane: str = BULK_LANES[0]
    faults: tuple[Document, ...] = ()
    switches: Mapping[str, Any] = field(default_factory=dict)
    answers: tuple[tuple[str, str], ...] = ()
    situation: Situation = uploaded
    paid_again: int = 0
    outcome: str = ""
    fails_with: frozenset[str] = frozenset()
    dead_letters: int = 0
    given_up: int = 0

    @property
    def name(self) -> str:
        """Unique in the table."""
        return f"{self.step}: {self.fault} [{self.lane.rstrip('-abcdefgh') if self.lane in BULK_LANES else self.lane}]"

    @property
    def runs_beside_others(self) -> bool:
        """Whether it concerns nothing but its lane's batcher, of which there is one for each bulk lane."""
        callers = {fault.get("caller") for fault in self.faults}
        is_quiet = set(self.switches) <= {"hold_jobs"} and not self.dead_letters
        return self.lane in BULK_LANES and callers == {BATCHER} and is_quiet

    def in_lane(self, lane: str) -> "Row":
        """The same row for the uploads of another lane."""
        return replace(self, lane=lane)
