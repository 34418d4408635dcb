"""A verdict as one row of an export: the columns of docs/contracts/export.md, in that order."""

import csv
import json
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any, Final

from gatehouse.moderation.analysis import content_types_document, labels_document
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import history_document

#: A spreadsheet takes a cell that begins so for a formula (OWASP, CSV Injection); keys and notes are other people's
#: text.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

#: Columns whose values are lists or documents; in CSV their cells are JSON.
_NESTED: Final = ("reasons", "labels", "content_types", "history")

COLUMNS: Final = (
    *("object", "version", "bucket", "key", "version_id", "etag", "size", "lane", "status"),
    *("uploaded_at", "claimed_at", "decided_at", "decided_by", "decided_by_name", "decision_reason", "decision_note"),
    *("revision", "cause", "policy_name", "policy_version", "policy_hash"),
    *("rule", "label", "confidence", "outcome", "threshold"),
    *("error_code", "error_message", "engine", "model_version", "batch_id", "attempt"),
    *_NESTED,
)


def row(verdict: Verdict) -> dict[str, Any]:
    """A verdict by column; None where it has no such value. `rule` to `threshold` are of the first reason."""
    upload, claim, policy, analysis = verdict.upload, verdict.claim, verdict.policy, verdict.analysis
    reason = verdict.reasons[0] if verdict.reasons else None
    values = {
        "object": upload.object,
        "version": upload.version,
        "bucket": upload.bucket,
        "key": upload.key,
        "version_id": upload.version_id,
        "etag": upload.etag,
        "size": upload.size,
        "lane": claim.lane,
        "status": verdict.status.value,
        "uploaded_at": upload.uploaded_at,
        "claimed_at": claim.claimed_at,
        "decided_at": verdict.decided_at,
        "decided_by": verdict.decided_by,
        "decided_by_name": verdict.decided_by_name,
        "decision_reason": verdict.decision and verdict.decision.reason,
        "decision_note": verdict.decision and verdict.decision.note,
        "revision": verdict.revision,
        "cause": verdict.change and verdict.change.cause.value,
        "policy_name": policy and policy.name,
        "policy_version": policy and policy.version,
        "policy_hash": policy and policy.hash,
        "rule": reason and reason.rule,
        "label": reason and reason.label,
        "confidence": reason and reason.confidence,
        "outcome": reason and reason.outcome,
        "threshold": reason and reason.threshold,
        "error_code": verdict.failure and verdict.failure.code,
        "error_message": verdict.failure and verdict.failure.message,
        "engine": verdict.engine and verdict.engine.value,
        "model_version": analysis and analysis.model_version,
        "batch_id": claim.batch_id,
        "attempt": claim.attempt,
        "reasons": [each.to_document() for each in verdict.reasons],
        "labels": labels_document(analysis) if analysis else [],
        "content_types": content_types_document(analysis) if analysis else [],
        "history": history_document(verdict.history),
    }
    return {name: values[name] for name in COLUMNS}


def json_lines(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """A line of JSON for each, in ASCII."""
    return (f"{json.dumps(row(verdict), separators=(',', ':'))}\n" for verdict in verdicts)


def csv_lines(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """A line with the columns' names, and one for each verdict (RFC 4180)."""
    yield _csv_line(COLUMNS)
    for verdict in verdicts:
        yield _csv_line([_cell(name, value) for name, value in row(verdict).items()])


def _csv_line(cells: Iterable[str]) -> str:
    line = StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _cell(name: str, value: Any) -> str:
    """A value as a cell that no spreadsheet takes for a formula: one that could be has an apostrophe in front.

    So has one that begins like a guarded one, so that a reader who takes one apostrophe away has the value.
    """
    if value is None:
        return ""
    text = json.dumps(value, separators=(",", ":")) if name in _NESTED else str(value)
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA_STARTS) else text
