"""Bucket policies ask of tags, copies and roles what they can ask on AWS."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import boto3
import pytest

from tests.localcloud.workbench import ACCOUNT, REGION, Workbench, error_code, unique

_REFUSED: Final = "AccessDenied"
_RED: Final = {"TagSet": [{"Key": "color", "Value": "red"}]}
_BLUE: Final = {"TagSet": [{"Key": "color", "Value": "blue"}]}


@pytest.fixture
def bucket(workbench: Workbench) -> Iterator[str]:
    """A bucket with versions, `red.jpg` tagged, and `plain.jpg` not."""
    name, storage = unique("bucket"), workbench.client("s3")
    storage.create_bucket(Bucket=name)
    storage.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    storage.put_object(Bucket=name, Key="red.jpg", Body=b"red", Tagging="color=red")
    storage.put_object(Bucket=name, Key="plain.jpg", Body=b"plain")
    yield name
    storage.delete_bucket_policy(Bucket=name)


@pytest.fixture
def user(workbench: Workbench) -> Any:
    return workbench.user_client("s3", ("s3:*", "*"))


def deny(workbench: Workbench, bucket: str, actions: list[str], condition: Mapping[str, Any], **more: Any) -> None:
    """Have the bucket's policy deny everybody these actions under a condition."""
    resource = {"Resource": f"arn:aws:s3:::{bucket}/*"} if "NotResource" not in more else {}
    statement = {"Effect": "Deny", "Principal": "*", "Action": actions, "Condition": condition, **resource, **more}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    workbench.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


@pytest.mark.parametrize("spelling", ["color", "Color", "COLOR"])
def test_reading_is_denied_by_the_versions_tags_whatever_the_case_of_the_key(
    workbench: Workbench, bucket: str, user: Any, spelling: str
) -> None:
    reads = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"]
    deny(workbench, bucket, reads, {"StringNotEquals": {f"s3:ExistingObjectTag/{spelling}": "red"}})

    for key, code in (("red.jpg", ""), ("plain.jpg", _REFUSED)):
        version = workbench.client("s3").head_object(Bucket=bucket, Key=key)["VersionId"]
        place = {"Bucket": bucket, "Key": key}
        assert error_code(lambda place=place: user.get_object(**place)) == code  # type: ignore[misc]
        assert error_code(lambda place=place, v=version: user.get_object(**place, VersionId=v)) == code  # type: ignore[misc]
        assert (
            error_code(
                lambda place=place: user.get_object_attributes(**place, ObjectAttributes=["ETag"])  # type: ignore[misc]
            )
            == code
        )
        copy = {"Bucket": bucket, "Key": "copy.jpg", "CopySource": f"{bucket}/{key}?versionId={version}"}
        assert error_code(lambda copy=copy: user.copy_object(**copy)) == code  # type: ignore[misc]


def test_an_older_versions_own_tags_count(workbench: Workbench, bucket: str, user: Any) -> None:
    storage = workbench.client("s3")
    old = storage.head_object(Bucket=bucket, Key="red.jpg")["VersionId"]
    storage.put_object(Bucket=bucket, Key="red.jpg", Body=b"new")
    reads = ["s3:GetObject", "s3:GetObjectVersion"]
    deny(workbench, bucket, reads, {"StringNotEquals": {"s3:ExistingObjectTag/color": "red"}})

    assert error_code(lambda: user.get_object(Bucket=bucket, Key="red.jpg")) == _REFUSED
    assert error_code(lambda: user.get_object(Bucket=bucket, Key="red.jpg", VersionId=old)) == ""


def test_writing_and_deleting_do_not_know_existing_tags(workbench: Workbench, bucket: str, user: Any) -> None:
    deny(
        workbench,
        bucket,
        ["s3:PutObject", "s3:DeleteObject"],
        {"StringEquals": {"s3:ExistingObjectTag/color": "red"}},
    )

    assert error_code(lambda: user.put_object(Bucket=bucket, Key="red.jpg", Body=b"x")) == ""
    assert error_code(lambda: user.delete_object(Bucket=bucket, Key="red.jpg")) == ""


