"""Synthesizes the unmodified app into a folder, without the CDK CLI and without a network."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class SynthesisError(Exception):
    """The app could not be synthesized; the message is its output, for example which setting to fix."""


def synthesize(folder: Path, *, settings: Path | None = None) -> None:
    """Write the cloud assembly of `app.py` into `folder`, with `settings` instead of gatehouse.yaml if it is given.

    Raises SynthesisError.
    """
    other_settings = {} if settings is None else {"GATEHOUSE_SETTINGS": str(settings)}
    search_path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    synthesis = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        # The virtual environment's own Node comes first on the PATH; CDK_OUTDIR is the assembly's folder.
        env=os.environ | {"CDK_OUTDIR": str(folder), "PATH": search_path} | other_settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if synthesis.returncode != 0:
        raise SynthesisError(synthesis.stdout.strip() or f"app.py ended with status {synthesis.returncode}")
