"""Moments as text: ISO 8601 in UTC with milliseconds and a Z. One fixed width, so that text sorts as time does."""

from datetime import UTC, datetime


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and a Z: one fixed width, so that text sorts as time does."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def second(moment: str) -> str:
    """The second of an ISO time in UTC: S3 says no more of when an object was modified. Text sorts as time does."""
    return moment[: len("2026-01-01T00:00:00")]
