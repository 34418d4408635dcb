"""With a gate, readers with broad rights see what is approved, and nothing else; nobody sets the tag but Outcomes."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from gatehouse.contracts.gate_policy import PROBE
from gatehouse.moderation.decision import Decision, decide
from gatehouse.moderation.gate import TAG
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import verdict_from_item
from localcloud.process_environment import REGION
from tests.chaos.acts import now
from tests.chaos.reviewer import Reviewer
from tests.e2e.assumed_role import ACCOUNT, assume
from tests.e2e.images import BLOCKED, CLEAN, REVIEW
from tests.e2e.pipeline import Pipeline
from tests.e2e.terminal import Terminal

#: Whoever has no part in Gatehouse, and may do everything with the bucket but change who may.
BROAD = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:PutBucketPolicy", "Resource": "*"},
    ],
}
ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
TAGS = {"TagSet": [{"Key": TAG, "Value": "APPROVED"}]}
AS_QUERY = f"{TAG}=APPROVED"

SETTINGS = f"""
image_engine: {{calls_per_second: 250}}
existing_objects: true
gate:
  mode: tag
  readers: {{roles: ["arn:aws:iam::{ACCOUNT}:role/Thumbnails-*"]}}
  open_prefixes: [public/]
  trusted_replicators: ["arn:aws:iam::{ACCOUNT}:role/Copier-*"]
