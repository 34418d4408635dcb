"""The Analyzer's environment variables, as the template writes them and the function reads them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnalyzerEnvironment:
    """The Analyzer's configuration.

    Attributes:
        rate: calls of DetectModerationLabels per second that one instance may make, as text: if the rate depends on the
            Region, the template has a token here, which CloudFormation replaces with the number.
        chunk_queue_url: the queue for chunks that could not be finished in one run.
        priority: of the lanes whose chunks it receives.
        renderer: the name of the function that decodes pictures.
    """

    rate: str
    chunk_queue_url: str
    priority: str
    renderer: str
    work_bucket: str

    @property
    def calls_per_second(self) -> float:
        """The rate as a number, which is known only at run time."""
        return float(self.rate)

    def to_variables(self) -> dict[str, str]:
        """The variables that `read` reads; tokens stay as they are."""
        return {
            "CALLS_PER_SECOND": self.rate,
            "CHUNK_QUEUE_URL": self.chunk_queue_url,
            "PRIORITY": self.priority,
            "RENDERER": self.renderer,
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
            renderer=variables["RENDERER"],
            work_bucket=variables["WORK_BUCKET"],
        )
        float(environment.rate)  # fail here, not at the first chunk
        return environment
