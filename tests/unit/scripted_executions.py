"""Step Functions as admission sees it, with executions that end when a test says so."""

from collections import Counter
from typing import TYPE_CHECKING, Literal, cast

from gatehouse.aws.executions import Executions, Progress
from tests.unit.aws_calls import Killed

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class ScriptedExecutions(Executions):
    """Executions in memory.

    Attributes:
        progress: batch id -> where its execution stands; a test may change it.
        redrivable: whether a stopped execution may be redriven.
        redrives: batch id -> how often it was redriven.
        refused: batch ids whose redrive was asked for in vain.
        listed: how often what runs was listed.
        looked: how often a single execution was asked about.
    """

    def __init__(self) -> None:
        super().__init__(cast("SFNClient", None), "")
        self.progress: dict[str, Progress] = {}
        self.redrivable = True
        self.redrives: Counter[str] = Counter()
        self.refused: list[str] = []
        self.listed = 0
        self.looked = 0
        self._kill: Literal["before", "after"] | None = None

    def kill_start(self, when: Literal["before", "after"]) -> None:
        """Kill the caller around its next start."""
        self._kill = when

    def ensure_started(self, batch_id: str) -> Progress:
        kill, self._kill = self._kill, None
        if kill == "before":
            raise Killed("before StartExecution")
        progress = self.progress.setdefault(batch_id, Progress.RUNNING)
        if kill == "after":
            raise Killed("after StartExecution")
        return progress

    def redrive(self, batch_id: str) -> Progress:
        if self.redrivable and self.progress[batch_id] is Progress.STOPPED:
            self.redrives[batch_id] += 1
            self.progress[batch_id] = Progress.RUNNING
        else:
            self.refused.append(batch_id)
        return self.progress[batch_id]

    def running(self) -> set[str]:
        self.listed += 1
        return {batch_id for batch_id, progress in self.progress.items() if progress is Progress.RUNNING}

    def look(self, batch_id: str) -> Progress:
        self.looked += 1
        return self.progress.get(batch_id, Progress.ABSENT)
