"""The Analyzer's environment variables, read once and typed."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Environment:
    """What the template tells the Analyzer.

    Attributes:
        calls_per_second: of DetectModerationLabels, that one instance may make.
        chunk_queue_url: where a chunk is put back that could not be finished in one run.
    """

    calls_per_second: float
    chunk_queue_url: str
    priority: str
    work_bucket: str

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "Environment":
        """Read the function's variables.

        Raises:
            KeyError, ValueError: one is missing or malformed; the template and the code were not deployed together.
        """
        return cls(
            calls_per_second=float(variables["CALLS_PER_SECOND"]),
            chunk_queue_url=variables["CHUNK_QUEUE_URL"],
            priority=variables["PRIORITY"],
            work_bucket=variables["WORK_BUCKET"],
        )
