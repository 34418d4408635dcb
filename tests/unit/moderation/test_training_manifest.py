"""Training data from decisions, and what the evaluation of a training says at a policy's thresholds."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.adapter_comparison import AdapterComparison
from gatehouse.moderation.decision import Decision, acted, decide
from gatehouse.moderation.opinion import Opinion, opinion_on
from gatehouse.moderation.person import Person
from gatehouse.moderation.policy.taxonomy import PARENTS
from gatehouse.moderation.status import Status
from gatehouse.moderation.training_manifest import (
    TestedImage,
    TrainingCounts,
    parse_tested_image,
    training_line,
    true_labels,
)
from tests.unit.builders import a_policy, a_verdict, an_analysis

APPROVED, BLOCKED, REVIEW = Status.APPROVED, Status.BLOCKED, Status.REVIEW


def opinion(policys: Status, persons: Status, reason: str = "context") -> Opinion:
    act = decide(persons, Person("ada"), Decision(reason, None), "2026-11-22T13:00:00.000Z")
    found = opinion_on(acted(a_verdict(policys), act))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("policys", "persons", "labels"),
    [
        (REVIEW, APPROVED, ()),
        (APPROVED, APPROVED, ()),
        (REVIEW, BLOCKED, ("Violence",)),
        (BLOCKED, BLOCKED, ("Violence",)),
        (APPROVED, BLOCKED, None),
    ],
)
def test_a_decision_says_which_labels_a_picture_has(
    policys: Status, persons: Status, labels: tuple[str, ...] | None
) -> None:
    assert true_labels(opinion(policys, persons), {}) == labels


def test_a_reason_code_names_the_label_of_what_no_rule_had_flagged() -> None:
    missed = opinion(APPROVED, BLOCKED, "spam")

    assert true_labels(missed, {"spam": "Gambling"}) == ("Gambling",)
    assert true_labels(missed, {"context": "Gambling"}) is None


@given(key=st.text(), labels=st.lists(st.sampled_from(sorted(PARENTS)), max_size=3).map(tuple))
def test_a_line_is_of_the_documented_form(key: str, labels: tuple[str, ...]) -> None:
    line = training_line(f"s3://b/{key}", labels)

    assert "\n" not in line
    assert json.loads(line) == {
        "source-ref": f"s3://b/{key}",
        "content-moderation-groundtruth": {"ModerationLabels": [{"Name": name} for name in labels]},
    }


@pytest.mark.parametrize(("positives", "negatives", "warned"), [(19, 49, True), (20, 0, False), (0, 50, False)])
def test_what_is_below_both_minimums_is_warned_of(positives: int, negatives: int, warned: bool) -> None:
    counts = TrainingCounts()
    for _ in range(positives):
        counts.add(opinion(REVIEW, APPROVED), ())
    for _ in range(negatives):
        counts.add(opinion(APPROVED, BLOCKED), ("Violence",))

    assert (counts.false_positives["Violence"], counts.false_negatives["Violence"]) == (positives, negatives)
    assert bool(list(counts.warnings())) is warned


def test_no_image_at_all_is_warned_of() -> None:
    assert list(TrainingCounts().warnings()) == ["No image: nothing can be trained."]


def a_tested_line(truth: list[str], adapter: dict[str, float], base: dict[str, float]) -> dict[str, Any]:
    def answer(labels: dict[str, float]) -> dict[str, Any]:
        entries = [{"Name": name, "Confidence": number, "ParentName": ""} for name, number in labels.items()]
        return {"ModerationLabels": entries, "ModerationModelVersion": "7.0", "ProjectVersion": "arn"}

    return {
        "source-ref": "s3://b/1.jpg",
        "content-moderation-groundtruth": {"ModerationLabels": [{"Name": name} for name in truth]},
        "detect-moderation-labels": answer(adapter),
        "detect-moderation-labels-base-model": answer(base),
    }


def test_a_tested_image_has_both_answers_and_the_truth() -> None:
    image = parse_tested_image(json.dumps(a_tested_line(["Violence"], {"Violence": 95.0}, {})))

    assert image is not None
    assert (image.source, image.is_unsafe) == ("s3://b/1.jpg", True)
    assert [label.name for label in image.adapter.labels] == ["Violence"]
    assert image.base.labels == ()
    training = a_tested_line([], {}, {})
    del training["detect-moderation-labels"]
    assert parse_tested_image(json.dumps(training)) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from([*a_tested_line([], {}, {}), "ModerationLabels", "Name"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_no_line_breaks_the_reader(document: object) -> None:
    try:
        image = parse_tested_image(json.dumps(document))
    except ValueError:
        return
    assert image is None or isinstance(image, TestedImage)


def test_an_adapter_is_held_against_the_base_model_at_the_policys_thresholds() -> None:
    comparison = AdapterComparison(a_policy())
    toy = TestedImage("s3://b/toy", False, adapter=an_analysis({"Violence": 49}), base=an_analysis({"Violence": 60}))
    knife = TestedImage("s3://b/knife", True, adapter=an_analysis({"Violence": 55}), base=an_analysis({"Violence": 95}))
    for image in (toy, toy, knife):
        comparison.add(image)

    assert comparison.is_better
    document = comparison.to_document()
    assert (document["base"]["wrong_flags"]["count"], document["base"]["wrong_flags"]["of"]) == (2, 2)
    assert (document["adapter"]["wrong_flags"]["count"], document["adapter"]["wrong_approvals"]["count"]) == (0, 0)


def test_an_adapter_that_approves_more_of_what_people_would_not_is_not_better() -> None:
    comparison = AdapterComparison(a_policy())
    toy = TestedImage("s3://b/toy", False, adapter=an_analysis({}), base=an_analysis({"Violence": 60}))
    missed = replace(toy, is_unsafe=True)
    for image in (toy, toy, toy, missed):
        comparison.add(image)

    assert comparison.adapter.wrong < comparison.base.wrong
    assert not comparison.is_better
    assert not AdapterComparison(a_policy()).is_better  # nothing was tested
