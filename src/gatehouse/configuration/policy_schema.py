"""The JSON Schema of a policy's file, by which editors complete and check it.

    python -m gatehouse.configuration.policy_schema > policies/policy.schema.json

makes the file from what the domain says about labels, keys and bounds. A schema can't say all that the parser checks:
values that contradict each other (review at or above block, a refinement that an earlier one hides), a content type
that looks misspelled, and text that can't be printed. But for the name `$defs` nothing in it is newer than draft 7,
which is all that some editors know.
"""

import json
from collections.abc import Mapping
from typing import Any

from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.policy.policy_document import (
    MAX_CONTENT_TYPE,
    MAX_DESCRIPTION,
    MAX_NAME,
    MAX_REFINEMENTS,
    MAX_VERSION,
    NAME_PATTERN,
    SCHEMA,
)
from gatehouse.moderation.policy.rule import CONTENT_TYPES, Outcome

Schema = dict[str, Any]

_ALLOW: Schema = {"const": Outcome.ALLOW.value, "description": "Nothing is made of it, at any confidence."}
_CONTENT_TYPE_MEANINGS = {
    "Animated": "Video games, cartoons, comics, manga, anime.",
    "Illustrated": "Drawings, paintings, sketches.",
}


def policy_schema() -> Schema:
    """The schema, JSON Schema draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Gatehouse policy",
        "description": "What becomes of an image, by the labels Rekognition finds in it and how sure it is.",
        "type": "object",
        "properties": {
            "schema": {"const": SCHEMA, "description": "The form this file is written in. May be left out."},
            "name": {
                "description": "The file's name without .yaml. Lanes choose a policy by it.",
                "type": "string",
                "pattern": f"^{NAME_PATTERN}$",
                "maxLength": MAX_NAME,
            },
            "version": {
                "description": "Yours to choose; stands on every verdict. In quotes, so that it is no number.",
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_VERSION,
                "examples": ["1", "2026-11"],
            },
            "description": {
                "description": "Whom the policy suits, in a sentence.",
                "type": "string",
                "maxLength": MAX_DESCRIPTION,
            },
            "default": _reference(
                "rule", "For labels of the taxonomy that no rule names, neither themselves nor above."
            ),
            "rules": {
                "description": "Rules by label. The nearest of a label and those above it counts, and replaces the "
                "ones above it whole. Moderate on levels 1 and 2; use level 3 to take concepts out.",
                "type": "object",
                "properties": {label: _reference("rule", _lineage(label)) for label in taxonomy.PARENTS},
                "additionalProperties": False,
            },
        },
        "required": ["name", "version", "default"],
        "additionalProperties": False,
        "$defs": _definitions(),
    }


def schema_text() -> str:
    """The schema as the repository holds it."""
    return json.dumps(policy_schema(), indent=2) + "\n"


def _definitions() -> Mapping[str, Schema]:
    thresholds = {
        "review": _reference("confidence", "A person looks from this confidence on."),
        "block": _reference("confidence", "Blocked from this confidence on; above review."),
    }
    when = {
        "description": "Refinements, in order. The first that the image reaches replaces the thresholds whole.",
        "type": "array",
        "items": {"$ref": "#/$defs/refinement"},
        "minItems": 1,
        "maxItems": MAX_REFINEMENTS,
    }
    allow = {"const": True, "description": "Nothing is made of it, unless a refinement says otherwise."}
    return {
        "confidence": {"type": "number", "minimum": 0, "maximum": 100},
        "rule": {
            "description": "allow, or the confidences from which people look or the image is blocked.",
            "anyOf": [
                _ALLOW,
                {
                    "type": "object",
                    "properties": {**thresholds, "when": when},
                    "anyOf": [{"required": [name]} for name in thresholds],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"allow": allow, "when": when},
                    "required": ["allow", "when"],
                    "additionalProperties": False,
                },
            ],
        },
        "outcome": {
            "description": "allow, or the thresholds that hold instead.",
            "anyOf": [
                _ALLOW,
                {"type": "object", "properties": thresholds, "minProperties": 1, "additionalProperties": False},
            ],
        },
        "refinement": {
            "description": "Another outcome for a kind of image.",
            "type": "object",
            "properties": {
                "content_types": {
                    "description": "Kinds of image, and how sure Rekognition must be of one of them.",
                    "type": "object",
                    "properties": {
                        name: _reference("confidence", _CONTENT_TYPE_MEANINGS[name]) for name in CONTENT_TYPES
                    },
                    "propertyNames": {"minLength": 1, "maxLength": MAX_CONTENT_TYPE},
                    "additionalProperties": {"$ref": "#/$defs/confidence"},
                    "minProperties": 1,
                    "examples": [dict.fromkeys(CONTENT_TYPES, 70)],
                },
                "then": {"$ref": "#/$defs/outcome"},
            },
            "required": ["content_types", "then"],
            "additionalProperties": False,
        },
    }


def _reference(definition: str, description: str) -> Schema:
    return {"description": description, "$ref": f"#/$defs/{definition}"}


def _lineage(label: str) -> str:
    above = " > ".join(reversed(taxonomy.ancestors(label)))
    level = taxonomy.level(label)
    return f"Level {level}, under {above}." if above else f"Level {level}."


if __name__ == "__main__":
    print(schema_text(), end="")
