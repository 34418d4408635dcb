"""Labels planted in an image, which stand in for a model that would see them.

The plant is one text, in a JPEG comment or a PNG text chunk, behind a picture of another format, else in the S3
metadata entry `moderation-labels`:

    moderation-labels/1 {"ModerationLabels": [{"Name": "Smoking", "Confidence": 99.4}], "ContentTypes": []}

`ContentTypes` may be left out. Names of labels are the taxonomy's; names of content types are free.
"""

import json
from collections.abc import Mapping
from typing import Any

from gatehouse.moderation.document import shown
from gatehouse.moderation.image_format import format_of
from gatehouse.moderation.policy.taxonomy import PARENTS
from localcloud.rekognition import jpeg, png, trailing_text
from localcloud.rekognition.findings import Finding, Findings
from localcloud.rekognition.images import Image
from localcloud.rekognition.unicode_text import is_encodable

METADATA_KEY = "moderation-labels"

VERSION = "moderation-labels/1"

_NAME = "moderation-labels"
_MOST_CONTENT_TYPES = 50  # the API model's bound
_LONGEST_CONTENT_TYPE = 256


class MalformedPlantError(ValueError):
    """A plant that can't be understood. The message says what is wrong with it."""


def find(image: Image) -> Findings:
    """What is planted in the image, or in its metadata if the image itself has no plant; else nothing.

    Raises:
        MalformedPlantError: there is a plant, and it is malformed or not the only one.
    """
    return planted(image) or Findings()


def planted(image: Image) -> Findings | None:
    """The same, but None if there is no plant at all.

    Raises:
        MalformedPlantError: as `find`.
    """
    plants = [text for text in image.texts if _is_plant(text)]
    if not plants and METADATA_KEY in image.metadata:
        plants = [image.metadata[METADATA_KEY]]
    if len(plants) > 1:
        raise MalformedPlantError(f"the image has {len(plants)} of them")
    return parse(plants[0]) if plants else None


def plant(image: bytes, document: Mapping[str, object]) -> bytes:
    """The same picture with `document` planted in it, in place of a plant it may have.

    Raises:
        MalformedPlantError: `document` is not what `parse` understands.
        ValueError: `image` is of no format that is judged, or a damaged JPEG or PNG.
    """
    text = f"{VERSION} {json.dumps(document)}"
    parse(text)
    if image.startswith(jpeg.SIGNATURE):
        return jpeg.replace_comments(image, text, _is_plant)
    if image.startswith(png.SIGNATURE):
        return png.replace_texts(image, "Comment", text, _is_plant)
    if format_of(image) is not None:
        return trailing_text.replace(image, text, _NAME)
    raise ValueError("labels can be planted in a JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF or BMP only")


def parse(text: str) -> Findings:
    """Read a plant.

    Raises:
        MalformedPlantError: another version, no JSON, or a member, name or confidence that is not allowed.
    """
    version, _, content = text.partition(" ")
    if version != VERSION:
        raise MalformedPlantError(f"they begin with {version[:40]!r}; use {VERSION!r}, a space and a JSON object")
    try:
        document = json.loads(content, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except MalformedPlantError:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedPlantError(f"they are not JSON: {error}") from error
    if not isinstance(document, dict) or not {"ModerationLabels"} <= set(document) <= {
        "ModerationLabels",
        "ContentTypes",
    }:
        raise MalformedPlantError("use an object with ModerationLabels, and ContentTypes if there are any")
    labels = _findings(document, "ModerationLabels")
    content_types = _findings(document, "ContentTypes")
    for label in labels:
        if label.name not in PARENTS:
            raise MalformedPlantError(f"{label.name!r} is no label of the taxonomy, version 7.0")
    if len(content_types) > _MOST_CONTENT_TYPES:
        raise MalformedPlantError(f"ContentTypes has {len(content_types)} entries of at most {_MOST_CONTENT_TYPES}")
    if any(len(content_type.name) > _LONGEST_CONTENT_TYPE for content_type in content_types):
        raise MalformedPlantError(f"a content type's Name is longer than {_LONGEST_CONTENT_TYPE} characters")
    return Findings(labels, content_types)


def _is_plant(text: str) -> bool:
    return text.startswith(_NAME)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise MalformedPlantError("an object has the same member twice")
    return members


def _refuse_constant(name: str) -> float:
    raise MalformedPlantError(f"{name} is not JSON")


def _findings(document: Mapping[str, Any], member: str) -> tuple[Finding, ...]:
    entries = document.get(member, [])
    if not isinstance(entries, list):
        raise MalformedPlantError(f"{member} is not a list")
    findings = tuple(_finding(member, entry) for entry in entries)
    if len({finding.name for finding in findings}) < len(findings):
        raise MalformedPlantError(f"{member} has the same Name twice")
    return findings


def _finding(member: str, entry: object) -> Finding:
    if not isinstance(entry, dict) or set(entry) != {"Name", "Confidence"}:
        raise MalformedPlantError(f"an entry of {member} is not an object of Name and Confidence")
    name, confidence = entry["Name"], entry["Confidence"]
    if not isinstance(name, str) or not name or not is_encodable(name):
        raise MalformedPlantError(f"a Name in {member} is not a text")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 100:
        raise MalformedPlantError(f"the Confidence of {name!r} is {shown(confidence)}, not a number from 0 to 100")
    return Finding(name, float(confidence))
