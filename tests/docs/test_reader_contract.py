"""The reader's contract as README.md shows it: what is pasted from there shows approved bytes and nothing else."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.conditions import Key
from hypothesis import given, settings
from hypothesis import strategies as st

from gatehouse.moderation.confirmation import StoredObject, speaks_of
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import version_named
from gatehouse.moderation.verdict_item import verdict_item
from tests.unit.builders import a_claim, a_verdict, an_upload

README = Path(__file__).resolve().parents[2] / "README.md"
NO_VERSION = (None, "", "null")
UPLOADED = datetime(2026, 11, 22, 12, 0, 5, tzinfo=UTC)
SAME_SECOND, LATER = UPLOADED.replace(microsecond=999_000), UPLOADED.replace(second=6)
ITEM = {"status": "APPROVED", "version_id": "v1", "etag": "e1", "uploaded_at": iso(UPLOADED)}


class Table:
    """The verdict table, holding one item or none."""

    def __init__(self, item: dict[str, Any] | None) -> None:
        self._item = item

    def query(self, **request: Any) -> dict[str, Any]:
        assert request["Limit"] == 1
        assert request["ScanIndexForward"] is False
        return {"Items": [self._item] if self._item else []}


def may_show(
    item: dict[str, Any] | None, version_id: str | None, etag: str, last_modified: datetime = UPLOADED
) -> bool:
    """Run the snippet for what is about to be served."""
    (snippet,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {
        "table": Table(item),
        "Key": Key,
        "bucket": "uploads",
        "key": "cat.jpg",
        "version_id": version_id,
        "etag": etag,
        "last_modified": last_modified,
    }
    exec(snippet, names)
    return bool(names["may_show"])


def without_version(told: str | None) -> dict[str, Any]:
    """An item of an upload that no version names, in one of the ways to say so."""
    item = {name: value for name, value in ITEM.items() if name != "version_id"}
    return item if told is None else item | {"version_id": told}


@pytest.mark.parametrize(
    ("item", "version_id", "etag", "shown"),
    [
        (ITEM, "v1", "e1", True),
        (ITEM, "v2", "e1", False),
        (ITEM, "v2", "e2", False),
        (ITEM, "v1", "e2", False),
        (ITEM, "null", "e1", False),
        (ITEM | {"status": "PENDING"}, "v1", "e1", False),
        (ITEM | {"status": "REVIEW"}, "v1", "e1", False),
        (None, "v1", "e1", False),
        (None, None, "e1", False),
        (without_version(None), "v1", "e1", False),
    ],
)
def test_only_the_approved_bytes_are_shown(
    item: dict[str, Any] | None, version_id: str | None, etag: str, shown: bool
) -> None:
    assert may_show(item, version_id, etag) is shown


@pytest.mark.parametrize("told", NO_VERSION)
@pytest.mark.parametrize("served", NO_VERSION)
def test_an_object_without_a_version_is_shown_however_its_event_and_s3_say_so(
    told: str | None, served: str | None
) -> None:
    """One that was stored before versioning, or while it is suspended: S3 serves it as version `null`."""
    assert may_show(without_version(told), served, "e1")
    assert not may_show(without_version(told), served, "e2")


@pytest.mark.parametrize("served", NO_VERSION)
def test_without_a_version_equal_etags_are_not_enough(served: str | None) -> None:
    assert may_show(without_version(None), served, "e1", SAME_SECOND)
    assert not may_show(without_version(None), served, "e1", LATER)
    assert may_show(ITEM, "v1", "e1", LATER)


@settings(deadline=None)
@given(
    told=st.sampled_from((*NO_VERSION, "v1", "v2")),
    served=st.sampled_from((*NO_VERSION, "v1", "v2")),
    etag=st.sampled_from(["e1", "e2"]),
    modified=st.datetimes(datetime(2026, 11, 22, 12, 0, 4), datetime(2026, 11, 22, 12, 0, 7)),
    status=st.sampled_from([Status.APPROVED, Status.REVIEW, Status.FAILED]),
)
def test_a_reader_compares_as_the_pipeline_does(
    told: str | None, served: str | None, etag: str, modified: datetime, status: Status
) -> None:
    upload = an_upload(version_id=version_named(told), etag="e1", uploaded_at=iso(UPLOADED))
    stored = StoredObject(version_named(served), etag, iso(modified.replace(tzinfo=UTC)))
    item = verdict_item(a_verdict(status, a_claim(upload)))

    shown = may_show(item, served, etag, modified.replace(tzinfo=UTC))

    assert shown is (status is Status.APPROVED and speaks_of(upload, stored))
