"""S3's events on EventBridge: their shape, the rules that match them, and what can't be delivered."""

import json
from typing import Any

import pytest

from tests.localcloud.workbench import Workbench, eventually


def watched_bucket(
    workbench: Workbench, pattern: dict[str, Any] | None = None, *, versioned: bool = True, queue_policy: bool = True
) -> dict[str, str]:
    """Outputs of a stack: a bucket whose matching events go to a queue, or to the rule's dead-letter queue.

    The queue `Everything` gets all of them, each after `Queue` got it.
    """
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "*",
    }
    queues = [{"Ref": "DeadLetters"}, {"Ref": "Everything"}, *([{"Ref": "Queue"}] if queue_policy else [])]
    versioning = {"VersioningConfiguration": {"Status": "Enabled"}} if versioned else {}
    event_bridge = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    created = {"source": ["aws.s3"], "detail-type": ["Object Created"]}
    ours = {"bucket": {"name": [{"Ref": "Bucket"}]}}
    return workbench.deployed(
        {
            "Resources": {
                "Bucket": {
                    "Type": "AWS::S3::Bucket",
                    "Properties": {"NotificationConfiguration": event_bridge, **versioning},
                },
                "Queue": {"Type": "AWS::SQS::Queue"},
                "DeadLetters": {"Type": "AWS::SQS::Queue"},
                "Everything": {"Type": "AWS::SQS::Queue"},
                "EverythingRule": {
                    "Type": "AWS::Events::Rule",
                    "DependsOn": "Rule",
                    "Properties": {
                        "EventPattern": {**created, "detail": ours},
                        "Targets": [{"Id": "queue", "Arn": {"Fn::GetAtt": ["Everything", "Arn"]}}],
                    },
                },
                "QueuePolicy": {
                    "Type": "AWS::SQS::QueuePolicy",
                    "Properties": {
                        "Queues": queues,
                        "PolicyDocument": {"Version": "2012-10-17", "Statement": [allow]},
                    },
                },
                "Rule": {
                    "Type": "AWS::Events::Rule",
                    "Properties": {
                        "EventPattern": {**created, "detail": {**ours, **(pattern or {})}},
                        "Targets": [
                            {
                                "Id": "queue",
                                "Arn": {"Fn::GetAtt": ["Queue", "Arn"]},
                                "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}},
                                "RetryPolicy": {"MaximumRetryAttempts": 185},
                            }
                        ],
                    },
                },
            },
            "Outputs": {name: {"Value": {"Ref": name}} for name in ("Bucket", "Queue", "DeadLetters", "Everything")},
        }
    )


def events(workbench: Workbench, queue: str, count: int) -> list[dict[str, Any]]:
    """The next events of a queue, in the order of the objects' sequencers."""
    found: list[dict[str, Any]] = []

    def enough() -> bool:
        found.extend(json.loads(message["Body"]) for message in workbench.messages(queue))
        return len(found) >= count

    eventually(enough)
    return sorted(found, key=lambda event: str(event["detail"]["object"]["sequencer"]))


def test_an_upload_is_told_in_awss_words(workbench: Workbench) -> None:
    stack = watched_bucket(workbench)
    key = "a b/red+flower %41 ü.jpg"
    put = workbench.client("s3").put_object(Bucket=stack["Bucket"], Key=key, Body=b"12345")
    [event] = events(workbench, stack["Queue"], 1)
    assert (event["version"], event["source"], event["detail-type"]) == ("0", "aws.s3", "Object Created")
    assert event["resources"] == [f"arn:aws:s3:::{stack['Bucket']}"]
    assert len(event["time"]) == len("2026-01-01T00:00:00Z")
    detail = event["detail"]
    assert set(detail) == {
        "version", "bucket", "object", "request-id", "requester", "source-ip-address", "reason"
    }  # fmt: skip
    assert detail["reason"] == "PutObject"
    assert int(detail["object"].pop("sequencer"), 16) > 0
    assert detail["object"] == {
        "key": key,
        "size": 5,
        "etag": put["ETag"].strip('"'),
        "version-id": put["VersionId"],
    }