lanes: {{default: {{}}}}
"""


@pytest.fixture(scope="module")
def settings() -> str:
    return SETTINGS


def client_of(pipeline: Pipeline, credentials: Mapping[str, str]) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=pipeline.cloud.endpoint,
        region_name=REGION,
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=credentials["AWS_SESSION_TOKEN"],
    )


@pytest.fixture(scope="module")
def outsider(pipeline: Pipeline) -> Any:
    """An S3 client of a reader with broad rights."""
    return client_of(pipeline, assume(pipeline, "Outsider", "eve", json.dumps(BROAD)))


@pytest.fixture
def bucket(pipeline: Pipeline) -> str:
    return str(pipeline.outputs["UploadBucketName"])


def is_refused(attempt: Callable[[], Any]) -> bool:
    try:
        attempt()
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    except HTTPError as error:
        status = error.code
    else:
        return False
    assert status == 403
    return True


def can_read(client: Any, bucket: str, key: str, version: str | None = None) -> bool:
    named = {"VersionId": version} if version else {}
    return not is_refused(lambda: client.get_object(Bucket=bucket, Key=key, **named))


def wait_until_readable(pipeline: Pipeline, client: Any, key: str, version: str | None = None) -> None:
    bucket = pipeline.outputs["UploadBucketName"]
    pipeline.wait_until(lambda: can_read(client, bucket, key, version), why=f"{key} to be readable")


def judged(pipeline: Pipeline, key: str, body: bytes) -> str:
    """Upload, and wait for the verdict; the version id."""
    version = pipeline.upload(key, body)
    pipeline.wait_until(
        lambda: any(
            item.get("version_id") == version and item["status"] != "PENDING" for item in pipeline.verdicts(key)
        ),
        why=f"the verdict of {key}",
    )
    return version


def test_only_what_is_approved_becomes_readable(pipeline: Pipeline, outsider: Any, bucket: str, prefix: str) -> None:
    work = pipeline.outputs["WorkBucketName"]
    bodies = {f"{prefix}{status}.jpg": body for status, body in (("A", CLEAN), ("B", BLOCKED), ("R", REVIEW))}
    for key, body in bodies.items():
        pipeline.upload(key, body)
        assert not can_read(outsider, bucket, key)
    pipeline.wait_for_verdicts(3, prefix)
    wait_until_readable(pipeline, outsider, f"{prefix}A.jpg")
    assert not can_read(outsider, bucket, f"{prefix}B.jpg")
    assert not can_read(outsider, bucket, f"{prefix}R.jpg")
    assert is_refused(lambda: outsider.head_object(Bucket=bucket, Key=f"{prefix}B.jpg"))
    assert is_refused(
        lambda: outsider.get_object_attributes(Bucket=bucket, Key=f"{prefix}B.jpg", ObjectAttributes=["ETag"])
    )
    assert is_refused(
        lambda: outsider.copy_object(
            Bucket=pipeline.outputs["WorkBucketName"],
            Key="stolen",
            CopySource={"Bucket": bucket, "Key": f"{prefix}B.jpg"},
        )
    )
    # A copy of what is approved into another bucket is like reading it.
    outsider.copy_object(Bucket=work, Key="shown", CopySource={"Bucket": bucket, "Key": f"{prefix}A.jpg"})


def test_a_presigned_url_opens_no_more_than_its_signer(
    pipeline: Pipeline, outsider: Any, bucket: str, prefix: str
) -> None:
    key = f"{prefix}cat.jpg"
    pipeline.upload(key, BLOCKED)
    url = outsider.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    assert is_refused(lambda: urlopen(url))


def test_readers_and_open_prefixes_need_no_verdict(pipeline: Pipeline, outsider: Any, bucket: str, prefix: str) -> None:
    thumbnails = client_of(pipeline, assume(pipeline, "Thumbnails", uuid4().hex[:8], json.dumps(BROAD)))
    pipeline.upload(f"{prefix}cat.jpg", BLOCKED)
    pipeline.upload(f"public/{prefix}cat.jpg", BLOCKED)
    assert can_read(thumbnails, bucket, f"{prefix}cat.jpg")
    assert can_read(outsider, bucket, f"public/{prefix}cat.jpg")
    assert is_refused(lambda: thumbnails.put_object_tagging(Bucket=bucket, Key=f"{prefix}cat.jpg", Tagging=TAGS))


def test_a_version_that_is_blocked_later_closes_again(
    pipeline: Pipeline, outsider: Any, bucket: str, prefix: str
) -> None:
    key = f"{prefix}cat.jpg"
    judged(pipeline, key, CLEAN)
    wait_until_readable(pipeline, outsider, key)
    verdict = verdict_from_item(pipeline.verdicts(key)[0])
    blocking = decide(Status.BLOCKED, Person("alice"), Decision("policy-violation", None), now())
    assert Reviewer(pipeline, "alice").write(verdict, blocking).is_done
    pipeline.wait_until(lambda: not can_read(outsider, bucket, key), why="the gate to close")


def test_an_older_version_that_becomes_current_is_what_its_own_verdict_says(
    pipeline: Pipeline, outsider: Any, bucket: str, prefix: str
) -> None:
    key = f"{prefix}cat.jpg"
    judged(pipeline, key, BLOCKED)
    approved = judged(pipeline, key, CLEAN)
    wait_until_readable(pipeline, outsider, key)
    pipeline.cloud.client("s3").delete_object(Bucket=bucket, Key=key, VersionId=approved)
    assert not can_read(outsider, bucket, key)


def test_an_item_that_is_deleted_closes_the_gate(pipeline: Pipeline, outsider: Any, bucket: str, prefix: str) -> None:
    key = f"{prefix}cat.jpg"
    judged(pipeline, key, CLEAN)
    wait_until_readable(pipeline, outsider, key)
    item = pipeline.verdicts(key)[0]
    pipeline.cloud.client("dynamodb").delete_item(
        TableName=pipeline.outputs["VerdictTableName"],
        Key={name: {"S": item[name]} for name in ("object", "version")},
    )
    pipeline.wait_until(lambda: not can_read(outsider, bucket, key), why="the gate to close")


def test_the_tags_of_other_tools_survive(pipeline: Pipeline, outsider: Any, bucket: str, prefix: str) -> None:
    key, s3 = f"{prefix}cat.jpg", pipeline.cloud.client("s3")
    version = pipeline.upload(key, CLEAN)
    outsider.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": "scan", "Value": "clean"}]})
    wait_until_readable(pipeline, outsider, key)
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]}
    assert tags == {"scan": "clean", TAG: "APPROVED"}
    # Another tool keeps the tag by saying it again.
    again = {"TagSet": [*TAGS["TagSet"], {"Key": "scan", "Value": "again"}]}
    outsider.put_object_tagging(Bucket=bucket, Key=key, VersionId=version, Tagging=again)
    assert can_read(outsider, bucket, key)


def test_what_has_ten_tags_stays_closed(pipeline: Pipeline, outsider: Any, bucket: str, prefix: str) -> None:
    key = f"{prefix}cat.jpg"
    with pipeline.gathered():
        pipeline.upload(key, CLEAN)
        ten = {"TagSet": [{"Key": f"t{n}", "Value": ""} for n in range(10)]}
        outsider.put_object_tagging(Bucket=bucket, Key=key, Tagging=ten)
    pipeline.wait_for_verdicts(1, prefix)

    def is_reported() -> bool:
        lines = pipeline.logged("Outcomes")
        return any(line.get("object", "").endswith(key) and line.get("problem") == "TagsFull" for line in lines)

    pipeline.wait_until(is_reported, why="the report")
    assert not can_read(outsider, bucket, key)


def forgeries(client: Any, bucket: str, key: str, version: str, stolen: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each way to give an unapproved version the tag. `stolen` is a tagged object in a bucket of the forger's."""
    place = {"Bucket": bucket, "Key": f"{key}-forged"}
    source, other = {"Bucket": bucket, "Key": key, "VersionId": version}, {"Bucket": stolen, "Key": "tagged.jpg"}
    upper = {"TagSet": [{"Key": TAG.upper(), "Value": "APPROVED"}]}
    both = {"TagSet": [*TAGS["TagSet"], *upper["TagSet"]]}
    yield "put", lambda: client.put_object(**place, Body=BLOCKED, Tagging=AS_QUERY)
    yield "put in capitals", lambda: client.put_object(**place, Body=BLOCKED, Tagging=f"{TAG.upper()}=APPROVED")
    yield "put among others", lambda: client.put_object(**place, Body=BLOCKED, Tagging=f"a=b&{AS_QUERY}")
    yield "multipart", lambda: client.create_multipart_upload(**place, Tagging=AS_QUERY)
    yield "copy", lambda: client.copy_object(**place, CopySource=other)
    yield (
        "copy onto itself",
        lambda: client.copy_object(
            Bucket=bucket, Key=key, CopySource=source, TaggingDirective="REPLACE", Tagging=AS_QUERY
        ),
    )
    yield (
        "part copy",
        lambda: client.upload_part_copy(
            **place, CopySource=other, PartNumber=1, UploadId=client.create_multipart_upload(**place)["UploadId"]
        ),
    )
    for name, tags in {"tag": TAGS, "tag in capitals": upper, "tag in both": both}.items():
        yield name, partial(client.put_object_tagging, Bucket=bucket, Key=key, Tagging=tags)
        yield (
            f"{name}, by version",
            partial(client.put_object_tagging, Bucket=bucket, Key=key, VersionId=version, Tagging=tags),
        )
    yield "form", lambda: post_form(client, bucket, f"{key}-forged", "tagging", as_xml())
    yield "form's header", lambda: post_form(client, bucket, f"{key}-forged", "x-amz-tagging", AS_QUERY)


