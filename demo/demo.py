"""`make demo`: moderates images on this machine with the synthesized stacks, from upload to verdict and flag.

python -m demo.demo [--images PATH]
"""

import argparse
import itertools
import os
import signal
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from demo.contact_sheet import MOST_PICTURES, contact_sheet
from demo.pipeline import DemoUpload, DeployedPipeline
from demo.report import flag_table, verdict_table
from demo.samples import sample_images
from demo.synthesis import ROOT, SynthesisError, synthesize
from demo.thumbnail import thumbnail
from demo.who_looked import who_looked
from gatehouse.console import console_for, printable, spelled_out
from gatehouse.moderation.document import is_text
from gatehouse.moderation.status import FLAGGED, Status
from gatehouse.moderation.verdict_item import STATUS
from localcloud.assembly import AssemblyError
from localcloud.cloud import CloudError, LocalCloud
from localcloud.deployer import DeployError
from localcloud.rekognition.analyzer_choice import (
    PLANTED,
    SMALL_MODEL,
    AnalyzerError,
    chosen_model,
    environment_for,
    has_small_model,
)

_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.25
_UPLOADS_AT_ONCE = 100

#: Made anew by each demo.
CONTACT_SHEET = ROOT / ".cache" / "contact-sheet.html"

_NOBODY_LOOKS = (
    "Nobody looks at your pictures in this run: only labels planted in them count, and what has none is APPROVED."
)
_NOT_AWS = "Waits are shortened here, so the time this took says nothing about AWS."


class DemoError(Exception):
    """The demo failed; the message says why, and what to check."""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status: 0 if every upload got its verdict and every flagged one its flag."""
    parser = argparse.ArgumentParser(prog="python -m demo.demo", description=__doc__)
    parser.add_argument("--images", type=Path, metavar="PATH", help="upload this file, or this folder's files, instead")
    parser.add_argument("--analyzer", metavar="MODEL", help="who looks at pictures: planted, nsfwjs or module:Class")
    options = parser.parse_args(arguments)
    console = console_for(sys.stdout)
    # Signals are a normal way to end: child processes are ended too.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    try:
        run(console, options.images, options.analyzer or _usual_analyzer(options.images))
    except (DemoError, AnalyzerError, SynthesisError, CloudError, AssemblyError, DeployError) as error:
        console.print(f"The demo failed: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    return 0


def _usual_analyzer(images: Path | None) -> str:
    """The samples have planted labels; the user's own pictures have none."""
    return PLANTED if images is None or not has_small_model() else SMALL_MODEL


def run(console: Console, images: Path | None, analyzer: str) -> None:
    """Run the demo and show it on `console`.

    Raises:
        DemoError, AnalyzerError, or an error of synthesis, start or deployment.
    """
    if images is not None and analyzer == PLANTED:
        console.print(_NOBODY_LOOKS, style="yellow")
    uploads = _samples(console) if images is None else _files(images)
    environment = environment_for(analyzer, os.environ)
    chosen_model(environment)  # what is wrong with it is a line here, and the end of a log there
    previews: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="gatehouse-demo-") as folder:
        assembly = Path(folder) / "cdk.out"
        console.print("1  Synthesizing the same stacks that `make deploy` deploys ...")
        synthesize(assembly)
        console.print("2  Starting the local cloud, with IAM enforced ...")
        with LocalCloud.start(environment=environment) as cloud:
            console.print(f"3  Deploying to {cloud.endpoint} ...")
            outputs = cloud.deploy(assembly, lambda line: console.print(f"     {line}", style="dim", markup=False))
            pipeline = DeployedPipeline(cloud, outputs)
            console.print(f"4  Uploading to s3://{pipeline.upload_bucket} ...")
            version_ids = _upload(pipeline, uploads, previews)
            console.print(f"5  {len(version_ids)} uploaded. Waiting for their verdicts ...")
            items = wait_for_verdicts(pipeline, version_ids, console)
            flags = _wait_for_flags(pipeline, items)
            remarks = (*who_looked(items, analyzer), _NOT_AWS)
            _show(console, items, flags, remarks)
            _write_contact_sheet(console, items, flags, previews, remarks)
    console.print("The local cloud has stopped; nothing is left running.")


