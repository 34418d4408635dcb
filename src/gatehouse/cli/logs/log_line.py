"""A line of a function's log, for people: when, how bad, who, what, and the fields that matter."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gatehouse.cli.aws.deployed_logs import LogEvent
from gatehouse.moderation.moment import iso

#: Fields of every line that say nothing about it, or that are shown in front (Powertools for AWS Lambda, Logger).
_LEFT_OUT = frozenset(
    {
        *("timestamp", "level", "message", "service", "location", "sampling_rate", "xray_trace_id", "cold_start"),
        *("function_arn", "function_memory_size", "function_name", "function_request_id"),
        *("type", "id", "previous_event_id", "event_timestamp", "redrive_count"),
    }
)

#: What Lambda writes before and after each run, where logs are text.
_NOTE_OF_A_RUN = re.compile(r"(START|END|REPORT|INIT_START) (RequestId|Runtime)")

#: Levels that `--errors` keeps.
ERROR_LEVELS = ("ERROR", "WARNING", "CRITICAL")

#: Ends of the types of what Step Functions logs about a failure (Developer Guide, cloudwatch-log-level.html).
FAILED_TYPES = ("Failed", "TimedOut", "Aborted", "FailStateEntered")

#: What Lambda reports of a run that did not succeed (Developer Guide, telemetry-schema-reference).
FAILED_RUNS = ("error", "failure", "timeout")

_STYLES = {"ERROR": "red", "CRITICAL": "red", "WARNING": "yellow", "WARN": "yellow"}


def parsed(event: LogEvent) -> dict[str, Any]:
    """What an entry says: the document that it is, or its text as `message`."""
    try:
        document = json.loads(event.message)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        document = {"message": event.message.rstrip("\n")}
    return document


def is_noise(event: LogEvent) -> bool:
    """Whether it is no function's own word: a metric (CloudWatch's embedded format), or Lambda's note of a run.

    A run that Lambda reports as anything but a success is no noise (Developer Guide, telemetry-schema-reference).
    """
    document = parsed(event)
    if "_aws" in document:
        return True
    if str(document.get("type", "")).startswith("platform."):
        record = document.get("record")
        return not isinstance(record, dict) or record.get("status", "success") == "success"
    return _NOTE_OF_A_RUN.match(str(document.get("message", ""))) is not None


def is_wanted(event: LogEvent, batch: str | None, *, errors: bool) -> bool:
    """Whether it is about the batch, and bad enough. CloudWatch was asked for that, and the local cloud ignores it."""
    document = parsed(event)
    execution = str(document.get("execution_arn", "")).rpartition(":")[2]
    return batch in (None, document.get("batch_id"), execution) and (not errors or _level(document) in ERROR_LEVELS)


def _level(document: Mapping[str, Any]) -> str | None:
    """How bad it is. Step Functions and Lambda's notes of runs have no level, but say whether something failed."""
    if "level" in document:
        return str(document["level"])
    record = document.get("record")
    has_failed = str(document.get("type", "")).endswith(FAILED_TYPES) or (
        isinstance(record, dict) and record.get("status") in FAILED_RUNS
    )
    return "ERROR" if has_failed else None


def to_document(event: LogEvent) -> dict[str, Any]:
    """An entry for scripts."""
    return {"at": at(event), "function": event.writer, "entry": parsed(event)}


def line(event: LogEvent, when: str = "") -> str:
    """An entry in one line.

    Args:
        when: as it is to be shown; else in full.
    """
    document = parsed(event)
    fields = " ".join(
        f"{name}={_shown(value)}"
        for name, value in document.items()
        if name not in _LEFT_OUT and value not in (None, "")
    )
    words = (
        when or at(event),
        _level(document) or "-",
        event.writer,
        _shown(document.get("message", document.get("type", ""))),
        fields,
    )
    return " ".join(word for word in words if word)


def style(event: LogEvent) -> str:
    """The color of its level."""
    return _STYLES.get(_level(parsed(event)) or "", "")


def at(event: LogEvent) -> str:
    """When, in ISO 8601."""
    return iso(datetime.fromtimestamp(event.timestamp / 1000, UTC))


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