def as_xml() -> str:
    return f"<Tagging><TagSet><Tag><Key>{TAG}</Key><Value>APPROVED</Value></Tag></TagSet></Tagging>"


def post_form(client: Any, bucket: str, key: str, field: str, value: str) -> None:
    form = client.generate_presigned_post(bucket, key, Fields={field: value}, Conditions=[{field: value}])
    border = uuid4().hex
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in form["fields"].items()
    ]
    file = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'.encode()
    body = b"".join([*parts, file, BLOCKED, f"\r\n--{border}--\r\n".encode()])
    request = Request(form["url"], body, {"Content-Type": f"multipart/form-data; boundary={border}"})
    with urlopen(request):
        pass


def test_a_forger_is_refused(pipeline: Pipeline, outsider: Any, bucket: str, prefix: str) -> None:
    stolen = f"forger-{uuid4().hex[:12]}"
    outsider.create_bucket(Bucket=stolen)
    outsider.put_object(Bucket=stolen, Key="tagged.jpg", Body=BLOCKED, Tagging=AS_QUERY)
    key = f"{prefix}cat.jpg"
    version = judged(pipeline, key, BLOCKED)
    # What the forger may do: upload without the tag, and a form without it.
    outsider.put_object(Bucket=bucket, Key=f"{key}-plain", Body=BLOCKED)
    post_form(outsider, bucket, f"{key}-form", "x-amz-meta-color", "red")
    refused = {name: is_refused(attempt) for name, attempt in forgeries(outsider, bucket, key, version, stolen)}
    assert all(refused.values()), refused
    assert not can_read(outsider, bucket, key)
    copier = client_of(pipeline, assume(pipeline, "Copier", uuid4().hex[:8], json.dumps(BROAD)))
    outsider.put_object(Bucket=stolen, Key="plain.jpg", Body=BLOCKED)
    copier.copy_object(Bucket=bucket, Key=f"{key}-copied", CopySource={"Bucket": stolen, "Key": "plain.jpg"})


