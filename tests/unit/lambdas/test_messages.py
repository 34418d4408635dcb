import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.upload_event import listing_message, readmission_message
from lambdas.batcher.messages import Messages
from tests.unit.builders import a_lane, a_listed_upload, a_listed_version, an_upload, s3_event, sqs_records
from tests.unit.moderation.test_upload import JSON


def test_messages_are_sorted_by_what_they_are() -> None:
    mine, other = an_upload("in/a.jpg"), an_upload("out/a.jpg")
    records = sqs_records([s3_event(mine), s3_event(other), {"Event": "s3:TestEvent"}, "no event", s3_event(mine)])

    messages = Messages.read(a_lane(prefixes=("in/",)), records)

    assert messages.uploads == {"m0": mine, "m4": mine}
    assert messages.ignored == 2
    assert list(messages.malformed) == ["m3"]


def test_every_message_of_an_upload_comes_back_and_every_malformed_one() -> None:
    cat, dog = an_upload("cat.jpg"), an_upload("dog.jpg")
    messages = Messages.read(a_lane(), sqs_records([s3_event(cat), s3_event(dog), "no event", s3_event(cat)]))

    response = messages.response({cat.identity})

    assert {entry["itemIdentifier"] for entry in response["batchItemFailures"]} == {"m0", "m2", "m3"}
    assert len(response["batchItemFailures"]) == 3


def test_without_failures_the_list_is_empty() -> None:
    messages = Messages.read(a_lane(), sqs_records([s3_event(an_upload())]))

    assert messages.response(set()) == {"batchItemFailures": []}


@pytest.mark.parametrize("size", [0, 101])
def test_an_upload_outside_the_lanes_sizes_is_ignored(size: int) -> None:
    messages = Messages.read(a_lane(min_size=1, max_size=100), sqs_records([s3_event(an_upload(size=size))]))

    assert (messages.ignored, messages.uploads) == (1, {})


def test_listed_objects_are_the_lanes_by_the_same_rule() -> None:
    mine, other = a_listed_version("in/a.jpg"), a_listed_version("out/a.jpg")

    messages = Messages.read(a_lane(prefixes=("in/",)), sqs_records(map(listing_message, (mine, other))))

    assert (messages.listed, messages.ignored, messages.uploads) == ({"m0": mine}, 1, {})


def test_a_listed_object_that_was_put_back_keeps_its_place() -> None:
    placed = a_listed_upload(after="f" * 40, version_id="v1")

    messages = Messages.read(a_lane(prefixes=("in/",)), sqs_records([readmission_message(placed, "batch-1")]))

    assert messages.uploads == {"m0": placed}
    assert messages.resubmitted == {placed.identity: "batch-1"}


@given(bodies=st.lists(st.text() | JSON.map(json.dumps), max_size=5))
def test_every_message_ends_somewhere(bodies: list[str]) -> None:
    messages = Messages.read(a_lane(), sqs_records(bodies))

    assert len(messages.uploads) + len(messages.listed) + messages.ignored + len(messages.malformed) == len(bodies)


def test_a_message_may_ask_for_another_try_of_the_batch_it_names() -> None:
    bodies: list[dict[str, Any] | str] = [
        s3_event(an_upload("a")),
        readmission_message(an_upload("b"), resubmit_of="batch-1"),
    ]

    messages = Messages.read(a_lane(), sqs_records(bodies))

    assert messages.resubmitted == {an_upload("b").identity: "batch-1"}
    assert set(messages.uploads.values()) == {an_upload("a"), an_upload("b")}


@pytest.mark.parametrize("resubmit_of", [None, "batch-1"])
def test_what_was_put_back_is_taken_though_the_lane_has_changed(resubmit_of: str | None) -> None:
    body = readmission_message(an_upload("b"), resubmit_of)

    messages = Messages.read(a_lane(prefixes=("a",)), sqs_records([body, s3_event(an_upload("c"))]))

    assert ([*messages.uploads.values()], messages.ignored) == ([an_upload("b")], 1)
