"""A session whose clients read the times in answers quickly: S3 gives one for each object."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
import botocore.session
from botocore.utils import parse_timestamp


def timestamp(value: Any) -> datetime:
    """Read a time in the formats of S3's bodies (ISO 8601) and headers (RFC 9110), or as botocore does.

    botocore has dateutil guess the format, which takes longer than the rest of an entry of a listing.
    """
    for read in (datetime.fromisoformat, parsedate_to_datetime) if isinstance(value, str) else ():
        try:
            moment = read(value)
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return parse_timestamp(value)


def session() -> boto3.Session:
    """A session like boto3's default one, but for that."""
    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=timestamp)
    return boto3.Session(botocore_session=core)
