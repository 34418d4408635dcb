"""Checking requests against Rekognition's API model, the one that boto3 carries.

Every constraint of the model counts: required members, types, lengths, ranges, patterns and enumerations. boto3 itself
checks only some of them. The texts are those that AWS's services give for such a violation.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

from localcloud.rekognition.errors import ErrorName, ServiceError
from localcloud.rekognition.unicode_text import is_encodable


def validate(operation: str, payload: object) -> dict[str, Any]:
    """The request's known members, without nulls and with blobs decoded.

    Raises:
        ServiceError: SerializationException if a member is of the wrong type, InvalidParameterException if a constraint
            of the model is violated.
    """
    shape = _input_shape(operation)
    request = _read(shape, payload, "")
    problems = list(_violations(shape, request, ""))
    if problems:
        count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
        raise ServiceError(ErrorName.INVALID_PARAMETER, f"{count}: {'; '.join(problems)}")
    return dict(request)


@cache
def _input_shape(operation: str) -> Shape:
    shape = _service_model().operation_model(operation).input_shape
    if shape is None:
        raise LookupError(f"{operation} takes no input")
    return shape


@cache
def _service_model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("rekognition", "service-2"), "rekognition")


def _read(shape: Shape, value: object, path: str) -> Any:
    """The value as the model's type, checked for nothing but its type."""
    match shape.type_name:
        case "structure" if isinstance(shape, StructureShape) and isinstance(value, dict):
            given = {name: value[name] for name in shape.members if value.get(name) is not None}
            return {name: _read(shape.members[name], member, _join(path, name)) for name, member in given.items()}
        case "list" if isinstance(shape, ListShape) and isinstance(value, list):
            return [_read(shape.member, member, f"{path}.{index}.member") for index, member in enumerate(value, 1)]
        case "string" if isinstance(value, str) and is_encodable(value):
            return value
        case "float" if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        case "integer" if isinstance(value, int) and not isinstance(value, bool):
            return value
        case "boolean" if isinstance(value, bool):
            return value
        case "map" if isinstance(value, dict):
            return value  # tags, of which nothing is checked locally
        case "blob" if isinstance(value, str):
            try:
                return base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError) as error:
                raise ServiceError(ErrorName.SERIALIZATION, f"'{path}' is not base64: {error}") from error
    raise ServiceError(ErrorName.SERIALIZATION, f"'{path}' is not of the type {shape.type_name}")


def _violations(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name in shape.required_members:
            if name not in value:
                yield _problem(None, _join(path, name), "Member must not be null")
        for name, member in value.items():
            yield from _violations(shape.members[name], member, _join(path, name))
    elif isinstance(shape, ListShape):
        yield from _size_violations(shape, len(value), "length", value, path)
        for index, member in enumerate(value, 1):
            yield from _violations(shape.member, member, f"{path}.{index}.member")
    elif shape.type_name == "string":
        yield from _string_violations(shape, value, path)
    elif shape.type_name == "blob":
        # The greatest length is left to the image's own check, whose error says what is too large.
        if len(value) < shape.metadata.get("min", 0):
            yield _problem("", path, f"Member must have length greater than or equal to {shape.metadata['min']}")
    else:
        yield from _size_violations(shape, value, "value", value, path)


def _string_violations(shape: Shape, value: str, path: str) -> Iterator[str]:
    too_long_or_short = list(_size_violations(shape, len(value), "length", value, path))
    yield from too_long_or_short
    pattern = shape.metadata.get("pattern")
    if pattern is not None and not too_long_or_short and not re.fullmatch(pattern, value, re.ASCII):
        yield _problem(value, path, f"Member must satisfy regular expression pattern: {pattern}")
    allowed = shape.metadata.get("enum")
    if allowed is not None and value not in allowed:
        yield _problem(value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")


def _size_violations(shape: Shape, size: float, what: str, value: object, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield _problem(value, path, f"Member must have {what} greater than or equal to {least}")
    if most is not None and size > most:
        yield _problem(value, path, f"Member must have {what} less than or equal to {most}")


def _problem(value: object, path: str, constraint: str) -> str:
    shown = "null" if value is None else f"'{value}'"
    return f"Value {shown[:100]} at '{path}' failed to satisfy constraint: {constraint}"


def _join(path: str, name: str) -> str:
    member = name[0].lower() + name[1:]
    return f"{path}.{member}" if path else member
