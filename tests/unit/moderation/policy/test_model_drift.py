import pytest

from gatehouse.moderation.analysis import Analysis, Label
from gatehouse.moderation.policy.model_drift import MAX_NAME, loggable, other_versions, unknown_labels
from tests.unit.builders import ADAPTER, an_analysis


def test_answers_of_another_model_are_counted_by_version() -> None:
    analyses = [an_analysis(model_version=version) for version in ("7.0", "7.1", "8.0", "7.1")]

    assert other_versions(analyses, "7.0") == {"7.1": 2, "8.0": 1}


def test_an_answer_that_names_no_version_says_nothing() -> None:
    assert not other_versions([an_analysis(model_version=None)], "7.0")


def test_an_adapter_is_not_taken_for_another_model() -> None:
    assert not other_versions([an_analysis(model_version="6.1", adapter=ADAPTER)], "7.0")


def test_labels_the_taxonomy_does_not_have_are_named_with_their_parents() -> None:
    strange = Analysis((Label("Weapons", "Violence", 90.0), Label("Spears", "Weapons", 80.0), Label("Omens", "", 70.0)))

    assert unknown_labels([an_analysis({"Violence": 90}), strange]) == {"Spears": "Weapons", "Omens": ""}


@pytest.mark.parametrize("hostile", ["a\nb", "a\x1b[2Jb", "a\u2028b", "a\u202eb", "a\x7fb"])
def test_a_name_writes_no_second_line_and_commands_no_terminal(hostile: str) -> None:
    assert loggable(hostile).isprintable()
    assert (loggable(hostile)[0], loggable(hostile)[-1]) == ("a", "b")


def test_a_long_name_is_cut() -> None:
    assert loggable("x" * 10_000) == "x" * MAX_NAME
