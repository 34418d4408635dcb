"""The sweeper's environment variables, read once and typed."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Environment:
    """What the template tells the sweeper."""

    verdict_table: str
    work_bucket: str

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "Environment":
        """Read the function's variables.

        Raises:
            KeyError: one is missing; the template and the code were not deployed together.
        """
        return cls(verdict_table=variables["VERDICT_TABLE"], work_bucket=variables["WORK_BUCKET"])
