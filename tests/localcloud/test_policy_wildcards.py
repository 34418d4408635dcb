"""Keys with a newline under a policy with wildcards."""

import pytest

from tests.localcloud.workbench import Workbench, error_code, unique


@pytest.mark.parametrize(
    ("pattern", "key", "allowed"),
    [
        ("uploads/*", "uploads/new\nline.jpg", True),
        ("uploads/?.jpg", "uploads/\n.jpg", True),
        ("uploads/exact.jpg", "uploads/exact.jpg\n", False),
        ("other/*", "uploads/new\nline.jpg", False),
    ],
)
def test_wildcards_match_newlines(workbench: Workbench, pattern: str, key: str, allowed: bool) -> None:
    bucket = unique("bucket")
    storage = workbench.client("s3")
    storage.create_bucket(Bucket=bucket)
    storage.put_object(Bucket=bucket, Key=key, Body=b"x")
    reader = workbench.user_client("s3", ("s3:GetObject", f"arn:aws:s3:::{bucket}/{pattern}"))
    assert error_code(lambda: reader.get_object(Bucket=bucket, Key=key)) == ("" if allowed else "AccessDenied")
