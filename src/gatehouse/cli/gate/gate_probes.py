"""Tries the gate as the caller: to forge the tag in each way, to read too early, and to read what is approved.

Uploading and tagging without the tag must succeed, so that a missing permission of the caller's is not taken for the
gate. What is uploaded for it is deleted again, and analyzed as any other upload: one analysis a lane.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

from botocore.exceptions import ClientError

from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.clock import Clock
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.cli.doctor.finding import Finding, Health
from gatehouse.moderation.gate import TAG, Gate
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import STATUS

#: What the keys of probes have in them.
PROBE: Final = "gatehouse-gate-check"

_REFUSED: Final = HTTPStatus.FORBIDDEN
_OPEN: Final = Status.APPROVED.value
_TAGS: Final = {"TagSet": [{"Key": TAG, "Value": _OPEN}]}
_TAGS_AS_QUERY: Final = f"{TAG}={_OPEN}"
_TAGS_AS_XML: Final = f"<Tagging><TagSet><Tag><Key>{TAG}</Key><Value>{_OPEN}</Value></Tag></TagSet></Tagging>"
#: The longest that a verdict and its tag are waited for, and how often they are looked for.
_PATIENCE: Final = timedelta(minutes=15)
_POLL_SECONDS: Final = 2.0
_SIDE: Final = 96


@dataclass(slots=True)
class GateProbes:
    """The attempts.

    Attributes:
        client: an S3 client of the caller's.
        tell: shows a sentence about the progress.
    """

    client: Any
    bucket: str
    gate: Gate
    lanes: DeployedLanes
    table: OperatorsVerdictTable
    clock: Clock
    tell: Callable[[str], None]
    _made: list[str] = field(default_factory=list, init=False)

    def findings(self) -> Iterator[Finding]:
        """Try everything, a lane at a time; forging once, in the first lane that can be tried."""
        picture, has_forged = _picture(), False
        try:
            for lane in self.lanes.lanes:
                key = self._key(lane, len(picture))
                if key is None:
                    text = f"Lane {lane.name} takes no key or size that a probe could have, so it was not tried."
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
        """Delete the probes, and whatever could be forged after them."""
        for key in self._made:
            pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=key)
            for version in [version for page in pages for version in page.get("Versions", [])]:
                self.client.delete_object(Bucket=self.bucket, Key=version["Key"], VersionId=version["VersionId"])

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
        if not self.gate.closes:
            return
        if self._is_refused(lambda: self.client.get_object(Bucket=self.bucket, Key=key, VersionId=version)):
            yield Finding("gate-probe", Health.OK, "Reading what is not approved is refused.")
        else:
            text = (
                "You can read what is not approved. If you are one of gate.readers, or Gatehouse itself, try with "
                "credentials that readers of the bucket have; else the gate is open."
            )
            yield Finding("gate-probe", Health.WARNING, text)

    def _forged(self, key: str, version: str, picture: bytes) -> Iterator[Finding]:
        """Set the tag in each way that S3 has."""
        other = f"{key}-forged"
        place = {"Bucket": self.bucket, "Key": other}
        source = {"Bucket": self.bucket, "Key": key, "VersionId": version}
        attempts: dict[str, Callable[[], Any]] = {
            "a PUT with the tag": lambda: self.client.put_object(**place, Body=picture, Tagging=_TAGS_AS_QUERY),
            "a POST form with the tag": lambda: self._post(other, picture),
            "a multipart upload with the tag": lambda: self.client.create_multipart_upload(
                **place, Tagging=_TAGS_AS_QUERY
            ),
            "a copy": lambda: self.client.copy_object(**place, CopySource=source),
            "a copy with the tag": lambda: self.client.copy_object(
                **place, CopySource=source, TaggingDirective="REPLACE", Tagging=_TAGS_AS_QUERY
            ),
            "tagging an upload": lambda: self.client.put_object_tagging(Bucket=self.bucket, Key=key, Tagging=_TAGS),
            "tagging a version": lambda: self.client.put_object_tagging(
                Bucket=self.bucket, Key=key, VersionId=version, Tagging=_TAGS
            ),
            "tagging in capitals": lambda: self.client.put_object_tagging(
                Bucket=self.bucket, Key=key, Tagging={"TagSet": [{"Key": TAG.upper(), "Value": _OPEN}]}
            ),
        }
        # Who may not tag at all would be refused everything.
        harmless = {"TagSet": [{"Key": "gatehouse-check", "Value": "1"}]}
        if self._is_refused(lambda: self.client.put_object_tagging(Bucket=self.bucket, Key=key, Tagging=harmless)):
            text = "You may not tag objects at all, so forging was not tried; use credentials that may."
            yield Finding("gate-probe", Health.UNKNOWN, text)
            return
        for name, attempt in attempts.items():
            yield self._attempted(name, attempt)

    def _attempted(self, name: str, attempt: Callable[[], Any]) -> Finding:
        try:
            is_refused = self._is_refused(attempt)
        except (ClientError, OSError) as error:
            return Finding("gate-probe", Health.UNKNOWN, f"Forging the tag by {name} could not be tried: {error}.")
        if is_refused:
            return Finding("gate-probe", Health.OK, f"Forging the tag by {name} is refused.")
        return Finding("gate-probe", Health.BROKEN, f"The tag can be forged by {name}: the bucket's policy lets it.")

    def _in_time(self, lane: Lane, key: str, version: str) -> Iterator[Finding]:
        """Wait for the verdict and the tag, and try to remove it."""
        began = self.clock.moment()
        while (opened := self._is_open(key, version)) is None:
            if self.clock.seconds_since(began) > _PATIENCE.total_seconds():
                text = f"Lane {lane.name} did not open an upload within {_PATIENCE.total_seconds() / 60:.0f} minutes."
                yield Finding("gate-probe", Health.BROKEN, text, (f"gatehouse verdict {key}",))
                return
            self.tell(f"Waiting for the verdict of lane {lane.name}, and for its tag")
            self.clock.pause(_POLL_SECONDS)
        seconds = self.clock.seconds_since(began)
        if opened is not Status.APPROVED:
            text = f"The probe of lane {lane.name} ended {opened}, so opening was not tried."
            yield Finding("gate-probe", Health.WARNING, text, (f"gatehouse policy explain {key}",))
            return
        closed = "that nobody else could read" if self.gate.closes else "while nothing is closed yet"
        text = f"Lane {lane.name} read, approved and tagged an upload {closed}, in {seconds:.0f} s."
        yield Finding("gate-probe", Health.OK, text)
        place = {"Bucket": self.bucket, "Key": key, "VersionId": version}
        for name, attempt in {
            "deleting it": lambda: self.client.delete_object_tagging(**place),
            "tagging without it": lambda: self.client.put_object_tagging(**place, Tagging={"TagSet": []}),
        }.items():
            if self._is_refused(attempt):
                yield Finding("gate-probe", Health.OK, f"Dropping the tag by {name} is refused.")
            else:
                yield Finding("gate-probe", Health.BROKEN, f"The tag can be dropped by {name}.")

    def _is_open(self, key: str, version: str) -> Status | None:
        """The probe's status once it is final and, if it is approved, its version is tagged and readable."""
        item = self.table.of_version_id(f"s3://{self.bucket}/{key}", version)
        if item is None or item[STATUS] == Status.PENDING:
            return None
        status = Status(item[STATUS])
        if status is not Status.APPROVED:
            return status
        place = {"Bucket": self.bucket, "Key": key, "VersionId": version}
        tags = {tag["Key"]: tag["Value"] for tag in self.client.get_object_tagging(**place)["TagSet"]}
        is_open = tags.get(TAG) == _OPEN and not self._is_refused(lambda: self.client.get_object(**place))
        return status if is_open else None

    def _post(self, key: str, body: bytes) -> dict[str, str]:
        """Send a form, as a browser does."""
        conditions = [{"tagging": _TAGS_AS_XML}]
        form = self.client.generate_presigned_post(self.bucket, key, Fields=dict(conditions[0]), Conditions=conditions)
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
