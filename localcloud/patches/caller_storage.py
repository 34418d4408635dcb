"""S3 for Rekognition, which reads and writes with the permissions of its caller.

AWS: Rekognition has no role of its own for this; "the user must have permission to access the S3 object". IAM policies
of the caller and the bucket policy decide, and a missing key looks forbidden to a caller without `s3:ListBucket`.
ministack 1.5.33: its S3 functions check nothing when called inside the process, only for HTTP requests.

Calls `s3._get_object` and `s3._put_object`; nothing is replaced.
"""

import contextvars
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ministack.core.responses import get_account_id, get_region, set_request_account_id, set_request_region
from ministack.core.router import extract_access_key_id
from ministack.services import s3

from localcloud.patches import authorization
from localcloud.patches.execution_loop import current_role
from localcloud.patches.object_tag_conditions import existing_tags
from localcloud.patches.seam import Seam
from localcloud.rekognition.caller import Caller
from localcloud.rekognition.storage import ObjectUnreadable, ObjectUnwritable, ReadObject

SEAMS = (
    *authorization.SEAMS,
    Seam("ministack.core.router", "extract_access_key_id", ("headers", "query_params")),
    Seam("ministack.core.responses", "set_request_account_id"),
    Seam("ministack.core.responses", "set_request_region"),
    Seam("ministack.services.s3", "_get_object", ("bucket_name", "key", "headers", "query_params")),
    Seam("ministack.services.s3", "_put_object", ("bucket_name", "key", "body", "headers")),
)

_METADATA_PREFIX = "x-amz-meta-"
_Answer = TypeVar("_Answer")


def caller_of(headers: Mapping[str, str], query: Mapping[str, list[str]]) -> Caller:
    """The sender of a request: the role of the execution that it comes from, or the owner of the signing key."""
    role = current_role()
    access_key = None if role else extract_access_key_id(headers, query) or None
    return Caller(access_key=access_key, role_arn=role, account=get_account_id(), region=get_region())


class CallerStorage:
    """`localcloud.rekognition.storage.ObjectStorage` over ministack's S3."""

    def read(self, caller: Caller, bucket: str, key: str, version_id: str | None = None) -> ReadObject:
        """See `ObjectStorage.read`. Needs `s3:GetObject`, or `s3:GetObjectVersion` if a version is named."""
        return _as_caller(caller, lambda access_key: _read(access_key, bucket, key, version_id))

    def write(self, caller: Caller, bucket: str, key: str, body: bytes, content_type: str) -> None:
        """See `ObjectStorage.write`. Needs `s3:PutObject`."""
        _as_caller(caller, lambda access_key: _write(access_key, bucket, key, body, content_type))


def _as_caller(caller: Caller, call: Callable[[str], _Answer]) -> _Answer:
    """Run `call` in the caller's account and region, without changing those of the current request."""

    def in_scope() -> _Answer:
        set_request_account_id(caller.account)
        set_request_region(caller.region)
        access_key = authorization.role_access_key(caller.role_arn) if caller.role_arn else caller.access_key
        return call(access_key or "")

    return contextvars.copy_context().run(in_scope)


def _read(access_key: str, bucket: str, key: str, version_id: str | None) -> ReadObject:
    arn = f"arn:aws:s3:::{bucket}/{key}"
    action = "s3:GetObjectVersion" if version_id else "s3:GetObject"
    refused = authorization.denial(access_key, action, arn, existing_tags(bucket, key, version_id))
    if refused:
        raise ObjectUnreadable(refused.message, access_denied=True)
    query = {"versionId": [version_id]} if version_id else {}
    status, headers, body = s3._get_object(bucket, key, {}, query)
    if status == 404 and not version_id:
        # S3 distinguishes a missing key from a forbidden one only for callers that can list the bucket.
        refused = authorization.denial(access_key, "s3:ListBucket", f"arn:aws:s3:::{bucket}")
        if refused:
            raise ObjectUnreadable(refused.message, access_denied=True)
    if status != 200:
        raise ObjectUnreadable(f"Unable to get the object s3://{bucket}/{key}: {_code(body)}")
    metadata = {
        name.lower().removeprefix(_METADATA_PREFIX): value
        for name, value in headers.items()
        if name.lower().startswith(_METADATA_PREFIX)
    }
    return ReadObject(body=body, metadata=metadata)


def _write(access_key: str, bucket: str, key: str, body: bytes, content_type: str) -> None:
    refused = authorization.denial(access_key, "s3:PutObject", f"arn:aws:s3:::{bucket}/{key}")
    if refused:
        raise ObjectUnwritable(refused.message, access_denied=True)
    headers = {"content-type": content_type, "content-length": str(len(body))}
    status, _, answer = s3._put_object(bucket, key, body, headers)
    if status != 200:
        raise ObjectUnwritable(f"Unable to put the object s3://{bucket}/{key}: {_code(answer)}")


def _code(answer: Any) -> str:
    """The error code in an S3 error document."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    return text.partition("<Code>")[2].partition("</Code>")[0] or "unknown error"
