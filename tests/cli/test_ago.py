from datetime import UTC, datetime, timedelta

import pytest

from gatehouse.cli.ago import ago, duration_words
from gatehouse.moderation.moment import iso

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(0), "just now"),
        (timedelta(seconds=59), "59 s ago"),
        (timedelta(minutes=3, seconds=59), "3 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=59), "59 days ago"),
        (timedelta(days=60), "2026-09-23"),
    ],
)
def test_how_long_ago_a_time_was(passed: timedelta, words: str) -> None:
    assert ago(iso(NOW - passed), NOW) == words


def test_a_duration_is_never_negative() -> None:
    assert duration_words(-1.0) == "0 s"
