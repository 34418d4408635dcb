"""The page that a demo leaves behind."""

import io
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from PIL import Image

from demo.contact_sheet import MOST_PICTURES, contact_sheet
from demo.thumbnail import thumbnail

HOSTILE = '"><script>alert(1)</script>\u202e.jpg'


def item(key: str, status: str = "APPROVED", **more: Any) -> dict[str, Any]:
    return {"key": key, "status": status, "labels": [], **more}


def label(name: str, confidence: float) -> dict[str, Any]:
    return {"name": name, "confidence": confidence}


def picture(file_format: str = "PNG", size: tuple[int, int] = (900, 600)) -> bytes:
    output = io.BytesIO()
    Image.new("RGB", size, (200, 30, 40)).save(output, file_format)
    return output.getvalue()


class Elements(HTMLParser):
    """Every element of a page, and the texts in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_each_upload_has_a_card_with_its_verdict_its_labels_and_its_flag() -> None:
    reason = {"label": "Smoking", "confidence": 96.4, "threshold": 80, "rule": "default"}
    blocked = item("a.jpg", "BLOCKED", labels=[label("Smoking", 96.4), label("Weapons", 99)], reasons=[reason])

    page = Elements(contact_sheet([blocked, item("b.jpg")], {"a.jpg"}, {}, ["Nobody looked."]))

    cards = page.all("article")
    assert [card["class"] for card in cards] == ["blocked", "approved"]
    assert [(bar.get("class"), bar["style"]) for bar in page.all("li")] == [
        (None, "--confidence: 99.0%"),
        ("fired", "--confidence: 96.4%"),
    ]
    assert {"a.jpg", "Smoking 96.4 ≥ 80 (rule default)", "flag received", "no flag", "Nobody looked."} <= set(
        page.texts
    )


def test_what_was_not_approved_is_blurred_until_somebody_wants_to_see_it() -> None:
    statuses = ("BLOCKED", "APPROVED", "REVIEW", "FAILED", "UNSUPPORTED")
    items = [item(f"{status}.jpg", status) for status in statuses]
    previews = {each["key"]: "data:image/jpeg;base64,AA==" for each in items}

    page = Elements(contact_sheet(items, set(), previews, []))

    veiled = [attributes for attributes in page.all("label") if "veiled" in str(attributes.get("class"))]
    shows = [box["aria-label"] for box in page.all("input") if box["type"] == "checkbox"]
    assert len(veiled) == len(shows) == 4
    assert shows == [f"Show {status}.jpg" for status in statuses if status != "APPROVED"]


def test_nothing_that_a_key_or_a_label_holds_becomes_a_part_of_the_page() -> None:
    hostile = item(HOSTILE, "REVIEW", labels=[label(HOSTILE, 90)], content_types=[label(HOSTILE, 90)])
    hostile |= {"reasons": [{"label": HOSTILE, "confidence": 90, "threshold": 80, "rule": HOSTILE}]}

    text = contact_sheet([hostile], {HOSTILE}, {HOSTILE: "data:image/jpeg;base64,AA=="}, [HOSTILE])
    page = Elements(text)

    assert page.all("script") == []
    assert page.all("img")[0]["alt"] == HOSTILE.replace("\u202e", "\\u202e")
    assert "default-src 'none'" in str(page.all("meta")[2]["content"])


def test_nothing_is_loaded_from_anywhere() -> None:
    body = picture()
    page = contact_sheet([item("a.png")], set(), {"a.png": str(thumbnail(body))}, [])

    assert re.findall(r'(?:src|href|url)\s*[=(]\s*"?([a-z]+:)', page) == ["data:"]


def test_a_status_can_be_chosen_where_there_is_one() -> None:
    page = Elements(contact_sheet([item("a.jpg"), item("b.jpg", "FAILED")], set(), {}, []))

    assert [box["id"] for box in page.all("input")] == ["show-all", "show-approved", "show-failed"]


def test_a_page_of_very_many_shows_the_first_and_says_so() -> None:
    many = [item(f"{number}.jpg") for number in range(MOST_PICTURES + 3)]

    page = contact_sheet(many, set(), {}, [])

    assert len(Elements(page).all("article")) == MOST_PICTURES
    assert f"The first {MOST_PICTURES} are shown." in page


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_a_thumbnail_is_small_whatever_it_was_made_from(file_format: str) -> None:
    made = thumbnail(picture(file_format))

    assert made is not None
    assert made.startswith("data:image/jpeg;base64,")
    assert len(made) < 10_000


@pytest.mark.parametrize("body", [b"", b"no picture", picture()[:60]])
def test_what_is_no_picture_has_no_thumbnail(body: bytes) -> None:
    assert thumbnail(body) is None
