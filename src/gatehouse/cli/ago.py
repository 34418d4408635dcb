"""How long ago something was, in words for a terminal. Scripts get the time itself."""

from datetime import datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
#: From so many days on, the date says more.
_MOST_DAYS = 60


def duration_words(seconds: float) -> str:
    """A duration in whole units of the largest that fits: `40 s`, `3 min`, `5 h`, `2 days`."""
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return f"{whole // _HOUR} h"
    days = whole // _DAY
    return f"{days} day{'' if days == 1 else 's'}"


def seconds_since(moment: str, now: datetime) -> float:
    """Seconds from a time in ISO 8601 until now; negative where clocks differ."""
    return (now - datetime.fromisoformat(moment)).total_seconds()


def ago(moment: str, now: datetime) -> str:
    """A time in ISO 8601, as `3 min ago`; after two months the date."""
    seconds = seconds_since(moment, now)
    if seconds < 1:
        return "just now"
    return moment[:10] if seconds >= _MOST_DAYS * _DAY else f"{duration_words(seconds)} ago"
