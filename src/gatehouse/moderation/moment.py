"""Times as text that sorts chronologically."""

from datetime import UTC, datetime


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and a Z. The width is fixed, so that the text sorts chronologically."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def second(moment: str) -> str:
    """An ISO time in UTC, truncated to the second: S3 reports modification times no more precisely."""
    return moment[: len("2026-01-01T00:00:00")]
