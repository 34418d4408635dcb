from collections import Counter

import pytest

from gatehouse.moderation.policy.taxonomy import PARENTS, VERSION, ancestors, descendants, level
from gatehouse.moderation.policy.taxonomy_6_1 import CONTENT_TYPES, SUCCESSORS

#: Labels below each of level 1, on levels 2 and 3, as the guide's table shows them.
BELOW = {
    "Explicit": (3, 4),
    "Non-Explicit Nudity of Intimate parts and Kissing": (3, 7),
    "Swimwear or Underwear": (2, 0),
    "Violence": (2, 5),
    "Visually Disturbing": (2, 3),
    "Drugs & Tobacco": (2, 2),
    "Alcohol": (2, 1),
    "Rude Gestures": (1, 0),
    "Gambling": (0, 0),
    "Hate Symbols": (3, 0),
}


def test_the_taxonomy_has_the_labels_the_guide_counts() -> None:
    assert VERSION == "7.0"
    assert Counter(level(name) for name in PARENTS) == {1: 10, 2: 20, 3: 22}


def test_each_category_has_the_labels_the_guide_shows() -> None:
    counted = {
        name: Counter(level(below) for below in descendants(name)) for name, above in PARENTS.items() if not above
    }

    assert {name: (levels[2], levels[3]) for name, levels in counted.items()} == BELOW


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


def test_descendants_are_all_that_stand_below() -> None:
    assert descendants("Visually Disturbing") == (
        "Death and Emaciation",
        "Emaciated Bodies",
        "Corpses",
        "Crashes",
        "Air Crash",
    )
    assert descendants("Crashes") == ("Air Crash",)
    assert descendants("Air Crash") == descendants("no label") == descendants("") == ()


def test_a_label_is_below_exactly_its_ancestors() -> None:
    assert {(name, below) for name in PARENTS for below in descendants(name)} == {
        (above, name) for name in PARENTS for above in ancestors(name)
    }


def test_an_unknown_name_has_no_level() -> None:
    with pytest.raises(KeyError):
        level("no label")


def test_the_taxonomy_cannot_be_changed_by_accident() -> None:
    with pytest.raises(TypeError):
        PARENTS["Violence"] = "Alcohol"  # type: ignore[index]


def test_6_1_had_ten_categories_and_35_labels_and_gambling_was_both() -> None:
    assert len(SUCCESSORS) == 10 + 35 - 1


def test_every_successor_is_a_label_of_7_0() -> None:
    for successors in SUCCESSORS.values():
        assert successors
        assert set(successors) <= PARENTS.keys()


def test_a_name_that_both_versions_have_leads_to_itself_except_for_the_one_that_moved() -> None:
    moved = {name: successors for name, successors in SUCCESSORS.items() if name in PARENTS and successors != (name,)}

    assert moved == {"Explicit Nudity": ("Explicit",)}


def test_a_kind_of_image_completes_the_labels_that_were_drawings() -> None:
    assert CONTENT_TYPES == {"Illustrated Explicit Nudity": ("Animated", "Illustrated")}
    assert CONTENT_TYPES.keys() <= SUCCESSORS.keys()
