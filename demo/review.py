"""`make review`: opens the review page on this machine, in front of drawn uploads in every state.

python -m demo.review [--port 0]
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from demo.demo import DemoError, wait_for_verdicts
from demo.pipeline import DemoUpload, DeployedPipeline
from demo.samples import landscape, sample_images
from demo.synthesis import ROOT, SynthesisError, synthesize
from gatehouse.console import console_for
from localcloud.assembly import AssemblyError
from localcloud.cloud import CloudError, LocalCloud
from localcloud.deployer import DeployError
from localcloud.endpoint import command_line_environment

#: Labels that the shipped policy has people look at, with a confidence for each picture; see policies/standard.yaml.
_LOOKED_AT = (
    ("Middle Finger", 88.2),
    ("Female Swimwear or Underwear", 93.4),
    ("Smoking", 91.7),
    ("Graphic Violence", 86.9),
    ("Gambling", 84.3),
    ("Hate Symbols", 71.5),
)
_PICTURES = 24

#: What people do before the page is opened: a key, and the command with its arguments.
_ACTS = (
    ("gray-card.png", ("appeal", "--note", "The owner writes that it is a test card.")),
    ("sunset.jpg", ("report", "--note", "Somebody says that this is their photograph.")),
    ("wine-still-life.jpg", ("report", "--note", "Not fit for a page for children, says a visitor.")),
)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m demo.review", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the page; default a free one")
    options = parser.parse_args(arguments)
    console = console_for(sys.stdout)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    try:
        return run(console, options.port)
    except (DemoError, SynthesisError, CloudError, AssemblyError, DeployError) as error:
        console.print(f"The page could not be opened: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130


def run(console: Console, port: int) -> int:
    """Deploy, upload, and serve the page until it is stopped; returns the status of `gatehouse review open`.

    Raises:
        DemoError, or an error of synthesis, start or deployment.
    """
    with tempfile.TemporaryDirectory(prefix="gatehouse-review-") as folder:
        assembly = Path(folder) / "cdk.out"
        console.print("Synthesizing the same stacks that `make deploy` deploys ...")
        synthesize(assembly)
        console.print("Starting the local cloud, with IAM enforced ...")
        with LocalCloud.start() as cloud:
            console.print("Deploying ...")
            pipeline = DeployedPipeline(cloud, cloud.deploy(assembly))
            console.print("Uploading drawn pictures, and waiting for their verdicts ...")
            version_ids = pipeline.upload_many(uploads())
            wait_for_verdicts(pipeline, version_ids, console)
            environment = {**os.environ, **command_line_environment(cloud.endpoint), "XDG_STATE_HOME": folder}
            for key, (verb, *more) in _ACTS:
                _gatehouse(environment, "review", verb, key, *more, "--yes").check_returncode()
            status = _page(environment, port)
    console.print("The local cloud has stopped; nothing is left running.")
    return status


def uploads() -> Iterator[DemoUpload]:
    """The samples of `make demo`, and more that wait for a person."""
    for sample in sample_images():
        yield DemoUpload(sample.key, sample.body)
    for n in range(_PICTURES):
        label, confidence = _LOOKED_AT[n % len(_LOOKED_AT)]
        folder = "holiday" if n % 3 else "profile"
        yield DemoUpload(f"{folder}/picture-{n + 1:02}.jpg", landscape(n, {label: confidence + n % 5}))


def _gatehouse(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "gatehouse.cli", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _page(environment: dict[str, str], port: int) -> int:
    """Serve the page; Ctrl-C reaches it and this program alike, so this one only waits."""
    command = [sys.executable, "-m", "gatehouse.cli", "review", "open", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL) as page:
        try:
            return page.wait()
        except KeyboardInterrupt:
            return page.wait()
        finally:
            page.terminate()


if __name__ == "__main__":
    sys.exit(main())
