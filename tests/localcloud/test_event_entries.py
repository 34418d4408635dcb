"""What EventBridge takes as an entry of PutEvents, and what it refuses."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.localcloud.workbench import ACCOUNT, REGION, Workbench, error_code, eventually, unique

ENTRY: dict[str, Any] = {"Source": "gatehouse", "DetailType": "Gatehouse Verdict", "Detail": "{}"}


def put(workbench: Workbench, *entries: dict[str, Any]) -> list[str]:
    """The error codes of entries, empty for those that were taken."""
    answer = workbench.client("events").put_events(Entries=list(entries))
    codes = [entry.get("ErrorCode", "") for entry in answer["Entries"]]
    assert answer["FailedEntryCount"] == sum(map(bool, codes))
    return codes


def test_each_entry_is_judged_by_itself(workbench: Workbench) -> None:
    without = {name: value for name, value in ENTRY.items() if name != "Detail"}

    codes = put(workbench, ENTRY, without, {**ENTRY, "Detail": "no json"}, {**ENTRY, "Detail": "[]"}, ENTRY)

    assert codes == ["", "InvalidArgument", "MalformedDetail", "MalformedDetail", ""]


def test_a_call_without_any_whole_entry_is_refused(workbench: Workbench) -> None:
    assert error_code(lambda: put(workbench, {"Source": "gatehouse"})) == "ValidationException"


@pytest.mark.parametrize(("over", "code"), [(-1, ""), (0, "ValidationException")])
def test_the_entries_of_a_call_are_smaller_than_256_kilobytes_together(
    workbench: Workbench, over: int, code: str
) -> None:
    resources = ["arn:aws:s3:::uploads/\u00fc"]
    fixed = 14 + len("gatehouse") + len("Gatehouse Verdict") + len(resources[0].encode())
    half = 128 * 1024 - fixed
    details = [json.dumps({"text": "x" * (size - len('{"text": ""}'))}) for size in (half, half + over)]
    entries = [{**ENTRY, "Detail": detail, "Time": datetime.now(UTC), "Resources": resources} for detail in details]

    assert error_code(lambda: put(workbench, *entries)) == code


def test_an_event_comes_at_its_entrys_time_with_its_resources(workbench: Workbench) -> None:
    events, (url, arn) = workbench.client("events"), workbench.queue()
    bus, moment = unique("bus"), datetime(2026, 11, 22, 12, 1, tzinfo=UTC)
    events.create_event_bus(Name=bus)
    pattern = json.dumps({"source": ["gatehouse"]})
    rule = events.put_rule(Name="all", EventBusName=bus, EventPattern=pattern)["RuleArn"]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    workbench.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "1", "Arn": arn}])

    put(workbench, {**ENTRY, "EventBusName": bus, "Time": moment, "Resources": ["arn:aws:s3:::a/b"]})

    (message,) = eventually(lambda: workbench.messages(url))
    event = json.loads(message["Body"])
    assert event["time"] == "2026-11-22T12:01:00Z"
    assert event["resources"] == ["arn:aws:s3:::a/b"]
    assert (event["source"], event["detail-type"]) == ("gatehouse", "Gatehouse Verdict")


def test_a_bus_that_is_not_there_drops_what_it_is_sent_and_says_nothing(workbench: Workbench) -> None:
    gone = unique("bus")

    assert put(workbench, {**ENTRY, "EventBusName": gone}) == [""]
    described = error_code(lambda: workbench.client("events").describe_event_bus(Name=gone))
    assert described == "ResourceNotFoundException"


def test_a_bus_is_sent_to_and_looked_up_with_permissions_on_it(workbench: Workbench) -> None:
    ours, other = unique("bus"), unique("bus")
    for bus in (ours, other):
        workbench.client("events").create_event_bus(Name=bus)
    arn = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{ours}"
    client = workbench.user_client("events", ("events:PutEvents", arn), ("events:DescribeEventBus", arn))

    for bus, code in ((ours, ""), (other, "AccessDeniedException")):
        entries = [{**ENTRY, "EventBusName": bus}]
        assert error_code(lambda entries=entries: client.put_events(Entries=entries)) == code  # type: ignore[misc]
        assert error_code(lambda bus=bus: client.describe_event_bus(Name=bus)) == code  # type: ignore[misc]
