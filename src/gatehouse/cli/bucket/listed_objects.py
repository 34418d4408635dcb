"""The current objects of a bucket, from S3's listing or from an S3 Inventory."""

import csv
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from gatehouse.cli.aws.version_listing import OperatorsVersionListing
from gatehouse.cli.errors import CommandError
from gatehouse.moderation.moment import iso
from gatehouse.moderation.upload import version_named

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: The columns of an inventory that are needed to compare an object with its verdict.
_NEEDED_FIELDS = ("Key", "Size", "LastModifiedDate", "ETag")


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object's current version.

    Attributes:
        version_id: None if the object is overwritten in place, or if the inventory does not include it.
        etag: without quotes.
        modified_at: ISO 8601, UTC.
        has_version: False for an inventory without version ids.
    """

    key: str
    version_id: str | None
    etag: str
    size: int
    modified_at: str
    has_version: bool = True


def list_objects(client: "S3Client", bucket: str, prefixes: Iterable[str], after: str = "") -> Iterator[ListedObject]:
    """The current objects under these prefixes, a page at a time.

    Args:
        prefixes: sorted, and none within another one.
        after: only keys behind this one; empty for all.
    """
    listing = OperatorsVersionListing(client)
    for prefix in prefixes:
        if after > prefix and not after.startswith(prefix):
            continue
        for version in listing.current(bucket, prefix, after if after > prefix else ""):
            yield ListedObject(version.key, version.version_id, version.etag, version.size, version.modified_at)


def outermost(prefixes: Iterable[str], within: str = "") -> list[str]:
    """The smallest list of prefixes that covers the same keys, restricted to keys that start with `within`; sorted."""
    narrowed = {
        prefix if prefix.startswith(within) else within
        for prefix in prefixes
        if prefix.startswith(within) or within.startswith(prefix)
    }
    return sorted(
        prefix for prefix in narrowed if not any(prefix != other and prefix.startswith(other) for other in narrowed)
    )


class Inventory:
    """An S3 Inventory in CSV, as its `manifest.json` describes it, read from disk line by line.

    The format is described in the S3 User Guide (storage-inventory.html, storage-inventory-location.html): gzipped CSV
    without a header. The manifest names the columns. Keys are URL-encoded; S3 writes a space as a plus sign.

    Args:
        manifest: path of `manifest.json`. Its data files are in the same folder, or in `../data` as in S3.

    Attributes:
        taken_at: `creationTimestamp`, milliseconds since 1970 as text; empty if the manifest does not say.
        mark: what tells this inventory from every other one: when it was taken, and its files with their checksums.

    Raises:
        CommandError: it is not such a manifest, or a column or a file is missing.
    """

    def __init__(self, manifest: Path) -> None:
        try:
            document = json.loads(manifest.read_text("utf-8"))
            self.bucket: str = document["sourceBucket"]
            self._fields = [field.strip() for field in document["fileSchema"].split(",")]
            is_csv = document["fileFormat"] == "CSV"
            names = [entry["key"].rsplit("/", 1)[-1] for entry in document["files"]]
            self.taken_at: str = str(document.get("creationTimestamp", ""))
            self.mark = _mark(self.taken_at, document["files"])
        except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise CommandError(
                f"{manifest} is not the manifest of an S3 Inventory ({error!r}); name the manifest.json that S3 wrote."
            ) from error
        if not is_csv or (missing := [name for name in _NEEDED_FIELDS if name not in self._fields]):
            problem = f"lacks {', '.join(missing)}" if is_csv else f"is in {document['fileFormat']}"
            raise CommandError(
                f"The inventory {problem}; configure one in CSV with {', '.join(_NEEDED_FIELDS[1:])}, and with all "
                "versions if the bucket has versioning."
            )
        self._manifest = manifest
        self._files = [_beside(manifest, name) for name in names]

    @property
    def has_versions(self) -> bool:
        """Whether it includes version ids."""
        return "VersionId" in self._fields

    def objects_from(self, prefixes: Sequence[str], read: int) -> Iterator[ListedObject]:
        """The objects behind those that were read."""
        return islice(self.objects(prefixes), read, None)

    def objects(self, prefixes: Sequence[str]) -> Iterator[ListedObject]:
        """The objects under these prefixes that were current when the inventory was taken.

        Raises:
            CommandError: a file does not match the manifest.
        """
        wanted = tuple(prefixes)
        for path in self._files:
            try:
                with _opened(path) as file:
                    for listed in map(self._object, csv.reader(file)):
                        if listed is not None and listed.key.startswith(wanted):
                            yield listed
            except (OSError, EOFError, ValueError, csv.Error, zlib.error) as error:
                raise CommandError(f"{path} does not match {self._manifest} ({error}); download both again.") from error

    def _object(self, row: Sequence[str]) -> ListedObject | None:
        """The object in a line, or None for an old version or a delete marker."""
        fields = dict(zip(self._fields, row, strict=True))
        if fields.get("IsLatest", "true").lower() != "true" or fields.get("IsDeleteMarker", "false").lower() == "true":
            return None
        modified = datetime.fromisoformat(fields["LastModifiedDate"])
        return ListedObject(
            key=unquote_plus(fields["Key"], errors="strict"),
            version_id=version_named(fields.get("VersionId")),
            etag=fields["ETag"].strip('"'),
            size=int(fields["Size"]),
            modified_at=iso(modified if modified.tzinfo else modified.replace(tzinfo=UTC)),
            has_version="VersionId" in fields,
        )


def _mark(taken_at: str, files: Iterable[Mapping[str, Any]]) -> str:
    lines = [taken_at, *(f"{entry['key']} {entry.get('MD5checksum', '')}" for entry in files)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _beside(manifest: Path, name: str) -> Path:
    for folder in (manifest.parent, manifest.parent.parent / "data", manifest.parent / "data"):
        if (folder / name).is_file():
            return folder / name
    raise CommandError(
        f"{name} of the inventory is neither beside {manifest} nor in ../data; download the complete inventory "
        "(aws s3 sync)."
    )


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        yield file
