"""The JSON Schema of gatehouse.yaml, which editors use for completion and checks.

    python -m gatehouse.configuration.settings_schema gatehouse.yaml > gatehouse.schema.json

generates the file: bounds are those of the settings reader, and descriptions are the comments of that gatehouse.yaml.
It accepts all that the reader accepts. It can't express some of the reader's checks: values that contradict each other,
policies that do not exist, and key parts that no object can have.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from gatehouse.configuration.key_part import LITERAL
from gatehouse.configuration.settings import (
    ADAPTER_ARN,
    BUCKET,
    CONCURRENCY,
    DOCS_URL,
    EMAIL,
    ENCRYPTION_KEY,
    EVENT_BUS,
    LOG_RETENTION_DAYS,
    MAX_BATCH_SIZE,
    MAX_CALLS_PER_SECOND,
    MAX_JOB_DEADLINE_HOURS,
    MAX_KEY_BYTES,
    MAX_LANES,
    MAX_OBJECT_SIZE,
    MAX_REASONS,
    MAX_WINDOW_SECONDS,
    MODEL_VERSION,
    NAME,
    ROLE_ARN,
    SHARES,
    TOPIC_ARN,
    VPC_ENDPOINT,
)
from gatehouse.moderation.decision import MAX_REASON, REASON
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.gate import GateMode
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.lane import Priority
from gatehouse.moderation.rendition import MOST_FRAMES_JUDGED
from gatehouse.moderation.status import FINAL

Schema = dict[str, Any]

#: A key at the beginning of a line of gatehouse.yaml.
_KEY = re.compile(r"( *)([a-z_]+):")
_COMMENT = re.compile(r" *# ?(.*)")
_INDENTATION = 2


def settings_schema(settings_text: str) -> Schema:
    """The schema, JSON Schema draft 2020-12.

    Args:
        settings_text: a gatehouse.yaml that shows every key with a comment above it.
    """
    schema = _mapping(
        {
            "name": _text(NAME, 40),
            "upload_bucket": _nullable(_text(BUCKET)),
            "notify": _texts(_choice(sorted(FINAL))),
            "events": _section({"bus": _nullable(_text(EVENT_BUS)), "statuses": _texts(_choice(sorted(FINAL)))}),
            "log_retention_days": {"enum": list(LOG_RETENTION_DAYS)},
            "work_retention_days": _integer(30, 3650),
            "verdict_retention_days": _nullable(_integer(1, 36_500)),
            "alarm_email": _nullable(_text(EMAIL)),
            "alarm_topic_arn": _nullable(_text(TOPIC_ARN)),
            "ticket_topic_arn": _nullable(_text(TOPIC_ARN)),
            "docs_url": _nullable(_text(DOCS_URL)),
            "encryption_key": _nullable(_text(ENCRYPTION_KEY)),
            "image_engine": _section(
                {
                    "calls_per_second": _nullable(_number(1, MAX_CALLS_PER_SECOND)),
                    "shares": _section({priority.value: _integer(*SHARES) for priority in Priority}),
                }
            ),
            "backfill_batches": _integer(1, 20),
            "existing_objects": {"type": "boolean"},
            "model_version": _text(MODEL_VERSION),
            "animation_check": {"type": "boolean"},
            "decision_reasons": {**_texts(_text(REASON, MAX_REASON)), "minItems": 1, "maxItems": MAX_REASONS},
            "gate": _section(
                {
                    "mode": _choice(GateMode),
                    "readers": _section(
                        {"roles": _texts(_text(ROLE_ARN)), "vpc_endpoints": _texts(_text(VPC_ENDPOINT))}
                    ),
                    "open_prefixes": _texts({**_KEY_PART, "minLength": 1}),
                    "trusted_replicators": _texts(_text(ROLE_ARN)),
                    "mark_blocked": {"type": "boolean"},
                }
            ),
            "lanes": {
                "type": ["object", "null"],
                "propertyNames": _text(NAME, 24),
                "minProperties": 1,
                "maxProperties": MAX_LANES,
                "additionalProperties": _section(deepcopy(_LANE)),
            },
        }
    )
    for path, comment in _comments(settings_text):
        if part := _part(schema, path):
            part["description"] = comment
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Gatehouse settings",
        **schema,
        "type": ["object", "null"],
    }


def schema_text(settings_text: str) -> str:
    """The text of gatehouse.schema.json."""
    return f"{json.dumps(settings_schema(settings_text), indent=2)}\n"


def _text(pattern: re.Pattern[str], longest: int | None = None) -> Schema:
    """Text that a pattern matches completely."""
    return {"type": "string", "pattern": f"^(?:{pattern.pattern})$"} | ({"maxLength": longest} if longest else {})


def _choice(choices: Iterable[str]) -> Schema:
    return {"enum": [str(choice) for choice in choices]}


def _texts(item: Schema) -> Schema:
    return {"type": "array", "items": item, "uniqueItems": True}


def _integer(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _number(low: float, high: float) -> Schema:
    return {"type": "number", "minimum": low, "maximum": high}


def _nullable(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _mapping(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _section(properties: Mapping[str, Schema]) -> Schema:
    """A mapping that may be left empty."""
    return _nullable(_mapping(properties))


_KEY_PART = {"type": "string", "maxLength": len(LITERAL) + MAX_KEY_BYTES}
_LANE: Mapping[str, Schema] = {
    "prefixes": {**_texts(_KEY_PART), "minItems": 1},
    "suffixes": _texts({**_KEY_PART, "minLength": 1}),
    "exclude_prefixes": _texts(_KEY_PART),
    "min_size": _integer(0, MAX_OBJECT_SIZE),
    "max_size": _nullable(_integer(0, MAX_OBJECT_SIZE)),
    "priority": _choice(Priority),
    "engine": _choice(Engine),
    "max_wait": _integer(0, MAX_WINDOW_SECONDS),
    "batch_size": _integer(1, MAX_BATCH_SIZE),
    "max_concurrency": _integer(*CONCURRENCY),
    "min_confidence": _number(0, 100),
    "samples": _number(0, 1),
    "policy": {"type": "string"},
    "policy_overrides": _nullable(
        {"type": "object", "propertyNames": _KEY_PART, "additionalProperties": {"type": "string"}}
    ),
    "adapter": _nullable(_text(ADAPTER_ARN)),
    "formats": _texts(_choice(image_format.value.lower() for image_format in ImageFormat)),
    "max_frames": _integer(1, MOST_FRAMES_JUDGED),
    "job_deadline_hours": _integer(1, MAX_JOB_DEADLINE_HOURS),
}


def _comments(settings_text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each key that has a comment right above it, with the keys around it, and the comment."""
    path: list[str] = []
    comment: list[str] = []
    for line in settings_text.splitlines():
        if found := _COMMENT.fullmatch(line):
            comment.append(found[1])
            continue
        if found := _KEY.match(line):
            path[len(found[1]) // _INDENTATION :] = [found[2]]
            if comment:
                yield tuple(path), " ".join(comment)
        comment = []


def _part(schema: Schema, path: tuple[str, ...]) -> Schema | None:
    """The schema of a key; any lane's for the one that the file shows."""
    for name in path:
        found = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
        if not isinstance(found, dict):
            return None
        schema = found
    return schema


def main() -> None:
    """Print the schema for the settings file that is named."""
    sys.stdout.write(schema_text(Path(sys.argv[1]).read_text("utf-8")))


if __name__ == "__main__":
    main()