@pytest.mark.parametrize(
    ("tagging", "code"), [("color=red", _REFUSED), ("Color=red", _REFUSED), ("a=b&color=c", _REFUSED), ("a=b", "")]
)
def test_tags_of_uploads_are_the_requests(
    workbench: Workbench, bucket: str, user: Any, tagging: str, code: str
) -> None:
    keys = {"ForAnyValue:StringEqualsIgnoreCase": {"s3:RequestObjectTagKeys": "color"}}
    deny(workbench, bucket, ["s3:PutObject"], keys)
    place = {"Bucket": bucket, "Key": "new.jpg"}

    assert error_code(lambda: user.put_object(**place, Body=b"x", Tagging=tagging)) == code
    assert error_code(lambda: user.create_multipart_upload(**place, Tagging=tagging)) == code
    assert error_code(lambda: user.put_object(**place, Body=b"x")) == ""


def test_changing_tags_knows_both_the_old_and_the_new_ones(workbench: Workbench, bucket: str, user: Any) -> None:
    deny(
        workbench,
        bucket,
        ["s3:PutObjectTagging", "s3:PutObjectVersionTagging"],
        {
            "StringEquals": {"s3:ExistingObjectTag/color": "red"},
            "StringNotEquals": {"s3:RequestObjectTag/color": "red"},
        },
    )
    place = {"Bucket": bucket, "Key": "red.jpg"}
    version = workbench.client("s3").head_object(**place)["VersionId"]

    assert error_code(lambda: user.put_object_tagging(**place, Tagging=_RED)) == ""
    assert error_code(lambda: user.put_object_tagging(**place, Tagging=_BLUE)) == _REFUSED
    assert error_code(lambda: user.put_object_tagging(**place, VersionId=version, Tagging=_BLUE)) == _REFUSED
    assert error_code(lambda: user.put_object_tagging(Bucket=bucket, Key="plain.jpg", Tagging=_BLUE)) == ""


def test_deleting_tags_knows_the_old_ones(workbench: Workbench, bucket: str, user: Any) -> None:
    deny(
        workbench,
        bucket,
        ["s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"],
        {"StringEquals": {"s3:ExistingObjectTag/color": "red"}},
    )

    assert error_code(lambda: user.delete_object_tagging(Bucket=bucket, Key="red.jpg")) == _REFUSED
    assert error_code(lambda: user.delete_object_tagging(Bucket=bucket, Key="plain.jpg")) == ""


def test_a_copy_has_a_source(workbench: Workbench, bucket: str, user: Any) -> None:
    deny(workbench, bucket, ["s3:PutObject"], {"Null": {"s3:x-amz-copy-source": "false"}})
    copy = {"Bucket": bucket, "Key": "copy.jpg", "CopySource": f"{bucket}/plain.jpg"}

    assert error_code(lambda: user.copy_object(**copy)) == _REFUSED
    assert error_code(lambda: user.put_object(Bucket=bucket, Key="copy.jpg", Body=b"x")) == ""


@pytest.mark.parametrize(("path", "code"), [("/shop/readers/", ""), ("/shop/", _REFUSED), ("/", _REFUSED)])
def test_the_principal_of_a_session_is_its_role_with_the_path(
    workbench: Workbench, bucket: str, path: str, code: str
) -> None:
    name, iam = unique("role"), workbench.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    allowed = {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(allowed))
    arn = f"arn:aws:iam::{ACCOUNT}:role{path}{name}"
    session = workbench.client("sts").assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    client = boto3.client(
        "s3",
        endpoint_url=workbench.client("s3").meta.endpoint_url,
        region_name=REGION,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    readers = f"arn:aws:iam::{ACCOUNT}:role/shop/readers/*"
    deny(workbench, bucket, ["s3:GetObject"], {"ArnNotLike": {"aws:PrincipalArn": readers}})

    assert error_code(lambda: client.get_object(Bucket=bucket, Key="plain.jpg")) == code


def test_what_is_no_resource_of_a_statement_is_left_out(workbench: Workbench, bucket: str, user: Any) -> None:
    unless_red = {"StringNotEquals": {"s3:ExistingObjectTag/color": "red"}}
    deny(workbench, bucket, ["s3:GetObject"], unless_red, NotResource=[f"arn:aws:s3:::{bucket}/plain*"])

    assert error_code(lambda: user.get_object(Bucket=bucket, Key="plain.jpg")) == ""
    workbench.client("s3").put_object(Bucket=bucket, Key="other.jpg", Body=b"x")
    assert error_code(lambda: user.get_object(Bucket=bucket, Key="other.jpg")) == _REFUSED
