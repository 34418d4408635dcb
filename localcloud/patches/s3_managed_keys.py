"""An upload can request encryption with KMS without naming a key.

AWS: `aws:kms` and `aws:kms:dsse` without a key id use the AWS managed key `aws/s3`, both in a request and in a bucket's
default, and the answers contain its ARN (S3 User Guide, UsingKMSEncryption.html and UsingDSSEncryption.html).
ministack 1.5.33: refuses `aws:kms` without a key id, and `aws:kms:dsse` always.

Wraps `_resolve_sse_write_headers`.
"""

from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import s3

from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.services.s3", "_resolve_sse_write_headers", ("headers", "bucket_name")),
    Seam("ministack.core.responses", "get_account_id", ()),
    Seam("ministack.core.responses", "get_region", ()),
)

_ALGORITHM = "x-amz-server-side-encryption"
_KEY = "x-amz-server-side-encryption-aws-kms-key-id"
_KMS, _DOUBLE = "aws:kms", "aws:kms:dsse"

#: The managed key has a different UUID in each account; this is the local one.
_KEY_ID = "5f3a1e0c-0000-4000-8000-000000000053"


def install() -> None:
    """Use the managed key if none is named."""
    check(SEAMS)
    resolve = s3._resolve_sse_write_headers

    def resolve_sse_write_headers(headers: Mapping[str, str], bucket_name: str) -> Any:
        asked = headers.get(_ALGORITHM, "")
        if asked in (_KMS, _DOUBLE):
            # Only the number of layers differs, and ministack supports a single one.
            headers = {**headers, _ALGORITHM: _KMS, _KEY: headers.get(_KEY) or _managed_key()}
        kept, error = resolve(headers, bucket_name)
        if kept and kept.get(_ALGORITHM) in (_KMS, _DOUBLE):
            kept = {_KEY: _managed_key(), **kept, **({_ALGORITHM: asked} if asked else {})}
        return kept, error

    s3._resolve_sse_write_headers = resolve_sse_write_headers


def _managed_key() -> str:
    return f"arn:aws:kms:{get_region()}:{get_account_id()}:key/{_KEY_ID}"
