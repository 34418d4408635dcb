"""EventBridge lets through every upload of a lane, and spares us what it can tell is none."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatehouse.configuration.upload_pattern import upload_detail
from gatehouse.moderation.lane import Lane

BUCKET = "uploads"


def lets_through(lane: Lane, key: str, size: int) -> bool:
    """EventBridge's answer, for the filters our patterns use (User Guide, content filtering)."""
    wanted = upload_detail(lane, BUCKET).get("object", {})
    return all(
        any(_matches(test, value) for test in wanted[name])
        for name, value in (("key", key), ("size", size))
        if name in wanted
    )


def _matches(test: dict[str, Any], value: Any) -> bool:
    match test:
        case {"prefix": prefix}:
            return bool(value.startswith(prefix))
        case {"suffix": {"equals-ignore-case": suffix}}:
            return bool(value.lower().endswith(suffix.lower()))
        case {"anything-but": {"prefix": prefixes}}:
            return not value.startswith(tuple(prefixes))
        case {"numeric": [">=", low, "<=", high]}:
            return bool(low <= value <= high <= 5_000_000_000)
    raise AssertionError(f"a filter this test does not know: {test}")


_parts = st.text(alphabet="ab/.J", max_size=4)
_some_parts = st.lists(_parts.filter(bool), max_size=3).map(tuple)
_sizes = st.integers(0, 2000) | st.integers(4_999_999_990, 5_000_000_010)
_lanes = st.builds(
    Lane,
    name=st.just("lane"),
    prefixes=st.just(("",)) | _some_parts.filter(bool),
    suffixes=_some_parts,
    exclude_prefixes=_some_parts,
    other_lanes_prefixes=_some_parts,
    min_size=_sizes,
    max_size=st.none() | _sizes,
)


@settings(max_examples=500)
@given(lane=_lanes, key=_parts, size=_sizes)
def test_no_upload_of_a_lane_is_held_back(lane: Lane, key: str, size: int) -> None:
    assert lets_through(lane, key, size) or not lane.matches(key, size)


@pytest.mark.parametrize(
    ("lane", "expected"),
    [
        (Lane("all"), None),
        (Lane("some", prefixes=("a/", "b/")), {"key": [{"prefix": "a/"}, {"prefix": "b/"}]}),
        (
            Lane("rest", exclude_prefixes=("tmp/",), other_lanes_prefixes=("a/",), suffixes=(".jpg",)),
            {"key": [{"anything-but": {"prefix": ["tmp/", "a/"]}}]},
        ),
        (
            Lane("pictures", suffixes=(".jpg", ".PNG")),
            {"key": [{"suffix": {"equals-ignore-case": ".jpg"}}, {"suffix": {"equals-ignore-case": ".PNG"}}]},
        ),
        (Lane("sized", min_size=1, max_size=9), {"size": [{"numeric": [">=", 1, "<=", 9]}]}),
        (Lane("large", min_size=1), None),
        (Lane("huge", max_size=5_000_000_001), None),
    ],
)
def test_what_eventbridge_is_asked_for(lane: Lane, expected: dict[str, Any] | None) -> None:
    detail = upload_detail(lane, BUCKET)

    assert detail["bucket"] == {"name": [BUCKET]}
    assert detail.get("object") == expected
