"""Parses an upload's name: OBJECT@VERSION, or an entry from `review list --output json`."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from gatehouse.aws.verdict_table import Identity, Item
from gatehouse.cli.aws.verdict_table import WHOLE_VERDICT, OperatorsVerdictTable
from gatehouse.cli.errors import CommandError
from gatehouse.cli.object_uri import OBJECT_URI, no_verdict, object_uri
from gatehouse.moderation.document import MISSHAPEN, text, whole
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import VERSION_PATTERN, version_named

#: What stands between two entries of a list that was printed, also where a part of it was cut out.
_BETWEEN = re.compile(r"\s*\]?\s*,?\s*\[?\s*")

_NAMING = (
    "s3://bucket/key, or a key of the uploads bucket; the object's newest upload, or the one with this `version` of "
    "its flag, or version id of S3 (`null` for one that no version names)."
)
UploadName = Annotated[str, typer.Argument(metavar="OBJECT[@VERSION]", help=_NAMING)]
UploadNames = Annotated[list[str] | None, typer.Argument(metavar="OBJECT[@VERSION]", help=_NAMING, show_default=False)]


@dataclass(frozen=True, slots=True)
class NamedUpload:
    """An upload as a user named it.

    Attributes:
        uri: `s3://bucket/key`.
        version: `version` of its item, or its version id from S3; `null` for an upload without a version id, and None
            for the object's newest upload.
        whole: the whole name read as an object without a version, because a key can contain an `@`. None if that is
            impossible.
        seen: the status and the revision in the list; None without a list.
    """

    uri: str
    version: str | None
    whole: str | None = None
    seen: tuple[Status, int] | None = None

    @classmethod
    def parse(cls, written: str, upload_bucket: str) -> "NamedUpload":
        """Parse `OBJECT` or `OBJECT@VERSION`, split at the last `@`. A version contains neither `@` nor a slash.

        A key that ends like a version needs another `@` at its end.

        Raises:
            CommandError: it does not name an object.
        """
        uri = object_uri(written, upload_bucket)
        front, at, version = uri.rpartition("@")
        is_bucket = front.endswith("/") and front.count("/") == 3
        if not at or "/" in version or is_bucket:
            return cls(uri, None)
        return cls(front, version or None, uri if version else None)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "NamedUpload":
        """Read an entry of the list.

        Raises:
            one of `MISSHAPEN`: it is malformed.
        """
        uri, version = text(document["object"]), text(document["version"])
        seen = (Status(document["status"]), whole(document.get("revision", 0))) if "status" in document else None
        if not OBJECT_URI.fullmatch(uri):
            raise ValueError(f"{uri!r} is not s3://bucket/key")
        return cls(uri, version, seen=seen)

    def __str__(self) -> str:
        """The upload's name."""
        return self.uri if self.version is None else f"{self.uri}@{self.version}"

    def within(self, upload_bucket: str) -> str:
        """The same without the uploads bucket, wherever `parse` and a file of names read that as this upload."""
        name = str(self)
        key = name.removeprefix(f"s3://{upload_bucket}/")
        return name if key.startswith(("s3://", "-", "[", "{")) or not key.strip() else key

    def quoted(self, upload_bucket: str) -> str:
        """The same, as a word that can be pasted into a shell (bash, zsh): no character of it acts on a terminal."""
        name = self.within(upload_bucket)
        return shlex.quote(name) if name.isprintable() else f"$'{''.join(map(_spelled, name))}'"

    @property
    def identity(self) -> Identity | None:
        """The key of its item, if the name contains it."""
        return (self.uri, self.version) if self.version and VERSION_PATTERN.fullmatch(self.version) else None

    def find(self, table: OperatorsVerdictTable) -> Item | None:
        """Its item; None if there is none.

        If there is no upload with the version, the whole name is read as an object.
        """
        if self.version is None:
            return table.newest(self.uri)
        if self.identity:
            found = next((item for page in table.read([self.identity], WHOLE_VERDICT) for item in page), None)
        else:
            found = table.of_version_id(self.uri, self.version)
        if found is None and self.whole is not None:
            return table.newest(self.whole)
        return found

    @property
    def exactly(self) -> "NamedUpload":
        """The same name, with the version required.

        Raises:
            CommandError: the name has no version.
        """
        if self.version is None:
            raise CommandError(
                f"{self.uri} has no version, and an approval needs one, so that no newer upload is approved by "
                "mistake. Write OBJECT@VERSION, as `review list` and `review show` print it."
            )
        return NamedUpload(self.uri, self.version, seen=self.seen)

    @property
    def missing(self) -> str:
        """A message that it has no item, with the possible reasons."""
        if self.version is None:
            return no_verdict(self.uri)
        what = "version" if self.identity or version_named(self.version) is None else "version id"
        return no_verdict(self.uri, f" ({what} {self.version})")


def named_uploads(written: str, upload_bucket: str) -> Iterator[NamedUpload]:
    """The uploads in a file: one OBJECT@VERSION per line, or a list in JSON, or entries of such a list.

    A file that begins with `[` or `{` is JSON; write `s3://bucket/key` for an object whose name begins like that.

    Raises:
        CommandError: a line or an entry does not name an upload.
    """
    if written.lstrip()[:1] in ("[", "{"):
        for n, document in enumerate(_documents(written), start=1):
            try:
                yield NamedUpload.from_document(document)
            except MISSHAPEN as error:
                raise CommandError(
                    f"Entry {n} of the file does not say which upload it is ({error!r}). Give entries as `review list "
                    "--output json` prints them. Nothing was changed."
                ) from error
        return
    for n, line in enumerate(written.split("\n"), start=1):  # keys can contain all other line separators
        if line.strip():
            try:
                yield NamedUpload.parse(line.removesuffix("\r"), upload_bucket)
            except CommandError as error:
                raise CommandError(f"Line {n} of the file: {error}") from error


def _spelled(character: str) -> str:
    """A character inside `$'...'`."""
    if character in "\\'":
        return f"\\{character}"
    return character if character.isprintable() else "".join(f"\\x{byte:02x}" for byte in character.encode())


def _documents(written: str) -> Iterator[Any]:
    """The entries of JSON lists and of JSON documents one behind the other, one at a time, however they are broken.

    A list may have been cut between two entries.
    """
    decoder, position = json.JSONDecoder(), 0
    while (position := _behind_separators(written, position)) < len(written):
        if written[position] == "]":
            position += 1
            continue
        try:
            found, position = decoder.raw_decode(written, position)
        except (ValueError, RecursionError) as error:
            raise CommandError(
                f"The file looks like JSON, but it can't be read ({error}). Save the output of `review list --output "
                "json` again; or, if this is a line with an object whose name begins with [ or {, write it as s3://bucket/key."
            ) from error
        yield found


def _behind_separators(written: str, position: int) -> int:
    found = _BETWEEN.match(written, position)
    return found.end() if found else position
