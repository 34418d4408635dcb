import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.analysis import ResultLineError, parse_answer
from gatehouse.moderation.merging import merge
from tests.unit.builders import ADAPTER, an_answer

NAMES = st.sampled_from(["Violence", "Weapons", "Explicit", "Alcohol"])
ANSWERS = st.dictionaries(NAMES, st.integers(0, 100).map(float)).map(an_answer)


def test_a_label_counts_at_its_highest_confidence() -> None:
    merged = merge(an_answer({"Violence": 60.0, "Alcohol": 80.0}), an_answer({"Violence": 90.0}))

    assert [(label.name, label.confidence) for label in parse_answer(merged).labels] == [
        ("Violence", 90.0),
        ("Alcohol", 80.0),
    ]


@given(one=ANSWERS, other=ANSWERS)
def test_the_order_of_frames_makes_no_difference(one: dict[str, object], other: dict[str, object]) -> None:
    assert parse_answer(merge(one, other)) == parse_answer(merge(other, one))


def test_a_drawing_among_the_frames_makes_no_drawing_of_a_photo() -> None:
    drawing = {"ModerationLabels": [], "ContentTypes": [{"Name": "Illustrated", "Confidence": 99.0}]}
    fainter = {"ModerationLabels": [], "ContentTypes": [{"Name": "Illustrated", "Confidence": 70.0}]}

    assert parse_answer(merge(drawing, an_answer())).content_types == ()
    assert [kind.confidence for kind in parse_answer(merge(drawing, fainter)).content_types] == [70.0]


def test_an_adapter_answered_only_if_it_gave_every_answer() -> None:
    by_adapter = {**an_answer(), "ProjectVersion": ADAPTER}

    assert parse_answer(merge(by_adapter, by_adapter)).adapter == ADAPTER
    assert parse_answer(merge(by_adapter, an_answer())).adapter is None


def test_an_answer_of_another_shape_is_refused() -> None:
    with pytest.raises(ResultLineError):
        merge(an_answer(), {})
