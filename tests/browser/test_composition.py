"""What the renderer makes of an animation's last frame is what Chromium shows once it was played."""

import base64
import io
from collections.abc import Iterator

import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Page

from gatehouse.moderation.rendition import Background
from lambdas.renderer.decoder import Decoder
from tests.browser.chrome import browser
from tests.unit.lambdas.animated_files import COMPOSED, SIDE

#: Of a color's 255: what a JPEG's edges make of a difference, for the whole picture.
MOST_DIFFERENCE = 3.0


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as found:
        yield found.new_page(viewport={"width": 2 * SIDE, "height": 2 * SIDE})


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    decoder = Decoder()
    decoder.prepare()
    return decoder


@pytest.mark.parametrize("name", COMPOSED)
def test_the_last_frame_is_what_a_browser_shows(page: Page, decoder: Decoder, name: str) -> None:
    body = COMPOSED[name]
    description = decoder.describe(body, 8).description
    assert description is not None
    address = f"data:image/{name.split('.')[1]};base64,{base64.b64encode(body).decode()}"

    for background in Background:
        page.set_content(f'<body style="margin:0;background:{background}"><img id=i src="{address}">')
        page.evaluate("i.decode()")
        page.wait_for_timeout(60 * description.frames + 150)
        size = page.evaluate("[i.naturalWidth, i.naturalHeight]")
        seen = Image.open(io.BytesIO(page.screenshot())).convert("RGB").crop((0, 0, *size))
        made = Image.open(io.BytesIO(decoder.render(body, description.frames - 1, background).jpeg))

        assert (list(made.size), [description.width, description.height]) == (size, size)
        assert max(ImageStat.Stat(ImageChops.difference(seen, made)).mean) < MOST_DIFFERENCE
