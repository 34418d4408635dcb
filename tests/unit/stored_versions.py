"""A bucket in memory that answers HeadObject and ListObjectVersions as S3 does, which moto does not at every marker.

Moto skips the first key behind a marker that is no key. `test_version_listing` holds the rest of this against moto.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from gatehouse.moderation.upload import Upload
from tests.unit.aws_calls import AwsCalls, an_error
from tests.unit.builders import an_upload

_START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)

Versioning = Literal["Enabled", "Suspended"]


@dataclass(frozen=True)
class Stored:
    """A version, or a delete marker, which has no body."""

    version_id: str
    body: bytes | None
    modified: datetime

    @property
    def etag(self) -> str:
        return hashlib.md5(self.body or b"", usedforsecurity=False).hexdigest()


@dataclass
class StoredVersions:
    """One bucket.

    Attributes:
        versioning: None where it was never on.
        page: entries of a page of its listing.
    """

    versioning: Versioning | None = None
    page: int = 1000
    _stacks: dict[str, list[Stored]] = field(default_factory=dict)
    _changes: int = 0

    def put(self, key: str, body: bytes) -> Upload:
        """Upload an object."""
        stored = self._add(key, body)
        version_id = None if stored.version_id == "null" else stored.version_id
        return an_upload(
            key,
            f"{self._changes:X}",
            etag=stored.etag,
            version_id=version_id,
            size=len(body),
            uploaded_at=stored.modified.strftime("%Y-%m-%dT%H:%M:%S.500Z"),
        )

    def delete(self, key: str) -> None:
        """Delete an object, or hide it behind a marker."""
        if self.versioning:
            self._add(key, None)
        else:
            self._stacks.pop(key, None)

    def answer(self, calls: AwsCalls) -> None:
        """Answer what watched clients ask."""
        calls.answer_always("HeadObject", self.head)
        calls.answer_always("ListObjectVersions", self.list)

    def head(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """HeadObject."""
        key = request["context"]["input_params"]["Key"]
        stack = self._stacks.get(key)
        if not stack or stack[0].body is None:
            error = an_error("404", "Not Found", 404)
            error["ResponseMetadata"]["HTTPHeaders"] = {"x-amz-delete-marker": "true"} if stack else {}
            return error
        version = {"VersionId": stack[0].version_id} if self.versioning else {}
        return {"ETag": f'"{stack[0].etag}"', "LastModified": stack[0].modified, **version}

    def list(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """ListObjectVersions."""
        asked = request["query_string"]
        behind = [
            (key, stored, is_latest)
            for key, stored, is_latest in self._entries()
            if key.startswith(asked.get("prefix", "")) and key.encode() > asked.get("key-marker", "").encode()
        ]
        entries = [
            {
                "Key": key,
                "VersionId": stored.version_id,
                "IsLatest": is_latest,
                "LastModified": stored.modified,
                **({} if stored.body is None else {"ETag": f'"{stored.etag}"', "Size": len(stored.body)}),
            }
            for key, stored, is_latest in behind[: self.page]
        ]
        lists = {
            "Versions": [entry for entry in entries if "ETag" in entry],
            "DeleteMarkers": [entry for entry in entries if "ETag" not in entry],
        }
        return {"IsTruncated": len(behind) > self.page} | {name: entries for name, entries in lists.items() if entries}

    def _entries(self) -> Iterator[tuple[str, Stored, bool]]:
        for key in sorted(self._stacks, key=str.encode):
            for n, stored in enumerate(self._stacks[key]):
                yield key, stored, n == 0

    def _add(self, key: str, body: bytes | None) -> Stored:
        self._changes += 1
        version_id = f"version-{self._changes}" if self.versioning == "Enabled" else "null"
        stored = Stored(version_id, body, _START + timedelta(seconds=self._changes))
        others = [each for each in self._stacks.get(key, []) if each.version_id != "null" or version_id != "null"]
        self._stacks[key] = [stored, *others]
        return stored
