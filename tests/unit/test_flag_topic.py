import json
from collections.abc import Sequence
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from gatehouse.aws.flag_topic import FlagNotPublishedError, FlagTopic
from gatehouse.moderation.flag import Flag

ARN = "arn:aws:sns:us-east-1:000000000000:flags"
FLAGS = [Flag(f"id-{n}", json.dumps({"n": n}), {"status": ("String", "REVIEW")}) for n in range(3)]


def _entries(positions: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {
            "Id": str(n),
            "Message": FLAGS[n].body,
            "MessageAttributes": {"status": {"DataType": "String", "StringValue": "REVIEW"}},
        }
        for n in positions
    ]


def _failed(position: int, sender_fault: bool = False, code: str = "InternalError") -> dict[str, Any]:
    return {"Id": str(position), "Code": code, "SenderFault": sender_fault}


def _publish(*answers: tuple[Sequence[int], Sequence[dict[str, Any]]]) -> list[float]:
    """Publish `FLAGS` while SNS is asked for and answers exactly this; returns the pauses made."""
    client = boto3.client("sns")
    pauses: list[float] = []
    with Stubber(client) as stubber:
        for positions, failed in answers:
            response = {"Successful": [], "Failed": list(failed)}
            stubber.add_response(
                "publish_batch", response, {"TopicArn": ARN, "PublishBatchRequestEntries": _entries(positions)}
            )
        try:
            FlagTopic(client, ARN, pause=pauses.append).publish(FLAGS)
        finally:
            stubber.assert_no_pending_responses()
    return pauses


def test_flags_are_published_in_one_call_with_their_attributes() -> None:
    assert _publish(([0, 1, 2], [])) == []


def test_flags_that_failed_alone_are_sent_again_after_a_pause() -> None:
    assert len(_publish(([0, 1, 2], [_failed(2), _failed(0)]), ([2, 0], [_failed(0)]), ([0], []))) == 2


def test_a_flag_that_never_gets_through_is_an_error() -> None:
    with pytest.raises(FlagNotPublishedError, match="1 of 3 flags were refused: InternalError"):
        _publish(([0, 1, 2], [_failed(1)]), *[([1], [_failed(1)])] * 5)


def test_a_flag_sns_finds_fault_with_is_not_sent_again() -> None:
    with pytest.raises(FlagNotPublishedError, match="InvalidParameter"):
        _publish(([0, 1, 2], [_failed(1, sender_fault=True, code="InvalidParameter")]))


def test_a_faulty_flag_does_not_keep_others_from_their_retry() -> None:
    faulty = _failed(0, sender_fault=True)
    with pytest.raises(FlagNotPublishedError, match="1 of 3"):
        _publish(([0, 1, 2], [faulty, _failed(1)]), ([0, 1], [faulty]))


def test_a_refused_call_is_raised() -> None:
    client = boto3.client("sns")
    with Stubber(client) as stubber:
        stubber.add_client_error("publish_batch", "AuthorizationError")
        with pytest.raises(ClientError):
            FlagTopic(client, ARN, pause=lambda _: None).publish(FLAGS)
