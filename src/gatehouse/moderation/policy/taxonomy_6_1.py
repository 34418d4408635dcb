"""What the labels of moderation model 6.1 became in taxonomy 7.0: advice for people who bring an older policy.

Source: Amazon Rekognition Developer Guide, moderation-response-transform.html. Amazon calls these example mappings:
they are to be looked at, not applied. A function has no use for them and does not import this module.
"""

from collections.abc import Mapping
from types import MappingProxyType

#: The ten categories and 35 labels of 6.1 (Gambling was both) -> the nearest of 7.0. Explicit Nudity, a category then,
#: stands a level lower now, so its name is still known and means less.
SUCCESSORS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Explicit Nudity": ("Explicit",),
        "Nudity": ("Exposed Female Nipple", "Exposed Buttocks or Anus"),
        "Graphic Male Nudity": ("Exposed Male Genitalia",),
        "Graphic Female Nudity": ("Exposed Female Genitalia",),
        "Sexual Activity": ("Explicit Sexual Activity",),
        "Illustrated Explicit Nudity": ("Explicit Nudity", "Explicit Sexual Activity"),
        "Adult Toys": ("Sex Toys",),
        "Suggestive": ("Non-Explicit Nudity of Intimate parts and Kissing", "Swimwear or Underwear"),
        "Female Swimwear Or Underwear": ("Female Swimwear or Underwear",),
        "Male Swimwear Or Underwear": ("Male Swimwear or Underwear",),
        "Partial Nudity": ("Implied Nudity",),
        "Barechested Male": ("Exposed Male Nipple",),
        "Revealing Clothes": ("Non-Explicit Nudity", "Obstructed Intimate Parts"),
        "Sexual Situations": ("Kissing on the Lips",),
        "Violence": ("Violence",),
        "Graphic Violence Or Gore": ("Blood & Gore",),
        "Physical Violence": ("Physical Violence",),
        "Weapon Violence": ("Weapon Violence",),
        "Weapons": ("Weapons",),
        "Self Injury": ("Self-Harm",),
        "Visually Disturbing": ("Visually Disturbing",),
        "Emaciated Bodies": ("Emaciated Bodies",),
        "Corpses": ("Corpses",),
        "Hanging": ("Corpses",),
        "Air Crash": ("Air Crash",),
        "Explosions And Blasts": ("Explosions and Blasts",),
        "Rude Gestures": ("Rude Gestures",),
        "Middle Finger": ("Middle Finger",),
        "Drugs": ("Drugs & Tobacco",),
        "Drug Products": ("Products",),
        "Drug Use": ("Drugs & Tobacco Paraphernalia & Use",),
        "Pills": ("Pills",),
        "Drug Paraphernalia": ("Drugs & Tobacco Paraphernalia & Use",),
        "Tobacco": ("Drugs & Tobacco",),
        "Tobacco Products": ("Products",),
        "Smoking": ("Smoking",),
        "Alcohol": ("Alcohol",),
        "Drinking": ("Drinking",),
        "Alcoholic Beverages": ("Alcoholic Beverages",),
        "Gambling": ("Gambling",),
        "Hate Symbols": ("Hate Symbols",),
        "Nazi Party": ("Nazi Party",),
        "White Supremacy": ("White Supremacy",),
        "Extremist": ("Extremist",),
    }
)

#: Where a label of 6.1 became a label with a kind of image: the content types that stand for the rest of its meaning.
CONTENT_TYPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"Illustrated Explicit Nudity": ("Animated", "Illustrated")}
)
