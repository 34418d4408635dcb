"""Functions as targets of EventBridge: whether a rule may invoke them, and what becomes of an event they fail on."""

import json
from typing import Any

import pytest

from tests.localcloud.workbench import REGION, Workbench, error_code, eventually

# Says what it got, and fails as often as it is told to.
_SAY = """
import boto3, json, os
def handler(event, context):
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=os.environ["SAID"], MessageBody=json.dumps(event["detail"]))
    said = sqs.get_queue_attributes(QueueUrl=os.environ["SAID"], AttributeNames=["ApproximateNumberOfMessages"])
    if int(said["Attributes"]["ApproximateNumberOfMessages"]) <= int(os.environ["FAILURES"]):
        raise ValueError("told to fail")
"""


class Target:
    """A rule with a function as its target."""

    def __init__(
        self, workbench: Workbench, *, failures: int = 0, permission: bool = True, may_send: bool = True
    ) -> None:
        self.workbench = workbench
        self.said, said_arn = workbench.queue()
        self.undelivered, undelivered_arn = workbench.queue()
        self.dead_letters, self.dead_letters_arn = workbench.queue()
        allowed = [("sqs:SendMessage", self.dead_letters_arn)] if may_send else []
        self.function = workbench.function(_SAY, ("sqs:*", said_arn), *allowed, SAID=self.said, FAILURES=str(failures))
        arn = f"arn:aws:lambda:{REGION}:000000000000:function:{self.function}"
        workbench.client("lambda").update_function_configuration(
            FunctionName=self.function, DeadLetterConfig={"TargetArn": self.dead_letters_arn}
        )
        self.source = self.function
        events = workbench.client("events")
        rule = events.put_rule(Name=self.function, EventPattern=json.dumps({"source": [self.source]}))["RuleArn"]
        target = {"Id": "function", "Arn": arn, "DeadLetterConfig": {"Arn": undelivered_arn}}
        events.put_targets(Rule=self.function, Targets=[target])
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": undelivered_arn}
        workbench.client("sqs").set_queue_attributes(
            QueueUrl=self.undelivered,
            Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})},
        )
        workbench.client("lambda").add_permission(
            FunctionName=self.function,
            StatementId="rule",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=rule if permission else f"{rule}-other",
        )

    def put_event(self) -> None:
        entry = {"Source": self.source, "DetailType": "test", "Detail": json.dumps({"n": 1})}
        assert not self.workbench.client("events").put_events(Entries=[entry])["FailedEntryCount"]

    def invocations(self) -> int:
        return len(self.workbench.messages(self.said))


def count(workbench: Workbench, url: str) -> int:
    names = ["ApproximateNumberOfMessages"]
    attributes: dict[str, Any] = workbench.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return int(attributes["Attributes"][names[0]])


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_an_event_is_tried_until_its_function_succeeds(workbench: Workbench, failures: int) -> None:
    target = Target(workbench, failures=failures)
    target.put_event()
    eventually(lambda: count(workbench, target.said) == failures + 1)
    # A second event, tried in the same way, would be behind one more retry of the first.
    target.put_event()
    eventually(lambda: count(workbench, target.said) == failures + 2)
    assert count(workbench, target.dead_letters) == 0


def test_an_event_that_fails_three_times_goes_to_the_functions_dead_letter_queue(workbench: Workbench) -> None:
    target = Target(workbench, failures=100)
    target.put_event()
    (kept,) = eventually(lambda: workbench.messages(target.dead_letters))
    assert json.loads(kept["Body"])["detail"] == {"n": 1}
    attributes = {name: value["StringValue"] for name, value in kept["MessageAttributes"].items()}
    assert (attributes["ErrorCode"], attributes["ErrorMessage"]) == ("200", "told to fail")
    assert target.invocations() == 3


def test_a_role_that_may_not_send_keeps_no_dead_letters(workbench: Workbench) -> None:
    refused, sent = Target(workbench, failures=100, may_send=False), Target(workbench, failures=100)
    refused.put_event()
    eventually(lambda: count(workbench, refused.said) == 3)
    sent.put_event()
    eventually(lambda: workbench.messages(sent.dead_letters))
    assert count(workbench, refused.dead_letters) == 0


def test_a_function_that_does_not_let_the_rule_invoke_it_is_not_invoked(workbench: Workbench) -> None:
    target = Target(workbench, permission=False)
    target.put_event()
    (kept,) = eventually(lambda: workbench.messages(target.undelivered))
    assert kept["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    assert target.invocations() == 0


def test_a_function_that_is_gone_is_told_to_the_targets_dead_letter_queue(workbench: Workbench) -> None:
    target = Target(workbench)
    workbench.client("lambda").delete_function(FunctionName=target.function)
    assert error_code(lambda: workbench.client("lambda").get_function(FunctionName=target.function))
    target.put_event()
    (kept,) = eventually(lambda: workbench.messages(target.undelivered))
    assert kept["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE"
