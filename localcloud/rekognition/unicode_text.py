"""Telling texts that can be written as UTF-8 from those that can't."""

import re

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


def is_encodable(text: str) -> bool:
    r"""Whether UTF-8 can hold the text. JSON's `"\ud800"` is half a character, which no object key has."""
    return _HALF_CHARACTER.search(text) is None
