"""The manifest summary of a media analysis job: how many images were analyzed, and what went wrong with the others.

Source: Developer Guide, bulk-analysis-output-manifests.html. The guide spells the number of a line `line-numer`; both
spellings are read. The error codes are not documented, so they are data here.
"""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SummaryError:
    """A line of the manifest that was not analyzed. What the summary does not say is None."""

    line: int | None
    source: str | None
    code: str | None
    message: str | None

    def to_document(self) -> dict[str, Any]:
        """The error for scripts."""
        return {"line": self.line, "object": self.source, "code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True)
class ManifestSummary:
    """A job's summary.

    Attributes:
        lines, analyzed, failed: of the manifest; None where the summary does not say.
    """

    lines: int | None
    analyzed: int | None
    failed: int | None
    errors: tuple[SummaryError, ...]

    @property
    def codes(self) -> Counter[str]:
        """Errors by their code."""
        return Counter(error.code or "unknown" for error in self.errors)

    def to_document(self) -> dict[str, Any]:
        """The counts for scripts."""
        return {"lines": self.lines, "analyzed": self.analyzed, "failed": self.failed, "codes": dict(self.codes)}


def parse_summary(text: str | bytes) -> ManifestSummary:
    """Read a summary, as much of it as can be read.

    Raises:
        ValueError: it is not a JSON object.
    """
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")
    statistics = document.get("statistics")
    statistics = statistics if isinstance(statistics, dict) else {}
    errors = document.get("errors")
    return ManifestSummary(
        lines=_count(statistics.get("total-json-lines")),
        analyzed=_count(statistics.get("valid-json-lines")),
        failed=_count(statistics.get("invalid-json-lines")),
        errors=tuple(map(_error, errors if isinstance(errors, list) else ())),
    )


def _error(entry: object) -> SummaryError:
    found = entry if isinstance(entry, dict) else {}
    return SummaryError(
        line=_count(found.get("line-numer", found.get("line-number"))),
        source=_text(found.get("source-ref")),
        code=_text(found.get("code")),
        message=_text(found.get("message")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
