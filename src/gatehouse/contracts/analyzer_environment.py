"""The Analyzer's environment variables, as the template writes them and the function reads them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnalyzerEnvironment:
    """What the template tells the Analyzer.

    Attributes:
        rate: calls of DetectModerationLabels a second that one instance may make, as text: where the rate depends on
            the Region, a template holds a token here, and CloudFormation puts the number in its place.
        chunk_queue_url: where a chunk is put back that could not be finished in one run.
        priority: of the lanes whose chunks it gets.
    """

    rate: str
    chunk_queue_url: str
    priority: str
    work_bucket: str

    @property
    def calls_per_second(self) -> float:
        """The rate as a number; only a function that runs knows it."""
        return float(self.rate)

    def to_variables(self) -> dict[str, str]:
        """The variables that `read` reads; tokens stay as they are."""
        return {
            "CALLS_PER_SECOND": self.rate,
            "CHUNK_QUEUE_URL": self.chunk_queue_url,
            "PRIORITY": self.priority,
            "WORK_BUCKET": self.work_bucket,
        }

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "AnalyzerEnvironment":
        """Read the function's variables.

        Raises:
            KeyError, ValueError: one is missing or malformed; the template and the code were not deployed together.
        """
        environment = cls(
            rate=variables["CALLS_PER_SECOND"],
            chunk_queue_url=variables["CHUNK_QUEUE_URL"],
            priority=variables["PRIORITY"],
            work_bucket=variables["WORK_BUCKET"],
        )
        float(environment.rate)  # a malformed one fails here, not with the first chunk
        return environment