def test_nobody_drops_the_tag(pipeline: Pipeline, outsider: Any, bucket: str, prefix: str) -> None:
    key = f"{prefix}cat.jpg"
    version = judged(pipeline, key, CLEAN)
    wait_until_readable(pipeline, outsider, key)
    place = {"Bucket": bucket, "Key": key}
    attempts: dict[str, Callable[[], Any]] = {
        "delete": lambda: outsider.delete_object_tagging(**place),
        "delete of a version": lambda: outsider.delete_object_tagging(**place, VersionId=version),
        "empty": lambda: outsider.put_object_tagging(**place, Tagging={"TagSet": []}),
        "other value": lambda: outsider.put_object_tagging(
            **place, Tagging={"TagSet": [{"Key": TAG, "Value": "BLOCKED"}]}
        ),
    }
    refused = {name: is_refused(attempt) for name, attempt in attempts.items()}
    assert all(refused.values()), refused
    assert can_read(outsider, bucket, key)


def test_nobody_changes_the_mark_of_what_is_blocked(
    pipeline: Pipeline, outsider: Any, bucket: str, prefix: str
) -> None:
    key = f"{prefix}cat.jpg"
    version = judged(pipeline, key, BLOCKED)
    place = {"Bucket": bucket, "Key": key, "VersionId": version}
    mark = {"Key": TAG, "Value": "BLOCKED"}
    # As the root user, whom no policy binds here; Outcomes does it where `mark_blocked` is on.
    pipeline.cloud.client("s3").put_object_tagging(**place, Tagging={"TagSet": [mark]})
    upper = {"Key": TAG.upper(), "Value": "APPROVED"}
    attempts: dict[str, Callable[[], Any]] = {
        "other value": lambda: outsider.put_object_tagging(**place, Tagging=TAGS),
        "other spelling beside it": lambda: outsider.put_object_tagging(**place, Tagging={"TagSet": [mark, upper]}),
        "empty": lambda: outsider.put_object_tagging(**place, Tagging={"TagSet": []}),
        "delete": lambda: outsider.delete_object_tagging(**place),
    }
    refused = {name: is_refused(attempt) for name, attempt in attempts.items()}
    assert all(refused.values()), refused
    assert not can_read(outsider, bucket, key)


def test_what_replaces_something_approved_is_closed(
    pipeline: Pipeline, outsider: Any, bucket: str, prefix: str
) -> None:
    key = f"{prefix}cat.jpg"
    approved = judged(pipeline, key, CLEAN)
    wait_until_readable(pipeline, outsider, key)
    outsider.put_object(Bucket=bucket, Key=key, Body=BLOCKED)
    assert not can_read(outsider, bucket, key)
    assert can_read(outsider, bucket, key, approved)