def _samples(console: Console) -> Iterator[DemoUpload]:
    for sample in sample_images():
        console.print(f"     {sample.key}: {sample.about}", style="dim", markup=False)
        yield DemoUpload(sample.key, sample.body)


def _files(images: Path) -> Iterator[DemoUpload]:
    """A file, or the files under a folder without hidden ones. Each is read when it is uploaded.

    Raises:
        DemoError: there are no files, or one can't be read.
    """
    chosen = Path(os.path.expanduser(images))  # `make` does not expand ~
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
            raise DemoError(f"{spelled_out(str(name))} has a name that is not UTF-8, but keys are; rename it")
        with _readable(folder / name), (folder / name).open("rb"):
            pass  # fails before everything is deployed
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


def _upload(
    pipeline: DeployedPipeline, uploads: Iterable[DemoUpload], previews: MutableMapping[str, str]
) -> dict[str, str]:
    """Upload a few at a time, so that a large folder is not in memory at once; returns key -> version id.

    `previews` takes the thumbnails of those that the contact sheet shows.
    """
    version_ids: dict[str, str] = {}
    remaining = iter(uploads)
    while some := list(itertools.islice(remaining, _UPLOADS_AT_ONCE)):
        version_ids |= pipeline.upload_many(some)
        for upload in some[: MOST_PICTURES - len(previews)]:
            if preview := thumbnail(upload.body):
                previews[upload.key] = preview
    return version_ids


def wait_for_verdicts(
    pipeline: DeployedPipeline, version_ids: Mapping[str, str], console: Console
) -> list[dict[str, Any]]:
    """The final items of the uploads, in the order of `version_ids`. Raises DemoError if there is no more progress."""
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
                "Does a lane in gatehouse.yaml match these keys?"
            )
        time.sleep(_POLL_SECONDS)


def _wait_for_flags(pipeline: DeployedPipeline, items: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One flag for every flagged item, in the order of `items`. Raises DemoError if one does not arrive."""
    flagged = [item["key"] for item in items if item[STATUS] in FLAGGED]
    patience_ends = time.monotonic() + _PATIENCE_SECONDS
    while True:
        received = {flag["object"]["key"]: flag for flag in pipeline.flags()}
        if received.keys() >= set(flagged):
            return [received[key] for key in flagged]
        if time.monotonic() > patience_ends:
            missing = [str(printable(key)) for key in flagged if key not in received]
            raise DemoError(
                f"no flag for {', '.join(missing[:5])}. Does `notify` in gatehouse.yaml include its status?"
            )
        time.sleep(_POLL_SECONDS)


def _show(console: Console, items: list[dict[str, Any]], flags: list[dict[str, Any]], remarks: Iterable[str]) -> None:
    plain = not console.is_terminal
    console.print()
    for remark in remarks:
        console.print(remark, markup=False)
    console.print()
    console.print(verdict_table(items, plain=plain))
    console.print()
    console.print(flag_table(flags, plain=plain) if flags else "No upload was flagged.")


def _write_contact_sheet(
    console: Console,
    items: list[dict[str, Any]],
    flags: list[dict[str, Any]],
    previews: Mapping[str, str],
    remarks: Sequence[str],
) -> None:
    page = contact_sheet(items, {flag["object"]["key"] for flag in flags}, previews, remarks)
    CONTACT_SHEET.parent.mkdir(exist_ok=True)
    CONTACT_SHEET.write_text(page, "utf-8")
    console.print()
    console.print(f"All pictures with their verdicts, as a page: {CONTACT_SHEET}", markup=False, soft_wrap=True)
    if is_somebody_there(os.environ):
        webbrowser.open(CONTACT_SHEET.as_uri())


def is_somebody_there(environment: Mapping[str, str]) -> bool:
    """Whether a person at this machine's display started the demo: neither a pipe, nor a build, nor a test."""
    has_display = sys.platform == "darwin" or environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    return bool(has_display) and sys.stdout.isatty() and not environment.get("CI")


if __name__ == "__main__":
    sys.exit(main())
