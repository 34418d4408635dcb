"""`make local`: runs the pipeline on this machine until you stop it, and prints commands to try.

python -m demo [--port 4566]
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from demo.commands import SAMPLES_FOLDER, aws_commands, bulk_commands, environment_line, gatehouse_commands
from demo.samples import write_samples
from demo.synthesis import ROOT, SynthesisError, synthesize
from gatehouse.console import console_for
from localcloud.assembly import AssemblyError
from localcloud.cloud import CloudError, LocalCloud, PortTakenError
from localcloud.deployer import DeployError, Outputs
from localcloud.launcher import DEFAULT_PORT
from localcloud.rekognition.analyzer_choice import (
    PLANTED,
    SMALL_MODEL,
    VARIABLE,
    AnalyzerError,
    chosen_model,
    environment_for,
    has_small_model,
)
from localcloud.rekognition.settings import PREFIX, switches

# Outputs that the CDK adds for references between stacks; they are not shown.
_EXPORT_PREFIXES = ("ExportsOutput", "PublishOutput")
_LAST_PORT = 65_535
_SAMPLE = "illustrated-explosion.jpg"


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status after the cloud has stopped: 0 if the user stopped it, 1 if it failed."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="default %(default)s; 0 picks a free one")
    options = parser.parse_args(arguments)
    console = console_for(sys.stdout)
    # Signals are a normal way to end: child processes are ended too.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    # A shell starts background jobs with SIGINT ignored; handle it anyway, because it is sent on purpose.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _serve(console, options.port)
    except KeyboardInterrupt:
        console.print("\nStopped; nothing is left running.")
        return 0
    except PortTakenError as error:
        console.print(f"{error}. Choose another one, e.g. make local PORT={options.port + 1}", style="red")
    except (AnalyzerError, SynthesisError, CloudError, AssemblyError, DeployError) as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
    return 1


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= _LAST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; use 1 to {_LAST_PORT}, or 0 for a free one")
    return int(text)


def _serve(console: Console, port: int) -> int:
    analyzer = environment_for(_analyzer(os.environ), os.environ)
    chosen_model(analyzer)  # what is wrong with it is a line here, and the end of a log there
    with tempfile.TemporaryDirectory(prefix="gatehouse-local-") as folder:
        assembly = Path(folder) / "cdk.out"
        console.print("Starting the local cloud, with IAM enforced ...")
        with LocalCloud.start(port=port, environment=switches(os.environ) | analyzer) as cloud:
            console.print("Synthesizing the same stacks that `make deploy` deploys ...")
            synthesize(assembly)
            console.print("Deploying ...")
            outputs = cloud.deploy(assembly, lambda line: console.print(f"  {line}", style="dim", markup=False))
            write_samples(ROOT / SAMPLES_FOLDER)
            _explain(console, cloud.endpoint, outputs)
            status = cloud.wait()
            raise CloudError(f"the local cloud ended by itself, with status {status}")


def _analyzer(environment: Mapping[str, str]) -> str:
    """Planted labels count in any case; your own pictures are looked at, unless you want it otherwise."""
    return environment.get(VARIABLE) or (SMALL_MODEL if has_small_model() else PLANTED)


def _explain(console: Console, endpoint: str, outputs: Outputs) -> None:
    flat = {name: value for stack in outputs.values() for name, value in stack.items()}

    def say(line: str = "", style: str = "") -> None:
        # Lines to paste are not wrapped, however narrow the terminal is.
        console.print(line, style=style, markup=False, soft_wrap=True)

    say(f"\nThe local cloud runs at {endpoint}. In another terminal, first point it there:\n")
    say(environment_line(endpoint), style="cyan")
    say("\nThen try, in this order (-h behind any of them ends with more examples):")
    for command in gatehouse_commands(_SAMPLE):
        say(f"\n# {command.about}", style="dim")
        say(command.line, style="cyan")
    say("\nOr with the AWS CLI:")
    is_bulk_refused = bool(os.environ.get(f"{PREFIX}REFUSE_BULK"))
    for command in (*aws_commands(flat, _SAMPLE), *(() if is_bulk_refused else bulk_commands(flat, _SAMPLE))):
        say(f"\n# {command.about}", style="dim")
        say(command.line, style="cyan")
    if is_bulk_refused:
        say("\nBulk Analysis is refused here, as you asked, so there are no lines about jobs.")
    say("\nWhat was deployed:\n")
    for name in sorted(name for name in flat if not name.startswith(_EXPORT_PREFIXES)):
        say(f"  {name} = {flat[name]}")
    say("\nIn that terminal `make diff` and `make deploy` run the stock CDK CLI against the local cloud, too.")
    say(f"More images to upload are in {SAMPLES_FOLDER}. Everything is gone when this ends. Ctrl-C ends it.")


if __name__ == "__main__":
    sys.exit(main())