def test_an_unversioned_bucket_has_no_version_to_tell(workbench: Workbench) -> None:
    stack = watched_bucket(workbench, versioned=False)
    workbench.client("s3").put_object(Bucket=stack["Bucket"], Key="key", Body=b"x")
    [event] = events(workbench, stack["Queue"], 1)
    assert set(event["detail"]["object"]) == {"key", "size", "etag", "sequencer"}


def test_the_reason_names_the_way_an_object_came_and_sequencers_grow(workbench: Workbench) -> None:
    stack = watched_bucket(workbench)
    s3, bucket = workbench.client("s3"), stack["Bucket"]
    s3.put_object(Bucket=bucket, Key="key", Body=b"")
    s3.copy_object(Bucket=bucket, Key="key", CopySource={"Bucket": bucket, "Key": "key"}, MetadataDirective="REPLACE")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="key", UploadId=upload, PartNumber=1, Body=b"123")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="key", UploadId=upload, MultipartUpload=parts)
    s3.delete_object(Bucket=bucket, Key="key")

    found = [event["detail"] for event in events(workbench, stack["Queue"], 3)]
    assert [(detail["reason"], detail["object"]["size"]) for detail in found] == [
        ("PutObject", 0),
        ("CopyObject", 0),
        ("CompleteMultipartUpload", 3),
    ]
    assert len({detail["object"]["version-id"] for detail in found}) == 3
    assert len({len(detail["object"]["sequencer"]) for detail in found}) == 1


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ({"key": [{"prefix": "in/"}]}, ["in/a.jpg", "in/a.JPG", "in/deep/b.png"]),
        ({"key": [{"suffix": ".jpg"}]}, ["in/a.jpg", "out/c.jpg"]),
        ({"key": [{"suffix": {"equals-ignore-case": ".jpg"}}]}, ["in/a.jpg", "in/a.JPG", "out/c.jpg"]),
        ({"key": [{"anything-but": {"prefix": ["in/deep/", "out/"]}}]}, ["in/a.jpg", "in/a.JPG", "top"]),
        ({"key": [{"anything-but": {"prefix": "in/"}}]}, ["out/c.jpg", "top"]),
        ({"key": [{"wildcard": "in/*.png"}]}, ["in/deep/b.png"]),
        ({"key": [{"equals-ignore-case": "TOP"}]}, ["top"]),
        ({"size": [{"numeric": [">=", 2, "<=", 3]}]}, ["in/a.JPG", "in/deep/b.png"]),
        ({"key": [{"prefix": "in/"}], "size": [{"numeric": [">", 2]}]}, ["in/deep/b.png"]),
    ],
    ids=json.dumps,
)
def test_rules_match_like_eventbridge(workbench: Workbench, pattern: dict[str, Any], matching: list[str]) -> None:
    stack = watched_bucket(workbench, {"object": pattern})
    s3 = workbench.client("s3")
    for size, key in enumerate(["in/a.jpg", "in/a.JPG", "in/deep/b.png", "out/c.jpg", "top"], start=1):
        s3.put_object(Bucket=stack["Bucket"], Key=key, Body=b"x" * size)
    events(workbench, stack["Everything"], 5)
    found = events(workbench, stack["Queue"], len(matching))
    assert [event["detail"]["object"]["key"] for event in found] == matching


def test_what_a_queue_does_not_accept_reaches_the_dead_letter_queue(workbench: Workbench) -> None:
    stack = watched_bucket(workbench, queue_policy=False)
    workbench.client("s3").put_object(Bucket=stack["Bucket"], Key="key", Body=b"x")
    [message] = eventually(lambda: workbench.messages(stack["DeadLetters"]))
    assert json.loads(message["Body"])["detail"]["object"]["key"] == "key"
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "NO_PERMISSIONS"
    assert ":rule/" in attributes["RULE_ARN"]
    assert attributes["TARGET_ARN"].endswith(stack["Queue"].rsplit("/", 1)[1])
    assert workbench.messages(stack["Queue"]) == []
