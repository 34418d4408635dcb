from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.policy.taxonomy import PARENTS, ancestors, level
from localcloud.rekognition.analysis import answer
from localcloud.rekognition.findings import Finding, Findings

findings_of_labels = st.builds(
    lambda labels: Findings(tuple(labels)),
    st.lists(st.builds(Finding, st.sampled_from(sorted(PARENTS)), st.floats(0, 100)), unique_by=lambda one: one.name),
)


def confidences(findings: Findings, min_confidence: float = 0.0) -> dict[str, float]:
    labels = answer(findings, min_confidence, None)["ModerationLabels"]
    return {label["Name"]: label["Confidence"] for label in labels}


def test_the_published_explosion_comes_out() -> None:
    findings = Findings((Finding("Explosions and Blasts", 92.6),), (Finding("Illustrated", 93.9),))

    assert answer(findings, 50.0, None) == {
        "ModerationLabels": [
            {
                "Confidence": 92.6,
                "Name": "Explosions and Blasts",
                "ParentName": "Graphic Violence",
                "TaxonomyLevel": 3,
            },
            {"Confidence": 92.6, "Name": "Graphic Violence", "ParentName": "Violence", "TaxonomyLevel": 2},
            {"Confidence": 92.6, "Name": "Violence", "ParentName": "", "TaxonomyLevel": 1},
        ],
        "ModerationModelVersion": "7.0",
        "ContentTypes": [{"Confidence": 93.9, "Name": "Illustrated"}],
    }


def test_a_clean_image_has_empty_lists() -> None:
    assert answer(Findings(), 0.0, None) == {
        "ModerationLabels": [],
        "ModerationModelVersion": "7.0",
        "ContentTypes": [],
    }


def test_a_parent_planted_higher_keeps_its_own_confidence() -> None:
    findings = Findings((Finding("Smoking", 60.0), Finding("Drugs & Tobacco Paraphernalia & Use", 80.0)))

    assert confidences(findings) == {
        "Smoking": 60.0,
        "Drugs & Tobacco Paraphernalia & Use": 80.0,
        "Drugs & Tobacco": 80.0,
    }


def test_a_parent_planted_lower_rises_to_its_child() -> None:
    findings = Findings((Finding("Violence", 10.0), Finding("Weapons", 70.0)))

    assert confidences(findings) == {"Weapons": 70.0, "Violence": 70.0}


def test_min_confidence_is_inclusive_and_leaves_content_types_alone() -> None:
    findings = Findings((Finding("Gambling", 50.0), Finding("Weapons", 49.9)), (Finding("Animated", 12.0),))

    response = answer(findings, 50.0, None)

    assert [label["Name"] for label in response["ModerationLabels"]] == ["Gambling"]
    assert response["ContentTypes"] == [{"Confidence": 12.0, "Name": "Animated"}]


def test_the_adapter_is_named_if_one_was_used() -> None:
    assert answer(Findings(), 0.0, "arn")["ProjectVersion"] == "arn"


@given(findings_of_labels, st.floats(0, 100))
def test_every_answer_is_closed_under_parents_and_ordered(findings: Findings, min_confidence: float) -> None:
    labels = answer(findings, min_confidence, None)["ModerationLabels"]
    found = {label["Name"]: label["Confidence"] for label in labels}

    assert len(found) == len(labels)
    assert all(confidence >= min_confidence for confidence in found.values())
    for name, confidence in found.items():
        assert all(found[ancestor] >= confidence for ancestor in ancestors(name))
    assert [label["TaxonomyLevel"] for label in labels] == sorted((level(name) for name in found), reverse=True)
    assert all(label["ParentName"] == PARENTS[label["Name"]] for label in labels)
