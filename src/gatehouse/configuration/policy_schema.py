"""The JSON Schema of a policy file, which editors use for completion and checks.

    python -m gatehouse.configuration.policy_schema > policies/policy.schema.json

generates the file from the labels, keys and bounds in the domain code. A schema can't express everything that the
parser checks: values that contradict each other (review at or above block, a refinement that an earlier one hides), a
content type that looks misspelled, and unprintable text. Except for the name `$defs`, it uses nothing newer than
draft 7, because some editors support nothing newer.
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
    UNSEEN_FRAMES,
)
from gatehouse.moderation.policy.rule import CONTENT_TYPES, Outcome, UnseenFrames

Schema = dict[str, Any]

_ALLOW: Schema = {"const": Outcome.ALLOW.value, "description": "Ignore the label, at any confidence."}
_CONTENT_TYPE_MEANINGS = {
    "Animated": "Video games, cartoons, comics, manga, anime.",
    "Illustrated": "Drawings, paintings, sketches.",
}


def policy_schema() -> Schema:
    """The schema, JSON Schema draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Gatehouse policy",
        "description": "How an image is judged by its labels from Rekognition and their confidence.",
        "type": "object",
        "properties": {
            "schema": {"const": SCHEMA, "description": "The format of this file. Optional."},
            "name": {
                "description": "The file's name without .yaml. Lanes refer to the policy by this name.",
                "type": "string",
                "pattern": f"^{NAME_PATTERN}$",
                "maxLength": MAX_NAME,
            },
            "version": {
                "description": "A version of your choice, recorded in every verdict. Quote it, or YAML reads a number.",
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_VERSION,
                "examples": ["1", "2026-11"],
            },
            UNSEEN_FRAMES: {
                "description": "What becomes of an animation that would be approved, and has more frames than were "
                "looked at. review if left out.",
                "enum": list(UnseenFrames),
            },
            "description": {
                "description": "Who should use the policy, in one sentence.",
                "type": "string",
                "maxLength": MAX_DESCRIPTION,
            },
            "default": _reference(
                "rule", "For labels of the taxonomy without a rule for them or for a label above them."
            ),
            "rules": {
                "description": "Rules by label. For each label, the rule for it or the nearest label above it applies, "
                "and replaces the others completely. Moderate on levels 1 and 2; use level 3 for exceptions.",
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
    """The text of policies/policy.schema.json."""
    return json.dumps(policy_schema(), indent=2) + "\n"


def _definitions() -> Mapping[str, Schema]:
    thresholds = {
        "review": _reference("confidence", "A person reviews the image at this confidence or higher."),
        "block": _reference("confidence", "The image is blocked at this confidence or higher. Must be above review."),
    }
    when = {
        "description": "Refinements, in order. The first one that matches the image replaces all thresholds.",
        "type": "array",
        "items": {"$ref": "#/$defs/refinement"},
        "minItems": 1,
        "maxItems": MAX_REFINEMENTS,
    }
    allow = {"const": True, "description": "Ignore the label, unless a refinement says otherwise."}
    return {
        "confidence": {"type": "number", "minimum": 0, "maximum": 100},
        "rule": {
            "description": "allow, or the confidences from which the image is reviewed or blocked.",
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
            "description": "allow, or the thresholds that apply instead.",
            "anyOf": [
                _ALLOW,
                {"type": "object", "properties": thresholds, "minProperties": 1, "additionalProperties": False},
            ],
        },
        "refinement": {
            "description": "A different outcome for some content types.",
            "type": "object",
            "properties": {
                "content_types": {
                    "description": "Content types, and the confidence that one of them must reach.",
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
