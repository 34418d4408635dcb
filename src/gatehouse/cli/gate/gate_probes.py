"""Tries the gate as the caller: to forge the tag in each way, to read too early, and to read what is approved.

Uploading and tagging without the tag must succeed, so that a missing permission of the caller's is not taken for the
gate. What is uploaded for it is analyzed as any other upload, one analysis a lane, and deleted again with its verdict.
A gate that is being prepared closes these uploads alone, and is tried by them as one that closes everything.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

from botocore.exceptions import ClientError

from gatehouse.aws.verdict_table import Item, identity_of
from gatehouse.cli.aws.bucket_policy import policy_fix
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.clock import Clock
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.cli.doctor.finding import Finding, Health
from gatehouse.cli.gate.bulk_probe import BulkProbe
from gatehouse.cli.paste import Paste
from gatehouse.contracts.gate_policy import PROBE
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.gate import TAG, Gate
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import STATUS

_REFUSED: Final = HTTPStatus.FORBIDDEN
_OPEN: Final = Status.APPROVED.value
_TAGS: Final = {"TagSet": [{"Key": TAG, "Value": _OPEN}]}
_TAGS_AS_QUERY: Final = f"{TAG}={_OPEN}"
_TAGS_AS_XML: Final = f"<Tagging><TagSet><Tag><Key>{TAG}</Key><Value>{_OPEN}</Value></Tag></TagSet></Tagging>"
#: The longest that a verdict and its tag are waited for, from the image engine and from Bulk Analysis; how long until
#: the tag of a deleted verdict is gone; and how often all this is looked at.
_PATIENCE: Final = timedelta(minutes=15)
_BULK_PATIENCE: Final = timedelta(hours=1)
_POLL_SECONDS: Final = 2.0
_SIDE: Final = 96

_Attempts = Mapping[str, Callable[[], Any]]
_Found = TypeVar("_Found")


@dataclass(slots=True)
class GateProbes:
    """The attempts.

    Attributes:
        client: an S3 client of the caller's.
        signer: one that signs forms by version 4, which every Region takes.
        bulk: has pictures analyzed in bulk; None to leave that out.
    """

    client: Any
    signer: Any
    bucket: str
    gate: Gate
    lanes: DeployedLanes
    table: OperatorsVerdictTable
    bulk: BulkProbe | None
    clock: Clock
    paste: Paste
    _made: list[str] = field(default_factory=list, init=False)
    _tell: Callable[[str], None] = field(default=lambda _: None, init=False)

    def findings(self, tell: Callable[[str], None]) -> Iterator[Finding]:
        """Try everything, a lane at a time; forging once, in the first lane that can be tried.

        Args:
            tell: shows a sentence about the progress.

        Raises:
            ClientError, OSError: S3 answered something else than a refusal.
        """
        self._tell = tell
        picture, has_forged = _picture(), False
        try:
            for lane in self.lanes.lanes:
                key = self._key(lane, len(picture))
                if key is None:
                    text = f"Lane {lane.name} takes no key or size that a probe could have, so it was not tried."
                    yield Finding("gate-probe", Health.UNKNOWN, text)
                    continue
                if lane.engine is Engine.BULK and self.bulk is None:
                    text = f"Lane {lane.name} is analyzed in bulk, which was left out, so it was not tried."
                    yield Finding("gate-probe", Health.UNKNOWN, text)
                    continue
                version = self._put(key, picture)
                if version is None:
                    text = f"You may not upload to {self.bucket}, so the gate was not tried; use other credentials."
                    yield Finding("gate-probe", Health.UNKNOWN, text)
                    return
                yield from self._early(key, version)
                if not has_forged:
                    has_forged = True
                    yield from self._forged(key, version, picture)
                yield from self._in_time(lane, key, version)
        finally:
            self._clean_up()

    def _clean_up(self) -> None:
        """Delete the probes, whatever could be forged after them, and their verdicts."""
        for key in self._made:
            pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=key)
            for version in [version for page in pages for version in page.get("Versions", [])]:
                self.client.delete_object(Bucket=self.bucket, Key=version["Key"], VersionId=version["VersionId"])
            for item in list(self.table.items_of(f"s3://{self.bucket}/{key}")):
                self.table.delete_final(identity_of(item))

    def _key(self, lane: Lane, size: int) -> str | None:
        """A key that the lane takes, and that the gate closes."""
        suffix = lane.suffixes[0] if lane.suffixes else ".png"
        for prefix in lane.prefixes:
            key = f"{prefix}{PROBE}-{uuid4().hex}{suffix}"
            is_open = bool(self.gate.open_prefixes) and key.startswith(self.gate.open_prefixes)
            if not is_open and self.lanes.owner(key, size) == lane.name:
                return key
        return None

    def _put(self, key: str, body: bytes) -> str | None:
        """Upload; the version, or None if that is refused."""
        try:
            version = self.client.put_object(Bucket=self.bucket, Key=key, Body=body).get("VersionId")
        except ClientError as error:
            if _status(error) != _REFUSED:
                raise
            return None
        self._made.append(key)
        return str(version or "null")

    def _early(self, key: str, version: str) -> Iterator[Finding]:
        """Read before there is a verdict."""
        if self._is_closed(key, version):
            yield Finding("gate-probe", Health.OK, "Reading what is not approved is refused.")
        else:
            text = (
                "You can read what is not approved. If you are one of gate.readers, or Gatehouse itself, try with "
                "credentials that readers of the bucket have; else the gate is open."
            )
            yield Finding("gate-probe", Health.WARNING, text)

    def _forged(self, key: str, version: str, picture: bytes) -> Iterator[Finding]:
        """Set the tag in each way that S3 has, but for copies: those have to be of something that can be read."""
        place = {"Bucket": self.bucket, "Key": f"{key}-forged"}
        # Who may not tag at all would be refused everything.
        harmless = {"TagSet": [{"Key": "gatehouse-check", "Value": "1"}]}
        if self._is_refused(lambda: self.client.put_object_tagging(Bucket=self.bucket, Key=key, Tagging=harmless)):
            text = "You may not tag objects at all, so forging was not tried; use credentials that may."
            yield Finding("gate-probe", Health.UNKNOWN, text)
            return
        attempts: _Attempts = {
            "a PUT with the tag": lambda: self.client.put_object(**place, Body=picture, Tagging=_TAGS_AS_QUERY),
            "a POST form with the tag": lambda: self._post(f"{key}-forged", picture),
            "a multipart upload with the tag": lambda: self.client.create_multipart_upload(
                **place, Tagging=_TAGS_AS_QUERY
            ),
            "tagging an upload": lambda: self.client.put_object_tagging(Bucket=self.bucket, Key=key, Tagging=_TAGS),
            "tagging a version": lambda: self.client.put_object_tagging(
                Bucket=self.bucket, Key=key, VersionId=version, Tagging=_TAGS
            ),
            "tagging in capitals": lambda: self.client.put_object_tagging(
                Bucket=self.bucket, Key=key, Tagging={"TagSet": [{"Key": TAG.upper(), "Value": _OPEN}]}
            ),
        }
        yield from self._attempted("forged", attempts)

    def _attempted(self, doing: str, attempts: _Attempts) -> Iterator[Finding]:
        """Try what has to be refused."""
        for name, attempt in attempts.items():
            try:
                is_refused = self._is_refused(attempt)
            except (ClientError, OSError) as error:
                text = f"Whether the tag can be {doing} by {name} could not be tried: {error}."
                yield Finding("gate-probe", Health.UNKNOWN, text)
                continue
            if is_refused:
                yield Finding("gate-probe", Health.OK, f"The tag can't be {doing} by {name}.")
            else:
                text = f"The tag can be {doing} by {name}: the bucket's policy lets it."
                yield Finding("gate-probe", Health.BROKEN, text, policy_fix(self.paste, self.bucket))

    def _in_time(self, lane: Lane, key: str, version: str) -> Iterator[Finding]:
        """Wait for the verdict and the tag; then try what can be tried with something that is approved."""
        patience = _BULK_PATIENCE if lane.engine is Engine.BULK else _PATIENCE
        item = self._awaited(
            f"the verdict of lane {lane.name}, and its tag", patience, lambda: self._settled(key, version)
        )
        if item is None:
            text = f"Lane {lane.name} did not open an upload within {patience.total_seconds() / 60:.0f} minutes."
            yield Finding("gate-probe", Health.BROKEN, text, (self.paste.gatehouse("logs --errors"),))
            return
        status = Status(item[STATUS])
        if status is not Status.APPROVED:
            yield self._unopened(lane, status, item)
            return
        text = f"Lane {lane.name} read, approved and tagged an upload that nobody else could read."
        yield Finding("gate-probe", Health.OK, text)
        place = {"Bucket": self.bucket, "Key": key, "VersionId": version}
        dropping: _Attempts = {
            "deleting it": lambda: self.client.delete_object_tagging(**place),
            "tagging without it": lambda: self.client.put_object_tagging(**place, Tagging={"TagSet": []}),
        }
        yield from self._attempted("dropped", dropping)
        yield from self._copied(key, version)
        if lane.engine is Engine.AUTO and self.bulk is not None:
            yield from self._in_bulk(self.bulk, lane, key, version, item)

    def _unopened(self, lane: Lane, status: Status, item: Item) -> Finding:
        if status is Status.FAILED:
            failure = item.get("error", {})
            text = f"Lane {lane.name} could not analyze a picture: {failure.get('code')}, {failure.get('message')}."
            return Finding("gate-probe", Health.BROKEN, text, policy_fix(self.paste, self.bucket))
        text = f"Lane {lane.name} read a picture that nobody else could read, and its policy made it {status}."
        return Finding("gate-probe", Health.WARNING, f"{text} So opening was not tried.")

    def _copied(self, key: str, version: str) -> Iterator[Finding]:
        """Copy what is approved, with its tag, over to another key."""
        place = {"Bucket": self.bucket, "Key": f"{key}-forged"}
        source = {"Bucket": self.bucket, "Key": key, "VersionId": version}
        attempts: _Attempts = {
            "a copy": lambda: self.client.copy_object(**place, CopySource=source),
            "a copy with the tag": lambda: self.client.copy_object(
                **place, CopySource=source, TaggingDirective="REPLACE", Tagging=_TAGS_AS_QUERY
            ),
        }
        yield from self._attempted("forged", attempts)

    def _in_bulk(self, bulk: BulkProbe, lane: Lane, key: str, version: str, item: Item) -> Iterator[Finding]:
        """Without its verdict the picture is closed again: have it analyzed by what no single picture is given to."""
        self.table.delete_final(identity_of(item))
        is_closed = self._awaited(
            "the tag of a deleted verdict to go", _PATIENCE, lambda: self._tag_of(key, version) is None or None
        )
        if not is_closed:
            text = f"The tag of a verdict that was deleted stayed for {_PATIENCE.total_seconds() / 60:.0f} minutes."
            fix = (self.paste.gatehouse("logs --function outcomes --errors"),)
            yield Finding("gate-probe", Health.BROKEN, text, fix)
            return
        yield Finding("gate-probe", Health.OK, "Deleting a verdict takes the tag away.")
        batch_id = bulk.begin(lane, item)
        fix = (self.paste.gatehouse(f"batch show {batch_id}"),)
        what = f"a media analysis job of lane {lane.name}"
        if self._awaited(what, _BULK_PATIENCE, lambda: bulk.has_ended(batch_id)) is None:
            minutes = f"{_BULK_PATIENCE.total_seconds() / 60:.0f} minutes"
            text = f"Bulk Analysis had no answer within {minutes} in lane {lane.name}; the job may wait for others."
            yield Finding("gate-probe", Health.UNKNOWN, text, fix)
        elif problem := bulk.problem(batch_id):
            text = f"Bulk Analysis could not read a picture of lane {lane.name} that is not approved: {problem}."
            yield Finding("gate-probe", Health.BROKEN, text, fix)
        else:
            text = f"Bulk Analysis read a picture of lane {lane.name} that nobody else could read."
            yield Finding("gate-probe", Health.OK, text)

    def _awaited(self, what: str, patience: timedelta, look: Callable[[], _Found | None]) -> _Found | None:
        """Look again and again until there is something, or patience is over."""
        began = self.clock.moment()
        while (found := look()) is None:
            waited = self.clock.seconds_since(began)
            if waited > patience.total_seconds():
                return None
            self._tell(f"Waiting for {what}: {waited:.0f} s, of {patience.total_seconds() / 60:.0f} minutes at most")
            self.clock.pause(_POLL_SECONDS)
        return found

    def _settled(self, key: str, version: str) -> Item | None:
        """The probe's item once it is final and, if it is approved, its version is tagged and readable."""
        item = self.table.of_version_id(f"s3://{self.bucket}/{key}", version)
        if item is None or item[STATUS] == Status.PENDING:
            return None
        is_shut = self._tag_of(key, version) != _OPEN or self._is_closed(key, version)
        return None if item[STATUS] == Status.APPROVED and is_shut else item

    def _tag_of(self, key: str, version: str) -> str | None:
        answer = self.client.get_object_tagging(Bucket=self.bucket, Key=key, VersionId=version)
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}.get(TAG)

    def _is_closed(self, key: str, version: str) -> bool:
        return self._is_refused(lambda: self.client.get_object(Bucket=self.bucket, Key=key, VersionId=version))

    def _post(self, key: str, body: bytes) -> dict[str, str]:
        """Send a form, as a browser does."""
        conditions = [{"tagging": _TAGS_AS_XML}]
        form = self.signer.generate_presigned_post(self.bucket, key, Fields=dict(conditions[0]), Conditions=conditions)
        border = uuid4().hex
        parts = [
            f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in form["fields"].items()
        ]
        file = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="probe.png"\r\n\r\n'.encode()
        sent = b"".join([*parts, file, body, f"\r\n--{border}--\r\n".encode()])
        request = Request(form["url"], sent, {"Content-Type": f"multipart/form-data; boundary={border}"})  # noqa: S310
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - the address is S3's, from the SDK
            return dict(answer.headers)

    def _is_refused(self, attempt: Callable[[], Any]) -> bool:
        """Whether S3 refuses it. What it makes nevertheless is deleted in the end."""
        try:
            answer = attempt()
        except ClientError as error:
            if _status(error) != _REFUSED:
                raise
            return True
        except HTTPError as error:
            if error.code != _REFUSED:
                raise
            return True
        if upload := answer.get("UploadId"):
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=answer["Key"], UploadId=upload)
        return False


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def _picture() -> bytes:
    """A grey PNG, large enough for Rekognition."""
    row = b"\0" + b"\xc8" * _SIDE
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * _SIDE)),
        (b"IEND", b""),
    )
    written = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)
