import json
from datetime import datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from gatehouse.aws.event_bus import MAX_BYTES, EventBus
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.flag_publisher import Refusal
from tests.unit.aws_calls import AwsCalls
from tests.unit.builders import a_claim, a_verdict, an_upload

FLAGS = [Flag.of(a_verdict(claim=a_claim(an_upload(f"kids/\u00fc {n}.jpg")))) for n in range(3)]
MADE = {"EventId": "1"}
ARN = "arn:aws:events:eu-west-1:444455556666:event-bus/pictures"


def entry(flag: Flag) -> dict[str, Any]:
    document = json.loads(flag.body)
    return {
        "EventBusName": "pictures",
        "Source": "gatehouse",
        "DetailType": "Gatehouse Verdict",
        "Time": datetime.fromisoformat(document["decided_at"]),
        "Resources": [f"arn:aws:s3:::uploads/{document['object']['key']}"],
        "Detail": flag.body,
    }


def publish(flags: list[Flag], *answers: dict[str, str]) -> Any:
    """Publish flags while EventBridge is asked for exactly these entries, and answers so."""
    client = boto3.client("events")
    failed = sum("ErrorCode" in answer for answer in answers)
    with Stubber(client) as stubber:
        stubber.add_response(
            "put_events",
            {"FailedEntryCount": failed, "Entries": list(answers)},
            {"Entries": [entry(flag) for flag in flags]},
        )
        refused = EventBus(client, "pictures").publish(flags)
        stubber.assert_no_pending_responses()
    return refused


def test_an_event_is_a_flags_document_about_an_object_at_the_verdicts_time() -> None:
    assert publish(FLAGS, MADE, MADE, MADE) == {}


def test_events_that_failed_alone_are_told_by_their_positions() -> None:
    throttled = {"ErrorCode": "ThrottlingException", "ErrorMessage": "later"}
    malformed = {"ErrorCode": "MalformedDetail", "ErrorMessage": "no JSON"}

    refused = publish(FLAGS, malformed, MADE, throttled)

    assert refused == {0: Refusal("MalformedDetail", is_final=True), 2: Refusal("ThrottlingException", is_final=False)}


@pytest.mark.parametrize(
    ("code", "is_final"),
    [("AccessDeniedException", True), ("ThrottlingException", False), ("InternalException", False)],
)
def test_a_refused_call_refuses_each_event_and_for_good_unless_waiting_helps(code: str, is_final: bool) -> None:
    client = boto3.client("events")
    with Stubber(client) as stubber:
        stubber.add_client_error("put_events", code)

        refused = EventBus(client, "pictures").publish(FLAGS)

    assert refused == dict.fromkeys(range(3), Refusal(code, is_final))


def test_a_bus_that_does_not_answer_refuses_each_event() -> None:
    client, calls = boto3.client("events"), AwsCalls()
    calls.watch(client)

    def never(_: Any) -> Any:
        raise ReadTimeoutError(endpoint_url="https://events")

    calls.answer_always("PutEvents", never)

    refused = EventBus(client, "pictures").publish(FLAGS)

    assert refused == dict.fromkeys(range(3), Refusal("ReadTimeoutError", is_final=True))


@pytest.mark.parametrize(
    ("code", "is_open"),
    [
        (None, True),
        ("ResourceNotFoundException", False),
        ("AccessDeniedException", False),
        ("ThrottlingException", True),
        ("InternalException", True),
    ],
)
def test_a_bus_that_goes_by_its_name_is_looked_up(code: str | None, is_open: bool) -> None:
    client = boto3.client("events")
    with Stubber(client) as stubber:
        if code:
            stubber.add_client_error("describe_event_bus", code, expected_params={"Name": "pictures"})
        else:
            stubber.add_response("describe_event_bus", {"Name": "pictures"}, {"Name": "pictures"})

        assert EventBus(client, "pictures").is_open() is is_open


@pytest.mark.parametrize("bus", ["default", ARN])
def test_a_bus_that_is_always_there_or_may_be_anothers_is_not_looked_up(bus: str) -> None:
    client = boto3.client("events")
    with Stubber(client):  # which fails where anything is called
        assert EventBus(client, bus).is_open()


def test_the_size_counts_what_eventbridge_counts() -> None:
    flag = FLAGS[0]
    resource = "arn:aws:s3:::uploads/kids/\u00fc 0.jpg"

    size = EventBus(boto3.client("events"), "pictures").size(flag)

    assert size == 14 + len("gatehouse") + len("Gatehouse Verdict") + len(flag.body) + len(resource.encode())
    assert MAX_BYTES < 256 * 1024
