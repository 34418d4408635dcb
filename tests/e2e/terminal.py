"""Someone at a terminal: the `gatehouse` command as it is typed, from any folder."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from localcloud.process_environment import ACCESS_KEY, REGION, SECRET_KEY
from tests.e2e.pipeline import Pipeline

_COMMAND = Path(__file__).resolve().parents[2] / "gatehouse"


class Terminal:
    """A shell that points to a pipeline's local cloud."""

    def __init__(self, pipeline: Pipeline, folder: Path) -> None:
        self._pipeline = pipeline
        self._folder = folder

    def gatehouse(self, *arguments: str, status: int = 0) -> Any:
        """The JSON that `gatehouse` answers; AssertionError if it does not end with this exit status."""
        done = subprocess.run(
            [str(_COMMAND), *arguments, "--output", "json"],
            cwd=self._folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self._folder),
                "AWS_ACCESS_KEY_ID": ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                "AWS_REGION": REGION,
                "AWS_ENDPOINT_URL": self._pipeline.cloud.endpoint,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)
