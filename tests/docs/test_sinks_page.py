"""What docs/sinks.md shows is deployed on the local cloud, and hears of verdicts."""

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs

from demo.commands import AWS_CLI
from demo.synthesis import ROOT
from examples import webhook
from gatehouse.aws.event_bus import DETAIL_TYPE, SOURCE, EventBus
from gatehouse.aws.flag_topic import FlagTopic
from gatehouse.configuration.settings import Settings
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.status import FINAL, Status
from localcloud.cloud import LocalCloud
from localcloud.endpoint import command_line_environment
from stacks.node_runtime import use_packaged_node
from tests.unit.builders import a_claim, a_verdict, an_upload

PAGE = (ROOT / "docs" / "sinks.md").read_text("utf-8")
BUS = "pictures"
KEY = "kids/<a> & b.jpg"
FLAGS = [Flag.of(a_verdict(status, a_claim(an_upload(KEY, f"{n:x}")))) for n, status in enumerate(sorted(FINAL))]


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


class Slack(ThreadingHTTPServer):
    """Takes what is posted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _SlackHandler)
        self.posted: list[str] = []


class _SlackHandler(BaseHTTPRequestHandler):
    server: Slack

    def do_POST(self) -> None:
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud.start() as cloud:
        yield cloud


@pytest.fixture(scope="module")
def slack() -> Iterator[Slack]:
    yield from served(Slack())


@pytest.fixture(scope="module")
def receiver() -> Iterator[webhook.Webhook]:
    yield from served(webhook.Webhook(("127.0.0.1", 0), "not yet known"))


def served(server: Any) -> Iterator[Any]:
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def outputs(cloud: LocalCloud, slack: Slack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The snippets in one stack, deployed; names of what they make. Flags and events were sent then."""
    topic_arn = cloud.client("sns").create_topic(Name="flags")["TopicArn"]
    cloud.client("events").create_event_bus(Name=BUS)
    folder = tmp_path_factory.mktemp("sinks")
    synthesize(folder / "cdk.out", topic_arn, f"http://127.0.0.1:{slack.server_address[1]}/")
    deployed = cloud.deploy(folder / "cdk.out")["sinks"]
    assert FlagTopic(cloud.client("sns"), topic_arn).publish(FLAGS) == {}
    assert EventBus(cloud.client("events"), BUS).publish(FLAGS) == {}
    return dict(deployed)


def synthesize(folder: Path, topic_arn: str, slack_url: str) -> None:
    """The stack of all snippets for the CDK, with names of what they make as its outputs."""
    use_packaged_node()
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(app, "sinks")
    names: dict[str, Any] = {
        "cdk": cdk,
        "stack": stack,
        "dynamodb": dynamodb,
        "events": events,
        "targets": targets,
        "lambda_": lambda_,
        "sns": sns,
        "subscriptions": subscriptions,
        "sqs": sqs,
        "flag_topic_arn": topic_arn,
        "event_bus_name": BUS,
        "slack_url": slack_url,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for snippet in snippets("python"):
            exec(snippet, names)
        cdk.CfnOutput(stack, "BlockedUrl", value=names["blocked"].queue_url)
        cdk.CfnOutput(stack, "StatesName", value=names["states"].table_name)
        app.synth()


def eventually(look: Callable[[], Any], seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)
    return found


def in_bash(cloud: LocalCloud, script: str, **environment: str) -> str:
    """What a script with the AWS CLI prints; its version 1 takes SQS's endpoint from no variable."""
    local = f'aws() {{ command aws --endpoint-url {cloud.endpoint} "$@"; }}'
    done = subprocess.run(
        ["bash", "-euc", f"{local}\n{script}"],
        env={
            "PATH": f"{ROOT / Path(AWS_CLI).parent}{os.pathsep}{os.environ['PATH']}",
            **command_line_environment(cloud.endpoint),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_queue_is_subscribed_from_a_shell_and_may_be_sent_to_by_that_topic_only(cloud: LocalCloud) -> None:
    queues, topics = cloud.client("sqs"), cloud.client("sns")
    topic = topics.create_topic(Name="other-flags")["TopicArn"]
    url = queues.create_queue(QueueName="from-a-shell")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    snippet, _ = snippets("bash")

    in_bash(cloud, snippet, QUEUE_URL=url, QUEUE_ARN=arn, TOPIC_ARN=topic)

    (statement,) = json.loads(
        queues.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    )["Statement"]
    assert (statement["Resource"], statement["Condition"]) == (arn, {"ArnEquals": {"aws:SourceArn": topic}})
    FlagTopic(topics, topic).publish(FLAGS)
    messages = eventually(lambda: queues.receive_message(QueueUrl=url).get("Messages"))
    assert [json.loads(message["Body"])["status"] for message in messages] == [Status.BLOCKED]


def test_a_queue_gets_the_blocked_ones_raw(cloud: LocalCloud, outputs: dict[str, str]) -> None:
    queues = cloud.client("sqs")

    messages = eventually(lambda: queues.receive_message(QueueUrl=outputs["BlockedUrl"]).get("Messages"))

    assert [json.loads(message["Body"])["status"] for message in messages] == [Status.BLOCKED]


def test_a_function_keeps_the_newest_state(cloud: LocalCloud, outputs: dict[str, str]) -> None:
    newest = json.loads(FLAGS[-1].body)

    def kept() -> bool:
        items = cloud.client("dynamodb").scan(TableName=outputs["StatesName"])["Items"]
        return [(item["version"]["S"], item["status"]["S"]) for item in items] == [
            (newest["version"], newest["status"])
        ]

    eventually(kept)


@pytest.mark.usefixtures("outputs")
def test_slack_is_told_what_waits_for_people_with_nothing_in_it_that_slack_would_obey(slack: Slack) -> None:
    assert eventually(lambda: slack.posted) == ["REVIEW: kids/&lt;a&gt; &amp; b.jpg (Violence)"]


def test_an_address_is_subscribed(cloud: LocalCloud, outputs: dict[str, str]) -> None:
    assert outputs
    found = cloud.client("sns").list_subscriptions()["Subscriptions"]

    assert [one["Endpoint"] for one in found if one["Protocol"] == "email"] == ["moderators@example.com"]


@pytest.mark.usefixtures("outputs")
def test_a_webhook_is_called_and_knows_its_sender(cloud: LocalCloud, receiver: webhook.Webhook) -> None:
    _, snippet = snippets("bash")
    url = f"http://127.0.0.1:{receiver.server_address[1]}/"
    printed = in_bash(cloud, f'{snippet}\necho; echo "$KEY"', BUS=BUS, URL=url)
    bus, name = EventBus(cloud.client("events"), BUS), f"s3://uploads/{KEY}"
    bus.publish(FLAGS[:1])  # while the receiver waits for another key
    receiver.key = printed.splitlines()[-1].encode()
    bus.publish(FLAGS[1:])

    newest = json.loads(FLAGS[-1].body)["status"]
    eventually(lambda: receiver.states.statuses().get(name) == newest)


def test_the_page_says_what_the_code_does() -> None:
    assert f"`source` `{SOURCE}`, `detail-type` `{DETAIL_TYPE}`" in PAGE
    assert {name.value for name in Settings(lanes=()).notify} == {"REVIEW", "BLOCKED"}
    assert set(Settings(lanes=()).events.statuses) == FINAL
    (statement,) = snippets("json")
    assert json.loads(statement)["Condition"] == {"StringEquals": {"events:source": SOURCE}}
