"""A manifest summary is read as far as it can be, whatever is in it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.manifest_summary import parse_summary

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["statistics", "errors", "line-numer", "code", "message", "source-ref", "total-json-lines"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(document=JSON)
def test_whatever_is_in_it_is_read_or_refused(document: object) -> None:
    text = json.dumps(document)
    if not isinstance(document, dict):
        with pytest.raises(ValueError, match="not a JSON object"):
            parse_summary(text)
        return

    summary = parse_summary(text)

    assert summary.codes.total() == len(summary.errors)
    assert json.dumps(summary.to_document())


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, b"\xff"])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any will do
        parse_summary(text)
