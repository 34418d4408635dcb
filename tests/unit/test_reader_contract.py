"""The reader's contract as README.md shows it: what is pasted from there shows approved bytes and nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest
from boto3.dynamodb.conditions import Key

README = Path(__file__).resolve().parents[2] / "README.md"
ITEM = {"status": "APPROVED", "version_id": "v1", "etag": "e1"}


class Table:
    """The verdict table, holding one item or none."""

    def __init__(self, item: dict[str, Any] | None) -> None:
        self._item = item

    def query(self, **request: Any) -> dict[str, Any]:
        assert request["Limit"] == 1
        assert request["ScanIndexForward"] is False
        return {"Items": [self._item] if self._item else []}


def may_show(item: dict[str, Any] | None, version_id: str | None, etag: str) -> bool:
    """Run the snippet for what is about to be served."""
    (snippet,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {
        "table": Table(item),
        "Key": Key,
        "bucket": "uploads",
        "key": "cat.jpg",
        "version_id": version_id,
        "etag": etag,
    }
    exec(snippet, names)
    return bool(names["may_show"])


@pytest.mark.parametrize(
    ("item", "version_id", "etag", "shown"),
    [
        (ITEM, "v1", "e1", True),
        (ITEM, "v2", "e1", False),
        (ITEM, "v2", "e2", False),
        (ITEM | {"status": "PENDING"}, "v1", "e1", False),
        (ITEM | {"status": "REVIEW"}, "v1", "e1", False),
        (None, "v1", "e1", False),
        ({"status": "APPROVED", "etag": "e1"}, None, "e1", True),
        ({"status": "APPROVED", "etag": "e1"}, None, "e2", False),
        ({"status": "APPROVED", "etag": "e1", "version_id": "null"}, "null", "e2", False),
    ],
)
def test_only_the_approved_bytes_are_shown(
    item: dict[str, Any] | None, version_id: str | None, etag: str, shown: bool
) -> None:
    assert may_show(item, version_id, etag) is shown
