"""Yes and no in a template's variables and outputs, which hold text alone."""

from typing import Final

_TEXTS: Final = {"on": True, "off": False}


def to_on_off(value: bool) -> str:
    """`on` or `off`."""
    return "on" if value else "off"


def is_on(text: str) -> bool:
    """The value that `to_on_off` made the text of.

    Raises:
        ValueError: it is neither `on` nor `off`.
    """
    if text not in _TEXTS:
        raise ValueError(f"{text[:100]!r}, neither on nor off")
    return _TEXTS[text]
