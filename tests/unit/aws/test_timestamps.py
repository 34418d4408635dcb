from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.utils import parse_timestamp

from gatehouse.aws.timestamps import session, timestamp
from tests.unit.conftest import UPLOADS, Storage


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-22T11:59:30.000Z",
        "2026-11-22T11:59:30Z",
        "2026-11-22T12:59:30.123+01:00",
        "Sun, 22 Nov 2026 11:59:30 GMT",
        "1795348770",
        1795348770,
        1795348770.5,
    ],
)
def test_a_time_is_what_botocore_reads(value: Any) -> None:
    assert timestamp(value) == parse_timestamp(value)
    assert timestamp(value).tzinfo is not None


def test_a_time_without_a_zone_is_utc() -> None:
    assert timestamp("2026-11-22T11:59:30") == datetime(2026, 11, 22, 11, 59, 30, tzinfo=UTC)


def test_what_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="soon"):
        timestamp("soon")


def test_clients_of_the_session_use_it(storage: Storage) -> None:
    storage.s3.put_object(Bucket=UPLOADS, Key="cat.jpg", Body=b"bytes")

    modified = session().client("s3").head_object(Bucket=UPLOADS, Key="cat.jpg")["LastModified"]

    assert modified.tzinfo is UTC  # dateutil has an object of its own for it
    assert modified == storage.s3.head_object(Bucket=UPLOADS, Key="cat.jpg")["LastModified"]
