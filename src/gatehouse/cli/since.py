"""`--since`: the beginning of a time range."""

import re
from datetime import UTC, datetime, timedelta

from gatehouse.cli.errors import CommandError
from gatehouse.moderation.moment import iso

_AGO = re.compile(r"(\d{1,6})([hd])")
_UNITS = {"h": "hours", "d": "days"}


def parse_since(text: str, now: datetime, option: str = "--since") -> str:
    """The moment, as items have it: `12h` or `30d` before now, or an ISO 8601 date or time, in UTC if it does not say.

    Args:
        option: what it was given with.

    Raises:
        CommandError: it is none of these.
    """
    try:
        if ago := _AGO.fullmatch(text):
            return iso(now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
        moment = datetime.fromisoformat(text)
        return iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise CommandError(f"{option} {text} is not a time; write 12h, 30d or a date such as 2026-11-01.") from error
