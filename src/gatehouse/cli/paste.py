"""Commands to paste: they go where the command that prints them went."""

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatehouse.cli.command_name import COMMAND

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection


@dataclass(frozen=True, slots=True)
class Paste:
    """Writes commands with the profile, Region, endpoint and deployment that somebody chose on the command line.

    What they chose in variables or files is chosen for a pasted command, too.
    """

    connection: "Connection"
    deployment_name: str | None = None

    def aws(self, line: str) -> str:
        """A command of the AWS CLI: what is typed behind `aws`.

        It names the Region of AWS_REGION, too: version 1 of the AWS CLI does not read that.
        """
        named = os.environ.get("AWS_REGION")
        region = f" --region {shlex.quote(named)}" if named and not self.connection.region else ""
        return f"aws {line}{region}{self._options}"

    def gatehouse(self, line: str) -> str:
        """A command of ours: what is typed behind `gatehouse`."""
        name = f" --deployment {shlex.quote(self.deployment_name)}" if self.deployment_name else ""
        return f"{COMMAND} {line}{self._options}{name}"

    def make(self, target: str) -> str:
        """A target of the Makefile, which takes its place from variables."""
        chosen = {
            "AWS_PROFILE": self.connection.profile,
            "AWS_REGION": self.connection.region,
            "AWS_ENDPOINT_URL": self.connection.endpoint_url,
        }
        variables = [f"{name}={shlex.quote(value)} " for name, value in chosen.items() if value]
        return f"{''.join(variables)}make {target}"

    @staticmethod
    def setting(line: str) -> str:
        """A line for gatehouse.yaml; a shell takes it for a comment."""
        return f"# in gatehouse.yaml: {line}"

    @property
    def _options(self) -> str:
        chosen = {
            "profile": self.connection.profile,
            "region": self.connection.region,
            "endpoint-url": self.connection.endpoint_url,
        }
        return "".join(f" --{name} {shlex.quote(value)}" for name, value in chosen.items() if value)
