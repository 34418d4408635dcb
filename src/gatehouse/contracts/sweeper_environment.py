"""The sweeper's environment variables, as the template writes them and the function reads them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SweeperEnvironment:
    """The sweeper's configuration; the lanes are in its schedule's event, which may be longer."""

    verdict_table: str
    work_bucket: str

    def to_variables(self) -> dict[str, str]:
        """The variables that `read` reads; tokens stay as they are."""
        return {"VERDICT_TABLE": self.verdict_table, "WORK_BUCKET": self.work_bucket}

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "SweeperEnvironment":
        """Read the function's variables.

        Raises:
            KeyError: one is missing; the template and the code were not deployed together.
        """
        return cls(verdict_table=variables["VERDICT_TABLE"], work_bucket=variables["WORK_BUCKET"])