def test_the_check_finds_nothing_wrong_and_repairs_what_is(
    pipeline: Pipeline, outsider: Any, bucket: str, prefix: str, tmp_path: Path
) -> None:
    operator = Terminal(
        pipeline,
        tmp_path,
        assume(pipeline, "Operator", uuid4().hex[:8], json.dumps(ADMIN)),
        {"gatehouse.cli.gate.gate_probes._POLL_SECONDS": 0.2},
    )
    s3 = pipeline.cloud.client("s3")
    lit, dark, exposed = (f"{prefix}{name}.jpg" for name in ("lit", "dark", "exposed"))
    for key, body in ((lit, CLEAN), (dark, CLEAN), (exposed, BLOCKED)):
        judged(pipeline, key, body)
    wait_until_readable(pipeline, outsider, lit)
    wait_until_readable(pipeline, outsider, dark)
    s3.delete_object_tagging(Bucket=bucket, Key=dark)  # as the root user, whom no policy binds here
    s3.put_object_tagging(Bucket=bucket, Key=exposed, Tagging=TAGS)
    s3.create_multipart_upload(Bucket=bucket, Key=f"{prefix}film.mov")
    found = operator.gatehouse("gate", "check", "--min-age", "0", "--no-probe", status=3)
    kinds = {each["key"]: each["standing"] for each in found["examples"]}
    assert (kinds[dark], kinds[exposed]) == ("dark", "exposed")
    operator.run("gate", "check", "--repair", "--no-probe")
    wait_until_readable(pipeline, outsider, dark)
    pipeline.wait_until(lambda: not can_read(outsider, bucket, exposed), why="the gate to close")
    (uploads,) = (each for each in found["findings"] if each["check"] == "gate-uploads")
    assert uploads["health"] == "warning"
    for upload in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]:
        assert any(upload["UploadId"] in line for line in uploads["fix"])
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    findings = checked(operator)
    assert {finding["health"] for finding in findings} == {"ok"}, findings
    texts = [finding["text"] for finding in findings]
    assert any("read, approved and tagged" in text for text in texts)
    assert any("Bulk Analysis read a picture" in text for text in texts)
    assert_nothing_is_left_of_probes(pipeline, bucket)


def checked(operator: Terminal, *arguments: str) -> list[Any]:
    """The findings of a check, whatever it compares."""
    done = operator.run("gate", "check", *arguments)
    assert done.stdout, done.stderr
    findings: list[Any] = json.loads(done.stdout)["findings"]
    return findings


def assert_nothing_is_left_of_probes(pipeline: Pipeline, bucket: str) -> None:
    listed = pipeline.cloud.client("s3").list_object_versions(Bucket=bucket)
    keys = [each["Key"] for kind in ("Versions", "DeleteMarkers") for each in listed.get(kind, [])]
    assert not [key for key in keys if PROBE in key]
    assert not [item["key"] for item in pipeline.verdicts() if PROBE in item["key"]]


@pytest.mark.parametrize(
    ("role", "said"), [("AnalysisRoleArn", "Bulk Analysis could not read"), ("AnalyzerRoleArn", "could not analyze")]
)
def test_a_pipeline_that_is_locked_out_is_found(
    pipeline: Pipeline, bucket: str, tmp_path: Path, role: str, said: str
) -> None:
    operator = Terminal(
        pipeline,
        tmp_path,
        assume(pipeline, "Operator", uuid4().hex[:8], json.dumps(ADMIN)),
        {"gatehouse.cli.gate.gate_probes._POLL_SECONDS": 0.2},
    )
    s3 = pipeline.cloud.client("s3")
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    shut = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:GetObjectVersion"],
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"ArnEquals": {"aws:PrincipalArn": pipeline.outputs[role]}},
    }
    locked = {**policy, "Statement": [*policy["Statement"], shut]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(locked))
    try:
        broken = [finding["text"] for finding in checked(operator) if finding["health"] == "broken"]
    finally:
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert len(broken) == 1, broken
    assert said in broken[0]
    assert_nothing_is_left_of_probes(pipeline, bucket)
