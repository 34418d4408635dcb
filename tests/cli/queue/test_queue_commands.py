"""Dead letters are shown with their reasons, and go back without any of them being lost, hidden or read as approved."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from gatehouse.moderation.failure import Failure
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.upload_event import readmission_message
from tests.cli.conftest import Run, queue_url
from tests.cli.operated import (
    DEAD,
    DEFAULT,
    INGEST,
    PICTURES,
    PICTURES_DEAD,
    PICTURES_INGEST,
    UNDELIVERED,
    UNSENT,
    Operated,
)
from tests.unit.aws_calls import an_error
from tests.unit.builders import NOON, a_claim, a_verdict, an_upload, s3_event, uploads


def shown(gatehouse: Run, *arguments: str) -> list[dict[str, Any]]:
    """All messages that `queue show` shows."""
    result = gatehouse("queue", "show", *arguments, "--output", "json")
    assert result.exit_code == 0, result.stderr
    return [letter for queue in json.loads(result.stdout) for letter in queue["shown"]]


def redriven(gatehouse: Run, *arguments: str, status: int = 0) -> dict[str, Any]:
    """The report of `queue redrive`."""
    result = gatehouse("queue", "redrive", *arguments, "--output", "json")
    assert result.exit_code == status, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def dropped(gatehouse: Run, reason: str, *arguments: str, status: int = 0) -> dict[str, Any]:
    """The report of `queue drop`."""
    result = gatehouse("queue", "drop", "--reason", reason, *arguments, "--output", "json")
    assert result.exit_code == status, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def an_event(upload: Upload, **changed: object) -> str:
    """The event of an upload with other fields in its object."""
    event = s3_event(upload)
    event["detail"]["object"] |= changed
    return json.dumps(event)


def test_every_queue_of_every_lane_is_counted(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, *uploads(3))
    operated.put(PICTURES_INGEST, an_upload("profile/a.jpg"))
    operated.sqs.receive_message(QueueUrl=queue_url(DEAD), MaxNumberOfMessages=1)

    listed = json.loads(gatehouse("queue", "list", "--output", "json").stdout)

    assert {(entry["lane"], entry["queue"]): (entry["waiting"], entry["in_flight"]) for entry in listed} == {
        ("default", "ingest"): (0, 0),
        ("default", "dead-letter"): (2, 1),
        ("default", "undelivered"): (0, 0),
        ("profile-pictures", "ingest"): (1, 0),
        ("profile-pictures", "dead-letter"): (0, 0),
        ("profile-pictures", "undelivered"): (0, 0),
        (None, "changes"): (0, 0),
    }
    assert "queue show" in gatehouse("queue", "list").stdout


def test_each_reason_is_told_by_what_is_known_now(operated: Operated, gatehouse: Run) -> None:
    keys = ("new", "final", "failed", "running", "stopped", "orphan")
    operated.put(DEAD, *(an_upload(f"{key}.jpg") for key in keys), an_upload("tmp/no.jpg"), "not json")
    operated.deployed.put(
        a_verdict(Status.APPROVED, a_claim(an_upload("final.jpg"))),
        a_verdict(Status.FAILED, a_claim(an_upload("failed.jpg")), failure=Failure("ChunkFailed", "no")),
        *(a_claim(an_upload(f"{key}.jpg"), batch_id=key) for key in ("running", "stopped", "orphan")),
    )
    operated.execute("running", "RUNNING")
    operated.execute("stopped", "FAILED", error="Lambda.TooManyRequestsException", cause="busy")
    operated.put(
        UNDELIVERED,
        an_upload("undelivered.jpg"),
        attributes={"ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "not allowed", "RETRY_ATTEMPTS": "2"},
    )

    letters = {letter["object"]: letter for letter in shown(gatehouse)}

    assert {str(name).removeprefix("s3://uploads/"): letter["reason"] for name, letter in letters.items()} == {
        "None": "malformed",
        "new.jpg": "never-claimed",
        "final.jpg": "decided",
        "failed.jpg": "decided",
        "running.jpg": "running",
        "stopped.jpg": "stalled",
        "orphan.jpg": "stalled",
        "tmp/no.jpg": "no-lane",
        "undelivered.jpg": "undelivered",
    }
    told = {str(name).removeprefix("s3://uploads/"): letter["explanation"] for name, letter in letters.items()}
    assert told["None"].startswith("the message is not JSON")
    assert told["final.jpg"].startswith("APPROVED since 2026-")
    assert told["failed.jpg"].startswith("FAILED (ChunkFailed) since")
    assert "batch stopped since" in told["stopped.jpg"]
    assert told["stopped.jpg"].endswith("FAILED (Lambda.TooManyRequestsException: busy)")
    assert "execution does not exist" in told["orphan.jpg"]
    assert told["undelivered.jpg"] == "NO_PERMISSIONS: not allowed (retried 2 times)"


@pytest.mark.parametrize(("batch_id", "reason"), [("batch-1", "stalled"), ("older", "decided")])
def test_a_resubmission_that_nobody_could_handle_is_not_taken_for_done(
    operated: Operated, gatehouse: Run, batch_id: str, reason: str
) -> None:
    upload = an_upload()
    operated.deployed.put(a_verdict(Status.FAILED, a_claim(upload, batch_id="batch-1")))
    operated.put(DEAD, readmission_message(upload, resubmit_of=batch_id))

    assert [letter["reason"] for letter in shown(gatehouse)] == [reason]


def test_people_are_told_what_to_do_about_each_reason(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, an_upload("new\n.jpg"), "not json")

    text = gatehouse("queue", "show", "--lane", "default", "--queue", "dead-letter").stdout

    assert "new\\n.jpg" in text
    assert "- 1 never-claimed: fix the batcher's error" in text
    assert "- 1 malformed: " in text
    assert "undelivered" not in text


def test_looking_shows_more_than_one_answer_holds_and_hides_nothing(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, *uploads(47))

    first, second = shown(gatehouse), shown(gatehouse)

    assert len({letter["object"] for letter in first}) == len(first) == 47
    assert {letter["object"] for letter in second} == {letter["object"] for letter in first}
    assert len(operated.keys(DEAD)) == 47


@pytest.mark.parametrize("command", ["show", "redrive", "drop --reason malformed --yes"])
def test_only_queues_that_have_messages_are_looked_into(operated: Operated, gatehouse: Run, command: str) -> None:
    """A look into an empty one takes a second."""
    looked_into: set[str] = set()

    def received(request: Mapping[str, Any]) -> None:
        looked_into.add(json.loads(request["body"])["QueueUrl"])

    operated.deployed.calls.answer_always("ReceiveMessage", received)

    assert gatehouse("queue", *command.split()).exit_code == 0
    assert looked_into == set()
    operated.put(PICTURES_DEAD, "not json")
    assert gatehouse("queue", *command.split()).exit_code == 0
    assert looked_into == {queue_url(PICTURES_DEAD)}


def test_a_look_at_some_hides_none_of_them(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, *uploads(47))

    assert len(shown(gatehouse, "--limit", "3")) == 3
    assert len(operated.keys(DEAD)) == 47


def test_a_look_ends_where_the_same_messages_come_again_and_again(operated: Operated, gatehouse: Run) -> None:
    """As they do once the first of many thousands are visible again."""
    operated.put(DEAD, an_upload())
    body = json.dumps(s3_event(an_upload()))
    message = {
        "MessageId": "m",
        "Body": body,
        "ReceiptHandle": "r",
        "Attributes": {"SentTimestamp": "1764000000000", "ApproximateReceiveCount": "7"},
    }
    operated.deployed.calls.answer_always("ReceiveMessage", lambda _: {"Messages": [message]})
    operated.deployed.calls.answer_always("ChangeMessageVisibilityBatch", lambda _: {"Successful": [], "Failed": []})

    (letter,) = shown(gatehouse, "--lane", "default", "--queue", "dead-letter")

    assert (letter["received"], letter["since"]) == (7, "2025-11-24T16:00:00.000Z")


def test_messages_are_given_back_when_finding_out_fails(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, *uploads(12))
    error = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
    operated.deployed.calls.answer_next("BatchGetItem", error, status=400)

    result = gatehouse("queue", "show")

    assert result.exit_code == 1
    assert "BatchGetItem was refused" in result.stderr
    assert len(operated.keys(DEAD)) == 12


def test_what_goes_back_goes_to_the_lane_that_takes_it_now(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, an_upload("profile/a.jpg"), an_upload("b.jpg"), an_upload("tmp/no.jpg"), "not json")
    operated.put(PICTURES_DEAD, an_upload("c.jpg"))

    report = redriven(gatehouse)

    assert operated.keys(PICTURES_INGEST) == ["profile/a.jpg"]
    assert operated.keys(INGEST) == ["b.jpg", "c.jpg"]
    assert report["put_back"] == [
        {"lane": "default", "reason": "never-claimed", "count": 2},
        {"lane": "profile-pictures", "reason": "never-claimed", "count": 1},
    ]
    assert report["kept"] == {"malformed": 1, "no-lane": 1}
    assert len(operated.bodies(DEAD)) == 2


def test_a_message_goes_back_as_it_was(operated: Operated, gatehouse: Run) -> None:
    body = json.dumps(s3_event(an_upload("ü+%41\n.jpg")), indent=1)
    operated.put(UNDELIVERED, body)

    redriven(gatehouse)

    assert operated.bodies(INGEST) == [body]
    assert operated.deployed.calls.made["ChangeMessageVisibilityBatch"] == 0, "what is gone was given back"


def test_a_dry_run_changes_nothing_and_says_what_would_be(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, *uploads(12), "not json")

    would = redriven(gatehouse, "--dry-run")

    assert operated.bodies(INGEST) == []
    assert would["put_back"] == [{"lane": "default", "reason": "never-claimed", "count": 12}]
    assert dropped(gatehouse, "malformed", "--dry-run")["dropped"] == 1
    assert len(operated.bodies(DEAD)) == 13
    assert operated.deployed.calls.made["SendMessageBatch"] == operated.deployed.calls.made["DeleteMessageBatch"] == 0


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [
        (("--limit", "2"), 2),
        (("--prefix", "image-0000"), 10),
        (("--prefix", "literal:image-0000"), 10),
        (("--prefix", "image-0000", "--limit", "4"), 4),
        (("--reason", "decided"), 1),
        (("--reason", "decided", "--reason", "never-claimed"), 25),
        (("--lane", "profile-pictures"), 0),
        (("--queue", "undelivered"), 0),
    ],
)
def test_only_what_is_selected_goes_back(
    operated: Operated, gatehouse: Run, arguments: tuple[str, ...], gone: int
) -> None:
    operated.put(DEAD, *uploads(25))
    operated.deployed.put(a_verdict(Status.BLOCKED, a_claim(uploads(25)[24])))

    redriven(gatehouse, *arguments)

    assert len(operated.keys(INGEST)) == gone
    assert len(operated.keys(DEAD)) == 25 - gone


def test_what_sqs_does_not_take_is_not_deleted(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, *uploads(10))
    operated.deployed.calls.answer_next(
        "SendMessageBatch",
        {
            "Successful": [{"Id": str(n), "MessageId": "m", "MD5OfMessageBody": "x"} for n in range(10) if n != 4],
            "Failed": [{"Id": "4", "Code": "InternalError", "SenderFault": False}],
        },
    )

    report = redriven(gatehouse, status=1)

    assert report["refused"] == 1
    assert report["put_back"] == [{"lane": "default", "reason": "never-claimed", "count": 9}]
    assert len(operated.keys(DEAD)) == 1


def test_nothing_is_deleted_before_it_was_sent(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, *uploads(10))
    error = {"Error": {"Code": "AccessDenied", "Message": "no"}}
    operated.deployed.calls.answer_next("SendMessageBatch", error, status=403)

    assert gatehouse("queue", "redrive").exit_code == 1
    assert len(operated.keys(DEAD)) == 10


def test_what_sqs_does_not_delete_is_told_and_may_be_sent_again(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, an_upload("a.jpg"))
    failed = [{"Id": "0", "Code": "InternalError", "SenderFault": False}]
    operated.deployed.calls.answer_next("DeleteMessageBatch", {"Failed": failed})

    assert redriven(gatehouse, status=1)["undeleted"] == 1
    assert redriven(gatehouse)["undeleted"] == 0
    assert operated.keys(INGEST) == ["a.jpg", "a.jpg"]
    assert operated.keys(DEAD) == []


def test_messages_are_dropped_only_if_someone_says_so(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, "not json", an_upload("tmp/no.jpg"))

    refused = gatehouse("queue", "drop", "--reason", "malformed", input="n\n")
    assert (refused.exit_code, "Nothing was changed." in refused.stderr) == (1, True)
    assert len(shown(gatehouse)) == 2

    assert dropped(gatehouse, "malformed", "--yes")["dropped"] == 1
    assert [letter["reason"] for letter in shown(gatehouse)] == ["no-lane"]

    assert dropped(gatehouse, "no-lane", "--yes")["dropped"] == 1
    assert shown(gatehouse) == []


def test_dropping_puts_nothing_back(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, *uploads(3), "not json")

    dropped(gatehouse, "malformed", "--yes")

    assert operated.bodies(INGEST) == []
    assert len(operated.bodies(DEAD)) == 3


def test_no_more_are_dropped_than_the_limit_says(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, *(f"not json {n}" for n in range(13)))

    assert dropped(gatehouse, "malformed", "--limit", "1", "--yes")["dropped"] == 1
    assert len(operated.bodies(DEAD)) == 12


#: What S3 itself sends to a queue that a bucket's notification names.
OLDER = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {"object": {"key": "a"}}}]}


def test_an_older_notification_is_shown_with_what_to_do(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, json.dumps(OLDER))

    text = " ".join(gatehouse("queue", "show").stdout.split())

    assert "- 1 unreadable: they are about uploads" in text
    assert "turn on EventBridge for the bucket" in text


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (an_event(an_upload(), sequencer="not hexadecimal"), "unreadable"),
        (an_event(an_upload(), etag=None), "unreadable"),
        (an_event(an_upload(), size="5"), "unreadable"),
        (json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": []}), "unreadable"),
        (json.dumps(OLDER), "unreadable"),
        (json.dumps({"Type": "Notification", "Message": json.dumps(OLDER)}), "unreadable"),
        (json.dumps({"source": "aws.s3", "detail-type": "Object Deleted", "detail": {}}), "malformed"),
        (json.dumps({"source": "other", "detail-type": "Object Created", "detail": {}}), "malformed"),
        (json.dumps(["aws.s3", "Object Created"]), "malformed"),
        ("[" * 100_000, "malformed"),
    ],
)
def test_an_event_of_an_upload_that_cannot_be_read_is_never_dropped(
    operated: Operated, gatehouse: Run, message: str, reason: str
) -> None:
    operated.put(DEAD, message)

    (letter,) = shown(gatehouse)
    assert (letter["reason"], letter["body"]) == (reason, message[:200])
    assert redriven(gatehouse)["kept"] == {reason: 1}
    kept = reason == "unreadable"
    assert dropped(gatehouse, "malformed", "--yes")["dropped"] == (not kept)
    assert len(shown(gatehouse)) == kept


def test_unreadable_is_no_reason_to_drop(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, an_event(an_upload(), size="5"))

    assert gatehouse("queue", "drop", "--reason", "unreadable", "--yes").exit_code == 2
    assert len(operated.bodies(DEAD)) == 1


def test_messages_give_no_orders_to_the_terminal(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, an_upload("\x1b[2J\u202egpj.jpg"), an_event(an_upload(), size="\x9b2J"), "\u202e no json \x9b")
    attributes = {"ERROR_CODE": "\u202eX", "ERROR_MESSAGE": "\x9b31m"}
    operated.put(UNDELIVERED, an_upload("a.jpg"), attributes=attributes)

    text = gatehouse("queue", "show").stdout

    assert "\\x1b[2J\\u202egpj.jpg" in text
    assert not {"\x1b", "\x9b", "\u202e"} & set(text)


def deploying(operated: Operated, status: str = "UPDATE_IN_PROGRESS") -> None:
    operated.deployed.stack_changes["gatehouse-pipeline"] = {"StackStatus": status}


@pytest.mark.parametrize("command", [("redrive",), ("drop", "--reason", "no-lane", "--yes")])
def test_queues_are_left_alone_during_a_deploy(operated: Operated, gatehouse: Run, command: tuple[str, ...]) -> None:
    operated.put(DEAD, an_upload(), an_upload("tmp/no.jpg"))
    deploying(operated)

    result = gatehouse("queue", *command)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "gatehouse-pipeline is being deployed" in result.stderr
    assert gatehouse("queue", *command, "--dry-run").exit_code == 0
    assert (len(operated.bodies(DEAD)), operated.bodies(INGEST)) == (2, [])


@pytest.mark.parametrize("change", [{"StackStatus": "UPDATE_IN_PROGRESS"}, {"LastUpdatedTime": NOON}])
def test_an_upload_without_a_lane_is_not_dropped_once_a_deploy_may_have_given_it_one(
    operated: Operated, gatehouse: Run, change: dict[str, Any]
) -> None:
    operated.put(DEAD, an_upload("tmp/no.jpg"))
    changes = operated.deployed.stack_changes
    operated.deployed.calls.interrupt("ReceiveMessage", lambda: changes.update({"gatehouse-pipeline": change}))

    result = gatehouse("queue", "drop", "--reason", "no-lane", "--yes")

    assert result.exit_code == 1
    assert "deployed" in result.stderr
    assert len(operated.bodies(DEAD)) == 1


def test_a_dead_letter_stays_if_a_deploy_may_have_moved_its_upload_to_another_lane(
    operated: Operated, gatehouse: Run
) -> None:
    operated.put(DEAD, an_upload("a.jpg"))
    operated.deployed.calls.interrupt("SendMessageBatch", lambda: deploying(operated))

    result = gatehouse("queue", "redrive")

    assert result.exit_code == 1
    assert "gatehouse-pipeline is being deployed" in result.stderr
    assert (operated.keys(INGEST), operated.keys(DEAD)) == (["a.jpg"], ["a.jpg"])


@pytest.mark.parametrize("command", [("redrive",), ("drop", "--reason", "malformed", "--yes")])
def test_a_queue_whose_messages_somebody_holds_is_not_called_empty(
    operated: Operated, gatehouse: Run, command: tuple[str, ...]
) -> None:
    operated.put(DEAD, *uploads(3))
    operated.sqs.receive_message(QueueUrl=queue_url(DEAD), MaxNumberOfMessages=10)

    result = gatehouse("queue", *command)

    assert result.exit_code == 1
    assert "There was nothing" not in result.stdout
    assert "In flight: 3." in result.stderr
    assert "in 2 minutes" in result.stderr


def test_what_was_done_is_told_when_an_error_ends_it(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, an_upload("a.jpg"))
    operated.deployed.calls.answer_next("DeleteMessageBatch", an_error("AccessDenied", "no", 403))

    result = gatehouse("queue", "redrive", "--output", "json")

    assert result.exit_code == 1
    assert "DeleteMessageBatch was refused" in result.stderr
    assert json.loads(result.stdout)["put_back"] == [{"lane": "default", "reason": "never-claimed", "count": 1}]


def test_what_was_sent_to_one_lane_is_told_when_another_refuses(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, an_upload("a.jpg"), an_upload("profile/b.jpg"))
    calls = operated.deployed.calls
    calls.interrupt("SendMessageBatch", lambda: calls.answer_next("SendMessageBatch", an_error("AccessDenied")), nth=2)

    result = gatehouse("queue", "redrive", "--output", "json")

    assert result.exit_code == 1
    assert [entry["count"] for entry in json.loads(result.stdout)["put_back"]] == [1]


def test_what_was_dropped_is_told_when_an_error_ends_it(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, *(f"not json {n}" for n in range(20)))
    calls = operated.deployed.calls
    calls.interrupt("DeleteMessageBatch", lambda: calls.answer_next("DeleteMessageBatch", an_error("X")), nth=2)

    result = gatehouse("queue", "drop", "--reason", "malformed", "--yes", "--output", "json")

    assert (result.exit_code, json.loads(result.stdout)["dropped"]) == (1, 10)


def test_a_message_that_sqs_does_not_drop_is_told(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, "not json")
    failed = [{"Id": "0", "Code": "InternalError", "SenderFault": False}]
    operated.deployed.calls.answer_next("DeleteMessageBatch", {"Failed": failed})

    report = dropped(gatehouse, "malformed", "--yes", status=1)

    assert (report["dropped"], report["undeleted"]) == (0, 1)


def test_nothing_goes_back_while_a_function_is_being_made(operated: Operated, gatehouse: Run) -> None:
    operated.put(DEAD, an_upload())
    new = {"ResourceType": "AWS::Lambda::Function", "LogicalResourceId": "New", "ResourceStatus": "CREATE_IN_PROGRESS"}
    operated.deployed.calls.answer_always("ListStackResources", lambda _: {"StackResourceSummaries": [new]})

    result = gatehouse("queue", "redrive")

    assert result.exit_code == 1
    assert "A deploy is changing the lanes of" in result.stderr


def test_an_unknown_lane_is_told_with_those_there_are(operated: Operated, gatehouse: Run) -> None:
    result = gatehouse("queue", "redrive", "--lane", "other")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "There is no lane other; write --lane default or profile-pictures.\n"


@pytest.mark.parametrize("lanes", [[DEFAULT], [DEFAULT, PICTURES, Lane("new")]])
def test_nothing_goes_back_while_lanes_change(operated: Operated, gatehouse: Run, lanes: list[Lane]) -> None:
    operated.put(DEAD, an_upload())
    operated.deploy(lanes)

    result = gatehouse("queue", "redrive")

    assert result.exit_code == 1
    assert "A deploy is changing the lanes of" in result.stderr
    assert len(operated.keys(DEAD)) == 1


@pytest.fixture
def eventful(operated: Operated) -> Operated:
    """The deployment sends events, of which one was not taken."""
    operated.send_events()
    operated.put(UNSENT, Flag.of(a_verdict(Status.BLOCKED)).body)
    return operated


def test_events_that_were_not_sent_are_counted_and_shown(eventful: Operated, gatehouse: Run) -> None:
    listed = json.loads(gatehouse("queue", "list", "--output", "json").stdout)
    assert listed[-1] == {"lane": None, "queue": "events", "waiting": 1, "in_flight": 0}

    eventful.put(UNSENT, "{}")
    letters = {letter["reason"]: letter for letter in shown(gatehouse, "--queue", "events")}

    assert set(letters) == {"not-sent", "malformed"}
    assert letters["not-sent"]["object"] == "s3://uploads/cat.jpg"
    assert letters["not-sent"]["explanation"].startswith("the bus did not accept it: BLOCKED since 2026-11-22T")
    text = gatehouse("queue", "show").stdout
    assert "Events that were not sent: 2 of about 2" in text
    assert "fix the event bus" in text


def test_events_go_to_the_bus_and_out_of_the_queue(eventful: Operated, gatehouse: Run) -> None:
    report = redriven(gatehouse, "--queue", "events")

    assert report["put_back"] == [{"lane": None, "reason": "not-sent", "count": 1}]
    (entry,) = eventful.events
    assert (entry["EventBusName"], entry["DetailType"]) == ("pictures", "Gatehouse Verdict")
    assert json.loads(entry["Detail"])["status"] == "BLOCKED"
    assert eventful.bodies(UNSENT) == []


@pytest.mark.parametrize("operation", ["DescribeEventBus", "PutEvents"])
def test_events_that_the_bus_refuses_again_stay(eventful: Operated, gatehouse: Run, operation: str) -> None:
    eventful.deployed.calls.answer_always(operation, lambda _: an_error("ResourceNotFoundException"))

    report = redriven(gatehouse, "--queue", "events", status=1)

    assert (report["refused"], report["put_back"]) == (1, [])
    assert len(eventful.bodies(UNSENT)) == 1


def test_a_dry_run_sends_no_event(eventful: Operated, gatehouse: Run) -> None:
    text = gatehouse("queue", "redrive", "--dry-run").stdout

    assert "1 not-sent: would be sent to the event bus." in text
    assert "PutEvents" not in eventful.deployed.calls.made


def test_what_is_no_event_can_be_dropped(eventful: Operated, gatehouse: Run) -> None:
    eventful.put(UNSENT, "not json")

    report = dropped(gatehouse, "malformed", "--queue", "events", "--yes")

    assert (report["looked_at"], report["dropped"]) == (2, 1)


@pytest.mark.usefixtures("operated")
def test_where_no_events_are_sent_there_is_no_queue_of_them(gatehouse: Run) -> None:
    result = gatehouse("queue", "show", "--queue", "events")

    assert result.exit_code == 1
    assert "gatehouse sends no events: its setting events.bus names no bus" in result.stderr


@pytest.mark.usefixtures("eventful")
def test_events_are_no_lanes(gatehouse: Run) -> None:
    result = gatehouse("queue", "show", "--queue", "events", "--lane", "default")

    assert result.exit_code == 1
    assert "omit --lane default" in result.stderr
