"""Someone at a terminal: the `gatehouse` command as it is typed, from any folder."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localcloud.process_environment import ACCESS_KEY, REGION, SECRET_KEY
from tests.e2e.pipeline import Pipeline

_COMMAND = Path(__file__).resolve().parents[2] / "gatehouse"


#: Sets constants of modules, then runs the command.
_WITH_CONSTANTS = """
import importlib, json, sys
for name, value in json.loads(sys.argv.pop(1)).items():
    module, _, constant = name.rpartition(".")
    assert hasattr(importlib.import_module(module), constant), name
    setattr(sys.modules[module], constant, value)
from gatehouse.cli.__main__ import main
main()
"""


class Terminal:
    """A shell that points to a pipeline's local cloud.

    Args:
        credentials: variables that say who types; whoever may do everything, where it is left out.
        constants: values that the command's modules have instead of their own, by full name.
    """

    #: A program that runs the command after it has set the constants of its first argument.
    WITH_CONSTANTS = _WITH_CONSTANTS

    def __init__(
        self,
        pipeline: Pipeline,
        folder: Path,
        credentials: Mapping[str, str] | None = None,
        constants: Mapping[str, float] | None = None,
    ) -> None:
        self._folder = folder
        self._command = [sys.executable, "-c", _WITH_CONSTANTS, json.dumps(constants)] if constants else [str(_COMMAND)]
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": pipeline.cloud.endpoint,
            **(credentials or {}),
        }

    def gatehouse(self, *arguments: str, status: int = 0) -> Any:
        """The JSON that `gatehouse` answers; AssertionError if it does not end with this exit status."""
        done = self.run(*arguments)
        assert done.returncode == status, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def refused(self, *arguments: str) -> str:
        """What `gatehouse` tells on stderr; AssertionError if it does not end with 1."""
        done = self.run(*arguments)
        assert done.returncode == 1, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stderr

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What becomes of `gatehouse` with these arguments, asked for JSON."""
        return subprocess.run(
            [*self._command, *arguments, "--output", "json"],
            cwd=self._folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
