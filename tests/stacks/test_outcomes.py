"""Outcomes is wired to the verdict table's stream so that it hears of what concerns it, and nothing is lost quietly."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from gatehouse.aws.flag_topic import FlagTopic
from gatehouse.contracts.function_metrics import OutcomesMetric
from gatehouse.contracts.outcomes_environment import OutcomesEnvironment
from gatehouse.moderation.change import Cause, Change
from gatehouse.moderation.verdict_item import CHANGE
from localcloud.patches.stream_filters import compiled
from tests.stacks.conftest import Assembly, only, resources
from tests.stacks.invocation_graph import InvocationGraph
from tests.stacks.test_pipeline_stack import filled_in

SETTINGS = ["shipped", "elaborate", "own_key"]


@pytest.fixture(params=SETTINGS)
def assembly(request: pytest.FixtureRequest) -> Assembly:
    found: Assembly = request.getfixturevalue(request.param)
    return found


def mapping(assembly: Assembly) -> Any:
    return only(assembly.pipeline, "AWS::Lambda::EventSourceMapping", "Outcomes")["Properties"]


def failure_queue(assembly: Assembly) -> Any:
    return only(assembly.pipeline, "AWS::SQS::Queue", "OutcomesFailureQueue")


def alarms(assembly: Assembly) -> Mapping[str, Any]:
    """Its alarms, by the section that each links to."""
    found = resources(assembly.monitoring, "AWS::CloudWatch::Alarm")
    properties = [alarm["Properties"] for name, alarm in found.items() if name.startswith("Outcomes")]
    return {alarm["AlarmDescription"].rpartition("#")[2].partition(" ")[0]: alarm for alarm in properties}


def a_write(change: Change | None) -> dict[str, Any]:
    """What a stream says of a write that leaves an item with this last change."""
    image: dict[str, Any] = {"status": {"S": "BLOCKED"}}
    if change:
        document = change.to_document()
        image[CHANGE] = {"M": {"cause": {"S": document["cause"]}, "announce": {"BOOL": document["announce"]}}}
    return {"eventName": "MODIFY", "dynamodb": {"NewImage": image}}


def is_handed_over(assembly: Assembly, record: Mapping[str, Any]) -> bool:
    patterns = [entry["Pattern"] for entry in mapping(assembly)["FilterCriteria"]["Filters"]]
    return any(compiled(pattern)(record) for pattern in patterns)


def test_it_reads_the_tables_stream_of_old_and_new_items_from_the_beginning(assembly: Assembly) -> None:
    table = only(assembly.storage, "AWS::DynamoDB::GlobalTable")
    reference = mapping(assembly)["EventSourceArn"]["Fn::GetStackOutput"]["OutputName"]

    assert table["Properties"]["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    (name,) = resources(assembly.storage, "AWS::DynamoDB::GlobalTable")
    assert assembly.storage["Outputs"][reference]["Value"] == {"Fn::GetAtt": [name, "StreamArn"]}
    assert mapping(assembly)["StartingPosition"] == "TRIM_HORIZON"


@pytest.mark.parametrize("cause", Cause)
def test_it_is_invoked_for_what_is_to_be_announced(shipped: Assembly, cause: Cause) -> None:
    assert is_handed_over(shipped, a_write(Change(cause, announce=True)))


def test_it_is_not_invoked_for_claims_first_verdicts_silent_replays_and_expiry(shipped: Assembly) -> None:
    loud = a_write(Change(Cause.DECISION, announce=True))

    assert not is_handed_over(shipped, a_write(None))
    assert not is_handed_over(shipped, a_write(Change(Cause.POLICY, announce=False)))
    assert not is_handed_over(shipped, {"eventName": "REMOVE", "dynamodb": {"OldImage": loud["dynamodb"]["NewImage"]}})


def test_what_fails_is_tried_again_alone_and_then_named_in_the_failure_queue(assembly: Assembly) -> None:
    properties = mapping(assembly)
    (name,) = [name for name in resources(assembly.pipeline, "AWS::SQS::Queue") if name.startswith("OutcomesFailure")]

    assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert properties["BisectBatchOnFunctionError"] is True
    assert properties["MaximumRetryAttempts"] == 20
    assert properties["DestinationConfig"] == {"OnFailure": {"Destination": {"Fn::GetAtt": [name, "Arn"]}}}
    assert properties["MaximumRecordAgeInSeconds"] == 20 * 3600  # before the stream forgets a record
    assert properties["BatchSize"] == 10 * FlagTopic.most_flags


def test_what_was_given_up_is_kept_for_a_fortnight_and_outlives_the_stack(assembly: Assembly) -> None:
    queue = failure_queue(assembly)

    assert queue["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert (queue["DeletionPolicy"], queue["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_the_failure_queue_is_encrypted_with_the_key_of_the_settings(shipped: Assembly, own_key: Assembly) -> None:
    assert failure_queue(shipped)["Properties"]["SqsManagedSseEnabled"] is True
    assert "EncryptionKey" in json.dumps(failure_queue(own_key)["Properties"]["KmsMasterKeyId"])


def test_it_is_told_the_flag_topic(assembly: Assembly) -> None:
    function = only(assembly.pipeline, "AWS::Lambda::Function", "Outcomes")["Properties"]
    variables = {name: filled_in(value, name) for name, value in function["Environment"]["Variables"].items()}

    assert OutcomesEnvironment.read(variables).flag_topic_arn == "FLAG_TOPIC_ARN"
    topic = function["Environment"]["Variables"]["FLAG_TOPIC_ARN"]
    assert "FlagsTopic" in json.dumps(topic)


def test_what_it_sends_leads_to_no_function_and_so_not_back_to_it(assembly: Assembly) -> None:
    graph = InvocationGraph.of(assembly.templates)
    (function,) = [name for name in graph.functions if name.startswith("Outcomes")]
    # The graph takes a topic that it can't tell for any of them.
    ends = ("FlagsTopic", "OutcomesFailureQueue", "VerdictEventsDeadLetterQueue", "AlarmsTopic")

    assert {name for name in graph.links[function] if name.startswith(ends[:2])}
    assert [name for name in graph.links[function] if not name.startswith(ends)] == []
    assert not any(graph.links.get(name) for name in graph.links[function])
    assert function not in graph.looping()


def test_its_alarms_ring_for_failures_lateness_losses_and_what_cannot_be_read(assembly: Assembly) -> None:
    looked_at = {
        section: (alarm["Namespace"], alarm["MetricName"], alarm["Threshold"], alarm["Statistic"])
        for section, alarm in alarms(assembly).items()
    }

    assert looked_at == {
        "outcomes-keeps-failing": ("AWS/Lambda", "Errors", 1, "Sum"),
        "changes-announced-late": ("AWS/Lambda", "IteratorAge", 15 * 60 * 1000, "Maximum"),
        "changes-given-up": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", 1, "Maximum"),
        "changes-unreadable": ("Gatehouse", OutcomesMetric.CHANGES_UNREADABLE, 1, "Sum"),
    }


def test_its_alarms_look_at_its_own_function_and_queue(shipped: Assembly) -> None:
    found = alarms(shipped)

    for section in ("outcomes-keeps-failing", "changes-announced-late"):
        assert "OutcomesFunction" in json.dumps(found[section]["Dimensions"])
    assert "OutcomesFailureQueue" in json.dumps(found["changes-given-up"]["Dimensions"])


def test_records_are_late_long_before_the_stream_forgets_them(shipped: Assembly) -> None:
    assert alarms(shipped)["changes-announced-late"]["Threshold"] < 24 * 3600 * 1000 / 10
