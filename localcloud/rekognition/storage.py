"""The port through which Rekognition reads and writes S3 objects, always with its caller's permissions.

AWS passes no role to StartMediaAnalysisJob: "the user must have permission to access the S3 object" (API reference,
S3Object). The implementation therefore checks `s3:GetObject` (`s3:GetObjectVersion` when a version is asked for) and
`s3:PutObject` for the caller. It is called from request threads and from job threads, several at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from localcloud.rekognition.caller import Caller


@dataclass(frozen=True, slots=True)
class ReadObject:
    """An object as read: its bytes, and its user metadata with keys in lower case and without `x-amz-meta-`."""

    body: bytes
    metadata: Mapping[str, str] = field(default_factory=dict)


class ObjectUnreadable(Exception):  # noqa: N818 - reads as the condition it is
    """An object that can't be read.

    Attributes:
        access_denied: the caller lacks a permission; False when the bucket, key or version does not exist.
    """

    def __init__(self, message: str, *, access_denied: bool = False) -> None:
        super().__init__(message)
        self.access_denied = access_denied


class ObjectUnwritable(Exception):  # noqa: N818 - reads as the condition it is
    """An object that can't be written.

    Attributes:
        access_denied: the caller lacks a permission; False when the bucket does not exist.
    """

    def __init__(self, message: str, *, access_denied: bool = False) -> None:
        super().__init__(message)
        self.access_denied = access_denied


class ObjectStorage(Protocol):
    """S3 as Rekognition uses it."""

    def read(self, caller: Caller, bucket: str, key: str, version_id: str | None = None) -> ReadObject:
        """The object's current version, or the version asked for.

        Raises:
            ObjectUnreadable: it does not exist, or the caller may not read it.
        """
        ...

    def write(self, caller: Caller, bucket: str, key: str, body: bytes, content_type: str) -> None:
        """Put an object.

        Raises:
            ObjectUnwritable: the bucket does not exist, or the caller may not write to it.
        """
        ...
