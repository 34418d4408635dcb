import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from gatehouse.aws.flag_topic import FlagTopic, message_size
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.flag_publisher import Refusal

ARN = "arn:aws:sns:us-east-1:000000000000:flags"
FLAGS = [Flag(f"id-{n}", json.dumps({"n": n}), {"status": "REVIEW"}) for n in range(3)]


def _entry(n: int, flag: Flag, attributes: dict[str, tuple[str, str]]) -> dict[str, Any]:
    typed = {name: {"DataType": kind, "StringValue": value} for name, (kind, value) in attributes.items()}
    return {"Id": str(n), "Message": flag.body, "MessageAttributes": typed}


def _publish(flags: list[Flag], entries: list[dict[str, Any]], *failed: dict[str, Any]) -> Any:
    """Publish flags while SNS is asked for exactly these entries, and answers with these failures."""
    client = boto3.client("sns")
    with Stubber(client) as stubber:
        stubber.add_response(
            "publish_batch",
            {"Successful": [], "Failed": list(failed)},
            {"TopicArn": ARN, "PublishBatchRequestEntries": entries},
        )
        refused = FlagTopic(client, ARN).publish(flags)
        stubber.assert_no_pending_responses()
    return refused


ENTRIES = [_entry(n, flag, {"status": ("String", "REVIEW")}) for n, flag in enumerate(FLAGS)]


def test_flags_are_published_in_one_call_with_their_attributes() -> None:
    assert _publish(FLAGS, ENTRIES) == {}


def test_attributes_have_the_types_that_subscribers_filter_by() -> None:
    flag = Flag("id", "{}", {"status": "REVIEW", "labels": ("Weapons", "Gänge"), "max_confidence": 95.123456789})
    attributes = {
        "status": ("String", "REVIEW"),
        "labels": ("String.Array", '["Weapons", "G\\u00e4nge"]'),
        "max_confidence": ("Number", "95.12346"),
    }

    assert _publish([flag], [_entry(0, flag, attributes)]) == {}


def test_flags_that_failed_alone_are_told_by_their_positions() -> None:
    failed = [
        {"Id": "2", "Code": "InternalError", "SenderFault": False},
        {"Id": "0", "Code": "InvalidParameter", "SenderFault": True},
    ]

    refused = _publish(FLAGS, ENTRIES, *failed)

    assert refused == {0: Refusal("InvalidParameter", is_final=True), 2: Refusal("InternalError", is_final=False)}


def test_a_refused_call_is_raised() -> None:
    client = boto3.client("sns")
    with Stubber(client) as stubber:
        stubber.add_client_error("publish_batch", "AuthorizationError")
        with pytest.raises(ClientError):
            FlagTopic(client, ARN).publish(FLAGS)


def test_the_size_counts_body_and_attributes_in_bytes() -> None:
    assert message_size(Flag("id", "é" * 10, {"ñ": "ü"})) == 20 + 2 + 6 + 2
