"""Makes the pictures of the documentation, from real runs with drawn pictures: about two minutes.

    python -m tests.browser.pictures

writes docs/pictures: what `make demo` prints, the contact sheet that it leaves, and the review page.
"""

import io
import re
import sys
import tempfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect
from rich.console import Console
from rich.text import Text

from demo import demo, review
from demo.synthesis import ROOT, synthesize
from localcloud.cloud import LocalCloud
from localcloud.endpoint import command_line_environment
from localcloud.rekognition.analyzer_choice import PLANTED
from tests.browser.chrome import browser
from tests.e2e.pipeline import Pipeline
from tests.review.conftest import MO, serving
from tests.review.visit import GRID, visit

PICTURES = ROOT / "docs" / "pictures"
TERMINAL, SHEET, REVIEW, GRID_PICTURE = "terminal.svg", "contact-sheet.webp", "review.webp", "grid.webp"

#: Of a picture, in bytes: the README is to be there at once.
MOST_BYTES = 150_000

_COLUMNS = 112
_SIZE: ViewportSize = {"width": 1280, "height": 800}
#: Of the grid, that such a window shows.
_TILES = 8
#: What is deployed, and what the samples are for: true, and of no use on a picture.
_DETAIL = re.compile(r"^ {5}")

#: Rich's own names a font on a server.
_SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, SFMono-Regular, Menlo, Consolas,
  "DejaVu Sans Mono", monospace; }}
{styles}
</style>
<defs>{lines}</defs>
<rect width="100%" height="100%" rx="8" fill="#0c1116"/>
<g transform="translate({terminal_x}, 22)">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def main() -> int:
    """Make all of them; the exit status."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (PICTURES / TERMINAL).write_text(_terminal(), "utf-8")
        with browser(folder) as chrome:
            _contact_sheet(chrome)
            _review_page(chrome, folder)
    for file in sorted(PICTURES.iterdir()):
        print(f"{file.relative_to(ROOT)}: {file.stat().st_size:,} bytes")
    return int(any(file.stat().st_size > MOST_BYTES for file in PICTURES.iterdir()))


def _terminal() -> str:
    """What a run of the demo prints, as an SVG; details and this machine's folder are left out."""
    run = Console(file=io.StringIO(), record=True, width=_COLUMNS, force_terminal=True, highlight=False)
    demo.run(run, None, PLANTED)
    printed = run.export_text(styles=True).replace(str(ROOT), "~/gatehouse").splitlines()
    kept = [line for line in printed if not _DETAIL.match(Text.from_ansi(line).plain)]
    picture = Console(file=io.StringIO(), record=True, width=_COLUMNS, force_terminal=True, highlight=False)
    picture.print("$ make demo", style="bold")
    for line in kept:
        picture.print(Text.from_ansi(line), no_wrap=True)
    return picture.export_svg(title="", code_format=_SVG, unique_id="demo")


def _contact_sheet(chrome: Browser) -> None:
    page = chrome.new_page(viewport=_SIZE)
    page.goto(demo.CONTACT_SHEET.as_uri())
    _keep(page, SHEET)
    page.close()


def _review_page(chrome: Browser, folder: Path) -> None:
    """The page in front of a deployment on the local cloud, whose AWS calls go there."""
    synthesize(folder / "cdk.out")
    with LocalCloud.start() as cloud, pytest.MonkeyPatch.context() as patch:
        for variable, value in command_line_environment(cloud.endpoint).items():
            patch.setenv(variable, value)
        pipeline = Pipeline(cloud, cloud.deploy(folder / "cdk.out"))
        version_ids = pipeline.upload_many(review.uploads())
        pipeline.wait_for_verdicts(len(version_ids))
        with serving(folder / "journals", MO) as served, visit(chrome, served, viewport=_SIZE) as mo:
            mo.go().page.wait_for_selector(".upload[data-seen=yes]")
            _keep(mo.page, REVIEW)
            expect(mo.go(GRID).page.locator(".tile[data-seen=yes]").nth(_TILES - 1)).to_be_visible()
            for chosen in (1, 3):
                mo.page.locator(".tile .pick").nth(chosen).check()
            _keep(mo.page, GRID_PICTURE)


def _keep(page: Page, name: str) -> None:
    """A screenshot, as WebP: a PNG of blurred pictures is five times as large."""
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(PICTURES / name, quality=88, method=6)


if __name__ == "__main__":
    sys.exit(main())
