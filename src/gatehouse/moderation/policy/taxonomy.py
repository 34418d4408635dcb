"""Rekognition's moderation label taxonomy, version 7.0: 10 + 20 + 22 labels on three levels.

Source: Amazon Rekognition Developer Guide, moderation-api.html, table "Label Categories". In version 7 a name stands
under one parent only, so a name alone identifies a label.
"""

from collections.abc import Mapping
from types import MappingProxyType

VERSION = "7.0"

#: Label name -> parent's name; "" for the ten labels of level 1, as the API writes it.
PARENTS: Mapping[str, str] = MappingProxyType(
    {
        "Explicit": "",
        "Explicit Nudity": "Explicit",
        "Exposed Male Genitalia": "Explicit Nudity",
        "Exposed Female Genitalia": "Explicit Nudity",
        "Exposed Buttocks or Anus": "Explicit Nudity",
        "Exposed Female Nipple": "Explicit Nudity",
        "Explicit Sexual Activity": "Explicit",
        "Sex Toys": "Explicit",
        "Non-Explicit Nudity of Intimate parts and Kissing": "",
        "Non-Explicit Nudity": "Non-Explicit Nudity of Intimate parts and Kissing",
        "Bare Back": "Non-Explicit Nudity",
        "Exposed Male Nipple": "Non-Explicit Nudity",
        "Partially Exposed Buttocks": "Non-Explicit Nudity",
        "Partially Exposed Female Breast": "Non-Explicit Nudity",
        "Implied Nudity": "Non-Explicit Nudity",
        "Obstructed Intimate Parts": "Non-Explicit Nudity of Intimate parts and Kissing",
        "Obstructed Female Nipple": "Obstructed Intimate Parts",
        "Obstructed Male Genitalia": "Obstructed Intimate Parts",
        "Kissing on the Lips": "Non-Explicit Nudity of Intimate parts and Kissing",
        "Swimwear or Underwear": "",
        "Female Swimwear or Underwear": "Swimwear or Underwear",
        "Male Swimwear or Underwear": "Swimwear or Underwear",
        "Violence": "",
        "Weapons": "Violence",
        "Graphic Violence": "Violence",
        "Weapon Violence": "Graphic Violence",
        "Physical Violence": "Graphic Violence",
        "Self-Harm": "Graphic Violence",
        "Blood & Gore": "Graphic Violence",
        "Explosions and Blasts": "Graphic Violence",
        "Visually Disturbing": "",
        "Death and Emaciation": "Visually Disturbing",
        "Emaciated Bodies": "Death and Emaciation",
        "Corpses": "Death and Emaciation",
        "Crashes": "Visually Disturbing",
        "Air Crash": "Crashes",
        "Drugs & Tobacco": "",
        "Products": "Drugs & Tobacco",
        "Pills": "Products",
        "Drugs & Tobacco Paraphernalia & Use": "Drugs & Tobacco",
        "Smoking": "Drugs & Tobacco Paraphernalia & Use",
        "Alcohol": "",
        "Alcohol Use": "Alcohol",
        "Drinking": "Alcohol Use",
        "Alcoholic Beverages": "Alcohol",
        "Rude Gestures": "",
        "Middle Finger": "Rude Gestures",
        "Gambling": "",
        "Hate Symbols": "",
        "Nazi Party": "Hate Symbols",
        "White Supremacy": "Hate Symbols",
        "Extremist": "Hate Symbols",
    }
)


def ancestors(name: str) -> tuple[str, ...]:
    """The labels above `name`, nearest first; empty for a level 1 label and for an unknown name."""
    found: list[str] = []
    parent = PARENTS.get(name, "")
    while parent:
        found.append(parent)
        parent = PARENTS[parent]
    return tuple(found)


def descendants(name: str) -> tuple[str, ...]:
    """The labels below `name`, in the table's order; empty for a label without children and for an unknown name."""
    return tuple(label for label in PARENTS if name in ancestors(label))


def level(name: str) -> int:
    """1, 2 or 3.

    Raises:
        KeyError: the taxonomy has no such label.
    """
    if name not in PARENTS:
        raise KeyError(name)
    return len(ancestors(name)) + 1
