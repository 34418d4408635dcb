import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from gatehouse.aws.queue_sender import MessageNotSentError, QueueSender
from tests.unit.aws_calls import AwsCalls


@pytest.fixture
def queue() -> Iterator[tuple[QueueSender, AwsCalls]]:
    """A queue, and its calls."""
    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        client, calls = boto3.client("sqs"), AwsCalls()
        url = client.create_queue(QueueName="ingest")["QueueUrl"]
        calls.watch(client)
        yield QueueSender(client, url), calls


def received() -> list[str]:
    client = boto3.client("sqs")
    url = client.get_queue_url(QueueName="ingest")["QueueUrl"]
    bodies = []
    while messages := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in messages]
        for message in messages:
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return bodies


def test_messages_are_sent_ten_a_call(queue: tuple[QueueSender, AwsCalls]) -> None:
    ingest, calls = queue
    sent = [json.dumps({"n": n}) for n in range(23)]

    ingest.send(sent)

    assert calls.made["SendMessageBatch"] == 3
    assert sorted(received()) == sorted(sent)


def test_long_messages_share_a_call_only_as_far_as_it_holds(queue: tuple[QueueSender, AwsCalls]) -> None:
    ingest, calls = queue

    ingest.send(["é" * 50_000] * 5)  # 100,000 bytes each

    assert calls.made["SendMessageBatch"] == 3
    assert len(received()) == 5


def test_a_refused_message_is_told(queue: tuple[QueueSender, AwsCalls]) -> None:
    ingest, calls = queue
    failed = [{"Id": "1", "Code": "InternalError", "SenderFault": False}]
    calls.answer_next("SendMessageBatch", {"Successful": [{"Id": "0"}], "Failed": failed})

    with pytest.raises(MessageNotSentError, match=r"1 of 2 messages were refused: InternalError"):
        ingest.send(["a", "b"])


def test_what_was_refused_is_known_by_its_position_and_the_rest_is_sent(queue: tuple[QueueSender, AwsCalls]) -> None:
    ingest, calls = queue
    failed = [{"Id": "3", "Code": "InternalError", "SenderFault": False}]
    calls.answer_next("SendMessageBatch", {"Successful": []})
    calls.answer_next("SendMessageBatch", {"Failed": failed})

    with pytest.raises(MessageNotSentError) as caught:
        ingest.send([f"message {n}" for n in range(23)])

    assert caught.value.refused == {13}
    assert sorted(received()) == ["message 20", "message 21", "message 22"]


def test_nothing_to_send_costs_no_call(queue: tuple[QueueSender, AwsCalls]) -> None:
    ingest, calls = queue

    ingest.send([])

    assert calls.made == {}
