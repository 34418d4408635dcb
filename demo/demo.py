"""`make demo`: images from upload to verdict and flag, through the synthesized stacks, on this machine.

python -m demo.demo [--images PATH]
"""

import argparse
import itertools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from demo.pipeline import DemoUpload, DeployedPipeline
from demo.report import flag_table, verdict_table
from demo.samples import sample_images
from demo.synthesis import SynthesisError, synthesize
from gatehouse.console import console_for, printable, spelled_out
from gatehouse.moderation.document import is_text
from gatehouse.moderation.status import FLAGGED, Status
from gatehouse.moderation.verdict_item import STATUS
from localcloud.assembly import AssemblyError
from localcloud.cloud import CloudError, LocalCloud
from localcloud.deployer import DeployError

_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.25
_UPLOADS_AT_ONCE = 100

_PLANTED_LABELS = (
    "The Rekognition of this machine never looks at pixels. It opens every file and checks its format and size, then "
    "reports the labels planted in it (docs/local-cloud.md)."
)
_NOT_AWS = "Waits are shortened here, so the time this took says nothing about AWS."


class DemoError(Exception):
    """Something did not end as it should; the message says what, and what to look at."""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status: 0 if every upload got its verdict and every flagged one its flag."""
    parser = argparse.ArgumentParser(prog="python -m demo.demo", description=__doc__)
    parser.add_argument("--images", type=Path, metavar="PATH", help="upload this file, or this folder's, instead")
    options = parser.parse_args(arguments)
    console = console_for(sys.stdout)
    # Being ended is an ordinary way to end: whatever was started is ended too.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    try:
        run(console, options.images)
    except (DemoError, SynthesisError, CloudError, AssemblyError, DeployError) as error:
        console.print(f"The demo failed: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    return 0


def run(console: Console, images: Path | None) -> None:
    """The whole demo, shown on `console`. Raises DemoError, or what synthesis, start and deployment raise."""
    uploads = _samples(console) if images is None else _files(images)
    with tempfile.TemporaryDirectory(prefix="gatehouse-demo-") as folder:
        assembly = Path(folder) / "cdk.out"
        console.print("1  Synthesizing the stacks, the same ones `make deploy` deploys ...")
        synthesize(assembly)
        console.print("2  Starting the local cloud, with IAM enforced ...")
        with LocalCloud.start() as cloud:
            console.print(f"3  Deploying to {cloud.endpoint} ...")
            outputs = cloud.deploy(assembly, lambda line: console.print(f"     {line}", style="dim", markup=False))
            pipeline = DeployedPipeline(cloud, outputs)
            console.print(f"4  Uploading to s3://{pipeline.upload_bucket} ...")
            version_ids = _upload(pipeline, uploads)
            console.print(f"5  {len(version_ids)} uploaded. Waiting for their verdicts ...")
            items = _wait_for_verdicts(pipeline, version_ids, console)
            flags = _wait_for_flags(pipeline, items)
            _show(console, items, flags, of_the_user=images is not None)
    console.print("The local cloud has stopped; nothing is left running.")


def _samples(console: Console) -> Iterator[DemoUpload]:
    for sample in sample_images():
        console.print(f"     {sample.key}: {sample.about}", style="dim", markup=False)
        yield DemoUpload(sample.key, sample.body)


def _files(images: Path) -> Iterator[DemoUpload]:
    """A file, or those under a folder, hidden ones left out; each read when its turn comes.

    Raises:
        DemoError: there is nothing to upload, or something that can't be read.
    """
    chosen = Path(os.path.expanduser(images))  # `make` hands on a ~ as it stands
    with _readable(chosen):
        if chosen.is_file():
            folder, visible = chosen.parent, [Path(chosen.name)]
        elif chosen.is_dir():
            folder, visible = chosen, _visible_files(chosen)
        else:
            raise DemoError(f"there is no {images}; use make demo IMAGES=path/to/folder")
    if not visible:
        raise DemoError(f"{images} holds no files")
    for name in visible:
        if not is_text(name.as_posix()):
            raise DemoError(f"{spelled_out(str(name))} has a name that is not UTF-8, and keys are; rename it")
        with _readable(folder / name), (folder / name).open("rb"):
            pass  # said now, and not once everything has been deployed
    return (DemoUpload(name.as_posix(), _content(folder / name)) for name in visible)


def _visible_files(folder: Path) -> list[Path]:
    """The files under a folder, relative to it and sorted, without those that are hidden or in a hidden folder.

    Raises:
        OSError: a folder can't be listed.
    """
    found = []
    for path, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files = (Path(path, name) for name in names if not name.startswith("."))
        found += [file.relative_to(folder) for file in files if file.is_file()]
    return sorted(found)


def _raise(error: OSError) -> None:
    raise error


def _content(file: Path) -> bytes:
    with _readable(file):
        return file.read_bytes()


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        which = error.filename or file
        raise DemoError(f"{which} can't be read: {error.strerror}; leave it out, or make it readable") from error


def _upload(pipeline: DeployedPipeline, uploads: Iterable[DemoUpload]) -> dict[str, str]:
    """Upload them, some at a time so that a large folder is never in memory whole; returns key -> version id."""
    version_ids: dict[str, str] = {}
    remaining = iter(uploads)
    while some := list(itertools.islice(remaining, _UPLOADS_AT_ONCE)):
        version_ids |= pipeline.upload_many(some)
    return version_ids


def _wait_for_verdicts(
    pipeline: DeployedPipeline, version_ids: Mapping[str, str], console: Console
) -> list[dict[str, Any]]:
    """The final items of the uploads, in the order of `version_ids`. Raises DemoError once nothing happens any more."""
    known = -1
    patience_ends = 0.0
    while True:
        final = {
            item["key"]: item
            for item in pipeline.verdicts()
            if item[STATUS] != Status.PENDING and version_ids.get(item["key"]) == item.get("version_id")
        }
        if len(final) > known:
            known = len(final)
            patience_ends = time.monotonic() + _PATIENCE_SECONDS
            if known:
                console.print(f"     {known} of {len(version_ids)} decided", style="dim")
        if len(final) == len(version_ids):
            return [final[key] for key in version_ids]
        if time.monotonic() > patience_ends:
            missing = [str(printable(key)) for key in version_ids if key not in final]
            raise DemoError(
                f"no verdict for {len(missing)} of {len(version_ids)} uploads: {', '.join(missing[:5])}. "
                "Does a lane of gatehouse.yaml take these keys?"
            )
        time.sleep(_POLL_SECONDS)


def _wait_for_flags(pipeline: DeployedPipeline, items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One flag forevery flagged item, in the order of `items`. Raises DemoError if one does not arrive."""
    flagged = [item["key"] for item in items if item[STATUS] in FLAGGED]
    patience_ends = time.monotonic() + _PATIENCE_SECONDS
    while True:
        received = {flag["object"]["key"]: flag for flag in pipeline.flags()}
        if received.keys() >= set(flagged):
            return [received[key] for key in flagged]
        if time.monotonic() > patience_ends:
            missing = [str(printable(key)) for key in flagged if key not in received]
            raise DemoError(f"no flag for {', '.join(missing[:5])}. Does `notify` in gatehouse.yaml name its status?")
        time.sleep(_POLL_SECONDS)


def _show(console: Console, items: list[dict[str, Any]], flags: list[dict[str, Any]], *, of_the_user: bool) -> None:
    plain = not console.is_terminal
    console.print()
    console.print(verdict_table(items, plain=plain))
    console.print()
    console.print(flag_table(flags, plain=plain) if flags else "No upload was flagged.")
    console.print()
    console.print(_PLANTED_LABELS)
    if of_the_user:
        console.print("An image without a plant is found to have no labels, whatever it shows.")
    console.print(_NOT_AWS)


if __name__ == "__main__":
    sys.exit(main())
