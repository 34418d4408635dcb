"""Encryption with KMS that names no key uses the one that AWS manages."""

from typing import Any

import pytest

from tests.localcloud.workbench import Workbench

OWN = "arn:aws:kms:us-east-1:000000000000:key/1d2f0c3e-0000-4000-8000-000000000001"


def is_encrypted(answer: Any, algorithm: str) -> bool:
    is_managed = answer["SSEKMSKeyId"].startswith("arn:aws:kms:") and answer["SSEKMSKeyId"] != OWN
    return bool(answer["ServerSideEncryption"] == algorithm and is_managed)


@pytest.mark.parametrize("algorithm", ["aws:kms", "aws:kms:dsse"])
def test_an_upload_that_names_no_key_is_taken(workbench: Workbench, algorithm: Any) -> None:
    s3, bucket = workbench.client("s3"), workbench.bucket()
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"x", ServerSideEncryption=algorithm)
    begun = s3.create_multipart_upload(Bucket=bucket, Key="b", ServerSideEncryption=algorithm)
    copied = s3.copy_object(
        Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "a"}, ServerSideEncryption=algorithm
    )
    got = s3.get_object(Bucket=bucket, Key="a")

    assert got["Body"].read() == b"x"
    assert [is_encrypted(answer, algorithm) for answer in (put, begun, copied, got)] == [True] * 4


def test_a_key_that_is_named_is_the_one_that_is_used(workbench: Workbench) -> None:
    s3, bucket = workbench.client("s3"), workbench.bucket()
    put = s3.put_object(Bucket=bucket, Key="a", ServerSideEncryption="aws:kms", SSEKMSKeyId=OWN)

    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms", OWN)


@pytest.mark.parametrize("algorithm", ["aws:kms", "aws:kms:dsse"])
def test_a_buckets_default_may_name_no_key_either(workbench: Workbench, algorithm: Any) -> None:
    s3, bucket = workbench.client("s3"), workbench.bucket()
    rule: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")

    assert is_encrypted(s3.head_object(Bucket=bucket, Key="a"), algorithm)


def test_encryption_by_s3_itself_has_no_key(workbench: Workbench) -> None:
    put = workbench.client("s3").put_object(Bucket=workbench.bucket(), Key="a", ServerSideEncryption="AES256")

    assert put["ServerSideEncryption"] == "AES256"
    assert "SSEKMSKeyId" not in put
