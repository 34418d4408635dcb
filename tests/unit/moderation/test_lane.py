import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.engine import Engine
from gatehouse.moderation.lane import Lane, Priority
from tests.unit.builders import ADAPTER, a_lane


def test_a_lane_takes_every_upload_unless_told_otherwise() -> None:
    assert a_lane().matches("any/key", 0)
    assert a_lane().matches("any/key", 10**12)


@pytest.mark.parametrize(("key", "matches"), [("in/a.jpg", True), ("also/a.jpg", True), ("in", False), ("In/a", False)])
def test_a_key_starts_with_one_of_the_prefixes(key: str, matches: bool) -> None:
    assert a_lane(prefixes=("in/", "also/")).matches(key, 1) is matches


@pytest.mark.parametrize(("key", "matches"), [("a.jpg", True), ("A.JPG", True), ("a.Png", True), ("a.jpg.exe", False)])
def test_suffixes_are_compared_without_regard_to_case(key: str, matches: bool) -> None:
    assert a_lane(suffixes=(".jpg", ".PNG")).matches(key, 1) is matches


@pytest.mark.parametrize("field", ["exclude_prefixes", "other_lanes_prefixes"])
def test_excluded_prefixes_win_over_the_lanes_own(field: str) -> None:
    lane = a_lane(prefixes=("in/",), **{field: ("in/no/",)})

    assert not lane.matches("in/no/a.jpg", 1)
    assert lane.matches("in/yes/a.jpg", 1)


@pytest.mark.parametrize(("size", "matches"), [(9, False), (10, True), (20, True), (21, False)])
def test_size_bounds_are_inclusive(size: int, matches: bool) -> None:
    assert a_lane(min_size=10, max_size=20).matches("a", size) is matches


@given(
    st.builds(
        Lane,
        name=st.text(min_size=1),
        prefixes=st.lists(st.text(), min_size=1).map(tuple),
        suffixes=st.lists(st.text()).map(tuple),
        exclude_prefixes=st.lists(st.text()).map(tuple),
        other_lanes_prefixes=st.lists(st.text()).map(tuple),
        min_size=st.integers(0),
        max_size=st.none() | st.integers(0),
        min_confidence=st.floats(0, 100),
        adapter=st.sampled_from([None, ADAPTER]),
        policy=st.text(min_size=1),
        policy_overrides=st.dictionaries(st.text(), st.text(min_size=1)).map(lambda found: tuple(found.items())),
        engine=st.sampled_from(Engine),
        priority=st.sampled_from(Priority),
        job_deadline_seconds=st.integers(1),
    )
)
def test_a_lane_survives_the_way_through_an_environment_variable(lane: Lane) -> None:
    assert Lane.from_document(json.loads(json.dumps(lane.to_document()))) == lane


def test_the_longest_prefix_chooses_the_policy() -> None:
    lane = a_lane(policy_overrides=(("kids/", "strict"), ("kids/art/", "permissive"), ("kids/art/b", "standard")))

    assert lane.policy_for("cat.jpg") == "standard"
    assert lane.policy_for("kids") == "standard"
    assert lane.policy_for("kids/cat.jpg") == "strict"
    assert lane.policy_for("kids/art/cat.jpg") == "permissive"
    assert lane.policy_for("kids/art/bear.jpg") == "standard"
    assert lane.policy_for("art/kids/cat.jpg") == "standard"


def test_prefixes_are_compared_as_they_are_written() -> None:
    assert a_lane(policy_overrides=(("Kids/", "strict"),)).policy_for("kids/cat.jpg") == "standard"


def test_an_override_for_every_key_takes_the_lanes_own_place() -> None:
    assert a_lane(policy_overrides=(("", "strict"),)).policy_for("cat.jpg") == "strict"


def _by_trying_every_prefix(lane: Lane, key: str) -> str:
    overrides = dict(lane.policy_overrides)
    for length in range(len(key), -1, -1):
        if key[:length] in overrides:
            return overrides[key[:length]]
    return lane.policy


@given(
    overrides=st.dictionaries(st.text("ab/", max_size=4), st.sampled_from(["strict", "standard", "permissive"])),
    key=st.text("ab/", max_size=6),
    data=st.data(),
)
def test_whatever_their_order_the_longest_prefix_wins(overrides: dict[str, str], key: str, data: st.DataObject) -> None:
    lane = a_lane(policy="own", policy_overrides=tuple(data.draw(st.permutations(list(overrides.items())))))

    assert lane.policy_for(key) == _by_trying_every_prefix(lane, key)
    assert lane.policy_for(key) in lane.policies


def test_a_lane_tells_each_policy_it_may_need_once() -> None:
    assert a_lane().policies == ("standard",)
    assert a_lane(policy_overrides=(("b/", "strict"), ("a/", "permissive"), ("c/", "strict"))).policies == (
        "permissive",
        "standard",
        "strict",
    )


def test_a_lane_without_overrides_in_its_document_has_none() -> None:
    assert Lane.from_document({"name": "default"}) == a_lane()


def test_a_field_of_another_version_is_named() -> None:
    with pytest.raises(TypeError, match="color"):
        Lane.from_document({"name": "default", "color": "red"})


@pytest.mark.parametrize("field", ["engine", "priority"])
def test_an_engine_or_a_priority_of_another_version_is_named(field: str) -> None:
    with pytest.raises(ValueError, match="quantum"):
        Lane.from_document({"name": "default", field: "quantum"})


def test_a_lane_is_live_and_lets_the_batch_choose_its_engine_unless_told_otherwise() -> None:
    assert (a_lane().engine, a_lane().priority) == (Engine.AUTO, Priority.LIVE)


def test_a_lane_without_a_name_is_refused() -> None:
    with pytest.raises(TypeError, match="name"):
        Lane.from_document({"prefixes": [""]})
