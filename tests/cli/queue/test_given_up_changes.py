"""Changes that Outcomes could not announce: shown, and announced after all."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from gatehouse.contracts.stack_outputs import PipelineOutput
from gatehouse.contracts.texts import gate_text
from gatehouse.contracts.unreadable_change import UnreadableChange
from gatehouse.moderation.decision import Decision, acted, decide
from gatehouse.moderation.gate import Gate, GateMode
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import GATE_ASKED_AT, verdict_item
from tests.cli.conftest import TABLE, Run
from tests.cli.given_up import Outcomes, message
from tests.cli.operated import Operated
from tests.unit.builders import a_claim, a_verdict, an_upload

QUEUE = PipelineOutput.CHANGE_FAILURE_QUEUE_URL.value


def blocked(key: str, at: str = "2026-11-23T09:00:05.000Z") -> Verdict:
    """An upload that a person blocked."""
    verdict = a_verdict(claim=a_claim(an_upload(key)))
    return acted(verdict, decide(Status.BLOCKED, Person("alice"), Decision("spam", None), at))


def redriven(gatehouse: Run, *options: str, status: int = 0) -> dict[str, Any]:
    result = gatehouse("queue", "redrive", "--queue", "changes", "--output", "json", *options)
    assert result.exit_code == status, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_changes_that_were_given_up_are_counted_and_shown(operated: Operated, gatehouse: Run) -> None:
    operated.put(QUEUE, message(), "not Lambda's")

    listed = json.loads(gatehouse("queue", "list", "--output", "json").stdout)
    shown = json.loads(gatehouse("queue", "show", "--queue", "changes", "--output", "json").stdout)

    assert listed[-1] == {"lane": None, "queue": "changes", "waiting": 2, "in_flight": 0}
    found = {letter["reason"]: letter["explanation"] for letter in shown[0]["shown"]}
    assert set(found) == {"given-up", "malformed"}
    assert found["given-up"] == (
        "3 changes written from 2026-11-23T09:00:00.000Z to 2026-11-23T09:00:10.000Z were given up "
        "(RetryAttemptsExhausted)"
    )


def test_changes_are_headed_as_changes(operated: Operated, gatehouse: Run) -> None:
    operated.put(QUEUE, message())

    text = gatehouse("queue", "show", "--queue", "changes").stdout

    assert "Changes that could not be announced: 1 of about 1" in text
    assert "Events" not in text


def test_what_the_stream_still_has_is_announced_as_it_was(operated: Operated, gatehouse: Run) -> None:
    outcomes = Outcomes(operated, [[], [1, 2], [], [3, 4]])
    operated.put(QUEUE, message(1, 3))

    report = redriven(gatehouse)

    assert outcomes.invoked == [["1", "2", "3"]]
    assert report["put_back"] == [{"lane": None, "reason": "given-up", "count": 1}]
    assert operated.bodies(QUEUE) == []


def test_a_long_stretch_takes_several_invocations(operated: Operated, gatehouse: Run) -> None:
    outcomes = Outcomes(operated, [list(range(1, 251))])
    operated.put(QUEUE, message(1, 250))

    redriven(gatehouse)

    assert [len(numbers) for numbers in outcomes.invoked] == [100, 100]
    assert not {"5", "10", "250"} & {number for numbers in outcomes.invoked for number in numbers}


def a_refusal(code: str) -> Any:
    def refuse(_: Mapping[str, Any]) -> dict[str, Any]:
        error: Any = {"Error": {"Code": code, "Message": "no"}}
        raise ClientError(error, "GetShardIterator")

    return refuse


@pytest.mark.parametrize("forgotten", ["trimmed", "an empty shard", "later records only"])
def test_what_the_stream_has_forgotten_is_announced_as_the_table_has_it(
    operated: Operated, gatehouse: Run, forgotten: str
) -> None:
    pages: dict[str, list[list[int]]]
    pages = {"trimmed": [[]], "an empty shard": [[], []], "later records only": [[7, 8]]}
    outcomes = Outcomes(operated, pages[forgotten])
    if forgotten == "trimmed":
        operated.deployed.calls.answer_always("GetShardIterator", a_refusal("TrimmedDataAccessException"))
    in_time, before = blocked("cat.jpg"), blocked("dog.jpg", "2026-11-23T07:00:00.000Z")
    operated.deployed.put(in_time, before, a_verdict(claim=a_claim(an_upload("fox.jpg"))))
    operated.put(QUEUE, message(), message())

    redriven(gatehouse)

    assert operated.deployed.calls.made["Scan"] == 1
    serialize = TypeSerializer().serialize
    assert outcomes.images == [{name: serialize(value) for name, value in verdict_item(in_time).items()}]
    assert operated.bodies(QUEUE) == []


@pytest.mark.parametrize("mode", [GateMode.NONE, GateMode.TAG])
def test_with_a_gate_what_was_changed_is_asked_for_though_it_is_not_announced(
    operated: Operated, gatehouse: Run, mode: GateMode
) -> None:
    outcomes = Outcomes(operated, [[]])
    operated.deployed.calls.answer_always("GetShardIterator", a_refusal("TrimmedDataAccessException"))
    operated.send_events(Gate=gate_text(Gate(mode=mode)))
    in_time, before = blocked("cat.jpg"), blocked("dog.jpg", "2026-11-23T07:00:00.000Z")
    operated.deployed.put(in_time, before, a_verdict(claim=a_claim(an_upload("fox.jpg"))))
    item = verdict_item(blocked("replayed.jpg"))
    operated.deployed.put_item({**item, "change": {**item["change"], "announce": False}})
    operated.put(QUEUE, message())

    redriven(gatehouse)

    items = operated.deployed.dynamodb.scan(TableName=TABLE)["Items"]
    asked = {item["key"]["S"] for item in items if GATE_ASKED_AT in item}
    assert asked == ({"cat.jpg", "replayed.jpg"} if mode is GateMode.TAG else set())
    assert [image["key"]["S"] for image in outcomes.images] == ["cat.jpg"]


def test_what_fails_again_stays(operated: Operated, gatehouse: Run) -> None:
    outcomes = Outcomes(operated, [[1, 2, 3]])
    outcomes.answer = {"batchItemFailures": [{"itemIdentifier": f"{2:021}"}]}
    operated.put(QUEUE, message())

    report = redriven(gatehouse, status=1)

    assert (report["put_back"], report["refused"]) == ([], 1)
    assert len(operated.bodies(QUEUE)) == 1


def test_a_dry_run_announces_nothing(operated: Operated, gatehouse: Run) -> None:
    outcomes = Outcomes(operated, [[1, 2, 3]])
    operated.put(QUEUE, message())

    redriven(gatehouse, "--dry-run")

    assert outcomes.invoked == []
    assert len(operated.bodies(QUEUE)) == 1


def test_a_missing_permission_is_told_and_keeps_the_message(operated: Operated, gatehouse: Run) -> None:
    Outcomes(operated, [[1, 2, 3]])
    operated.deployed.calls.answer_always("GetShardIterator", a_refusal("AccessDeniedException"))
    operated.put(QUEUE, message())

    result = gatehouse("queue", "redrive", "--queue", "changes")

    assert result.exit_code == 1
    assert "GetShardIterator was refused" in " ".join(result.stderr.split())
    assert len(operated.bodies(QUEUE)) == 1


@pytest.mark.usefixtures("operated")
def test_changes_are_no_lanes(gatehouse: Run) -> None:
    result = gatehouse("queue", "show", "--queue", "changes", "--lane", "default")

    assert result.exit_code == 1
    assert "Changes are kept for all lanes together" in " ".join(result.stderr.split())


def test_an_item_that_could_not_be_read_is_announced_as_it_is_now(operated: Operated, gatehouse: Run) -> None:
    outcomes = Outcomes(operated, [[]])
    verdict = blocked("cat.jpg")
    operated.deployed.put(verdict)
    gone = UnreadableChange("s3://uploads/gone.jpg", "0" * 40, "why")
    operated.put(QUEUE, UnreadableChange(*verdict.upload.identity, "why").to_text(), gone.to_text())

    redriven(gatehouse)

    assert [image["key"] for image in outcomes.images] == [{"S": "cat.jpg"}]
    assert operated.bodies(QUEUE) == []


def test_an_item_that_still_can_not_be_read_stays_in_the_queue(operated: Operated, gatehouse: Run) -> None:
    outcomes = Outcomes(operated, [[]])
    verdict = blocked("cat.jpg")
    operated.deployed.put(verdict)
    uri, version = verdict.upload.identity
    operated.deployed.dynamodb.update_item(
        TableName=TABLE,
        Key={"object": {"S": uri}, "version": {"S": version}},
        UpdateExpression="SET history = :broken",
        ExpressionAttributeValues={":broken": {"S": "by hand"}},
    )
    body = UnreadableChange(uri, version, "why").to_text()
    operated.put(QUEUE, body)

    report = redriven(gatehouse, status=1)

    assert outcomes.images == []
    assert (report["refused"], report["put_back"]) == (1, [])
    assert operated.bodies(QUEUE) == [body]


def test_what_nothing_names_is_announced_from_the_table(operated: Operated, gatehouse: Run) -> None:
    outcomes = Outcomes(operated, [[]])
    operated.deployed.put(blocked("cat.jpg"), blocked("dog.jpg", "2026-11-22T07:00:00.000Z"))

    redriven(gatehouse, "--since", "2026-11-23")

    assert [image["key"] for image in outcomes.images] == [{"S": "cat.jpg"}]


def test_a_look_back_is_about_changes(gatehouse: Run, operated: Operated) -> None:
    result = gatehouse("queue", "redrive", "--since", "1d")

    assert result.exit_code == 1
    assert "--since is about changes" in result.stderr
    assert operated.bodies(QUEUE) == []
