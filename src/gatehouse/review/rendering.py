"""The templates of the page. Everything that they print is escaped."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

FOLDER = Path(__file__).resolve().parent

#: Address and title of each page, in the order of the navigation.
PAGES: Sequence[tuple[str, str]] = (
    ("/", "Review"),
    ("/grid", "Grid"),
    ("/numbers", "Numbers"),
    ("/jobs", "Jobs"),
)

_TEMPLATES = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def rendered(template: str, values: Mapping[str, Any]) -> str:
    """A template, filled."""
    return _TEMPLATES.get_template(template).render(values)


def page(template: str, path: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """A whole page.

    Args:
        path: its address, one of `PAGES`.
    """
    return HTMLResponse(rendered(template, {**values, "pages": PAGES, "path": path}), status)
