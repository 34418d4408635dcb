from collections import Counter

import pytest

from lambdas.moderation.taxonomy import PARENTS, ancestors, level


def test_the_taxonomy_has_the_labels_the_guide_counts() -> None:
    assert Counter(level(name) for name in PARENTS) == {1: 10, 2: 20, 3: 22}


def test_every_parent_is_a_label_one_level_up() -> None:
    for name, parent in PARENTS.items():
        assert level(name) == (level(parent) + 1 if parent else 1)


def test_gambling_alone_has_no_labels_below_it() -> None:
    parents = set(PARENTS.values())

    assert {name for name in PARENTS if level(name) == 1} - parents == {"Gambling"}
    assert sum(level(name) == 2 and name in parents for name in PARENTS) == 9


def test_ancestors_come_nearest_first() -> None:
    assert ancestors("Corpses") == ("Death and Emaciation", "Visually Disturbing")
    assert ancestors("Violence") == ()
    assert ancestors("no label") == ()


def test_an_unknown_name_has_no_level() -> None:
    with pytest.raises(KeyError):
        level("no label")


def test_the_taxonomy_cannot_be_changed_by_accident() -> None:
    with pytest.raises(TypeError):
        PARENTS["Violence"] = "Alcohol"  # type: ignore[index]
