"""The lanes, the functions and the workflow are wired as the settings say."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gatehouse.configuration.settings import MAX_LANES
from gatehouse.configuration.settings_section import SettingsError
from gatehouse.contracts.analyzer_environment import AnalyzerEnvironment
from gatehouse.contracts.batcher_environment import BatcherEnvironment
from gatehouse.contracts.results_environment import ResultsEnvironment
from gatehouse.contracts.stack_outputs import EventsOutput
from gatehouse.contracts.sweep_schedule import Schedule
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.lane import Priority
from gatehouse.moderation.status import Status
from tests.stacks.conftest import Assembly, only, resources, settings_of, workflow


def properties(assembly: Assembly, kind: str, beginning: str = "") -> Any:
    return only(assembly.pipeline, kind, beginning)["Properties"]


def functions(assembly: Assembly) -> dict[str, Any]:
    return {
        name: resource["Properties"] for name, resource in resources(assembly.pipeline, "AWS::Lambda::Function").items()
    }


def variables(assembly: Assembly, beginning: str) -> dict[str, str]:
    """A function's environment, with a placeholder for what only a deployment knows."""
    environment = properties(assembly, "AWS::Lambda::Function", beginning)["Environment"]["Variables"]
    return {name: filled_in(value, name.lower()) for name, value in environment.items()}


def filled_in(value: Any, placeholder: str) -> str:
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        return "".join(filled_in(part, part_name(part)) for part in value["Fn::Join"][1])
    return placeholder


def part_name(part: Any) -> str:
    """The resource of another stack that a reference is to, without the hashes of its id."""
    reference = {} if isinstance(part, str) else part.get("Fn::GetStackOutput", {})
    name = reference.get("OutputName", "")
    return re.sub(r"[0-9A-F]{16}$", "", name.removeprefix("PublishOutputRef"))


@pytest.mark.parametrize(("fixture", "count"), [("shipped", 6), ("elaborate", 11)])
def test_every_function_is_of_the_same_make(request: pytest.FixtureRequest, fixture: str, count: int) -> None:
    found = functions(request.getfixturevalue(fixture))

    assert len(found) == count
    codes = {json.dumps(function["Code"]): name for name, function in found.items()}
    assert len(codes) == 2  # the renderer has what decodes, and nothing else of what the others have
    renderer = next(function for function in found.values() if "renderer" in function["Handler"])
    assert [function for function in found.values() if function["Code"] == renderer["Code"]] == [renderer]
    for name, function in found.items():
        assert function["Runtime"] == "python3.13", name
        assert function["Architectures"] == ["arm64"], name
        assert function["TracingConfig"] == {"Mode": "Active"}, name
        assert function["LoggingConfig"]["LogFormat"] == "JSON", name
        assert function["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"] == "Gatehouse", name
        assert "ReservedConcurrentExecutions" not in function, name


def test_every_log_group_has_an_end_and_every_function_one_of_its_own(elaborate: Assembly) -> None:
    groups = resources(elaborate.pipeline, "AWS::Logs::LogGroup")
    used = [function["LoggingConfig"]["LogGroup"]["Ref"] for function in functions(elaborate).values()]

    assert {group["Properties"]["RetentionInDays"] for group in groups.values()} == {14}
    machines = resources(elaborate.pipeline, "AWS::StepFunctions::StateMachine").values()
    used += [log_group_of(machine["Properties"]) for machine in machines]
    assert len(used) == len(set(used)) == len(groups)


def test_state_machines_log_under_the_prefix_that_fills_no_resource_policy_and_collide_with_no_other_stack(
    elaborate: Assembly,
) -> None:
    groups = resources(elaborate.pipeline, "AWS::Logs::LogGroup")
    machines = resources(elaborate.pipeline, "AWS::StepFunctions::StateMachine").values()

    names = [groups[log_group_of(machine["Properties"])]["Properties"]["LogGroupName"] for machine in machines]

    beginning = ["/aws/vendedlogs/states/", {"Ref": "AWS::StackName"}]
    assert [name["Fn::Join"][1][:2] for name in names] == [beginning] * len(names)
    assert len({name["Fn::Join"][1][2] for name in names}) == len(names) > 1


def log_group_of(machine: Any) -> str:
    (destination,) = machine["LoggingConfiguration"]["Destinations"]
    name: str = destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0]
    return name


def test_a_lane_of_as_many_overrides_as_are_taken_fits_its_functions_environment(
    synthesized: Callable[[str], Assembly], tmp_path: Path
) -> None:
    def yaml(count: int) -> str:
        overrides = ", ".join(f"u{number:02}/: strict" for number in range(count))
        return f"lanes: {{default: {{policy_overrides: {{{overrides}}}}}}}"

    def is_taken(count: int) -> bool:
        try:
            settings_of(yaml(count), tmp_path)
        except SettingsError:
            return False
        return True

    most = next(count for count in range(200, 0, -1) if is_taken(count))
    environment = properties(synthesized(yaml(most)), "AWS::Lambda::Function", "DefaultLane")["Environment"]

    told = {name: filled_in(value, "n" * 60) for name, value in environment["Variables"].items()}

    assert 4096 - 400 < len(json.dumps(told, separators=(",", ":"))) <= 4096


def test_the_batcher_is_told_its_lane(elaborate: Assembly) -> None:
    environment = BatcherEnvironment.read(variables(elaborate, "ProfilePicturesLane"))

    lane = environment.lane
    assert (lane.name, lane.prefixes, lane.suffixes) == ("profile-pictures", ("profiles/", "avatars/"), (".jpg",))
    assert (lane.max_size, lane.job_deadline_seconds) == (5_000_000, 7200)
    assert lane.adapter is not None
    assert environment.state_machine_arn == "state_machine_arn"


@pytest.mark.parametrize(
    ("lane", "priority", "engine"),
    [
        ("Default", Priority.LIVE, Engine.AUTO),
        ("Chat", Priority.FAST, Engine.IMAGE),
        ("Archive", Priority.BACKFILL, Engine.AUTO),
    ],
)
def test_a_lanes_batches_go_to_the_workflow_of_its_priority(
    elaborate: Assembly, lane: str, priority: Priority, engine: Engine
) -> None:
    function = properties(elaborate, "AWS::Lambda::Function", f"{lane}Lane")
    told = BatcherEnvironment.read(variables(elaborate, f"{lane}Lane")).lane

    assert (told.priority, told.engine) == (priority, engine)
    machine = function["Environment"]["Variables"]["STATE_MACHINE_ARN"]["Ref"]
    assert machine.startswith(f"{priority.capitalize()}AnalysisStateMachine")


def test_there_is_a_workflow_a_queue_and_an_analyzer_for_each_priority_in_use(
    shipped: Assembly, elaborate: Assembly
) -> None:
    for assembly, priorities in ((shipped, ["Live"]), (elaborate, ["Fast", "Live", "Backfill"])):
        machines = list(resources(assembly.pipeline, "AWS::StepFunctions::StateMachine"))
        queues = [name for name in resources(assembly.pipeline, "AWS::SQS::Queue") if "ChunkQueue" in name]
        analyzers = [name for name in functions(assembly) if "Analyzer" in name]

        assert [name.partition("Analysis")[0] for name in machines] == priorities
        for found in (queues, analyzers):
            assert [name.partition("Images")[0] for name in found] == priorities


@pytest.mark.parametrize(
    ("priority", "calls_per_worker", "workers"),
    [("Fast", 5.0, 2), ("Live", 10.0, 2), ("Backfill", 5.0, 2)],
)
def test_the_calls_of_the_settings_are_shared_out_among_the_workers_of_each_priority(
    elaborate: Assembly, priority: str, calls_per_worker: float, workers: int
) -> None:
    """40 calls a second, in parts of 25, 50 and 25."""
    environment = AnalyzerEnvironment.read(variables(elaborate, f"{priority}Images"))
    mapping = properties(elaborate, "AWS::Lambda::EventSourceMapping", f"{priority}Images")

    assert (environment.calls_per_second, environment.priority) == (calls_per_worker, priority.lower())
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": workers}


def test_an_analyzer_is_given_one_chunk_at_a_time(shipped: Assembly) -> None:
    mapping = properties(shipped, "AWS::Lambda::EventSourceMapping", "LiveImages")

    assert mapping["BatchSize"] == 1
    assert mapping["EventSourceArn"]["Fn::GetAtt"][0].startswith("LiveImagesChunkQueue")
    assert "MaximumBatchingWindowInSeconds" not in mapping
    assert "FunctionResponseTypes" not in mapping  # one message is done or it is not


def test_an_analyzer_puts_chunks_back_into_the_queue_it_takes_them_from(elaborate: Assembly) -> None:
    for priority in ("Fast", "Live", "Backfill"):
        variables = properties(elaborate, "AWS::Lambda::Function", f"{priority}Images")["Environment"]["Variables"]
        mapping = properties(elaborate, "AWS::Lambda::EventSourceMapping", f"{priority}Images")

        assert variables["CHUNK_QUEUE_URL"] == {"Ref": mapping["EventSourceArn"]["Fn::GetAtt"][0]}


def test_a_chunk_stays_hidden_until_no_analyzer_can_hold_it_and_outlives_the_step_that_waits_for_it(
    elaborate: Assembly,
) -> None:
    for priority in ("Fast", "Live", "Backfill"):
        queue = properties(elaborate, "AWS::SQS::Queue", f"{priority}ImagesChunkQueue")
        timeout = properties(elaborate, "AWS::Lambda::Function", f"{priority}Images")["Timeout"]
        heartbeat = workflow(elaborate, priority).states["Analyze chunk"]["HeartbeatSeconds"]

        assert queue["VisibilityTimeout"] >= 6 * timeout
        assert queue["MessageRetentionPeriod"] > heartbeat
        assert "RedrivePolicy" not in queue  # a chunk is given up by its Analyzer, which tells the workflow so


def test_the_batcher_is_told_where_the_pointers_of_its_lanes_policies_are(elaborate: Assembly) -> None:
    default = BatcherEnvironment.read(variables(elaborate, "DefaultLane"))
    pictures = BatcherEnvironment.read(variables(elaborate, "ProfilePicturesLane"))

    assert default.lane.policy_overrides == (("art/", "permissive"), ("kids/", "strict"))
    assert default.policy_parameters == {
        "permissive": "PermissivePolicyParameter",
        "standard": "StandardPolicyParameter",
        "strict": "StrictPolicyParameter",
    }
    assert pictures.policy_parameters == {"strict": "StrictPolicyParameter"}


def test_a_catch_all_lane_leaves_other_lanes_uploads_to_them(elaborate: Assembly) -> None:
    lane = BatcherEnvironment.read(variables(elaborate, "DefaultLane")).lane
    pattern = properties(elaborate, "AWS::Events::Rule", "DefaultLane")["EventPattern"]

    assert lane.other_lanes_prefixes == ("archive/", "avatars/", "chat/", "profiles/")
    assert pattern == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": ["somebody-elses-bucket"]},
            "object": {
                "key": [{"anything-but": {"prefix": ["internal/", "archive/", "avatars/", "chat/", "profiles/"]}}]
            },
        },
    }


@pytest.mark.parametrize(
    ("fixture", "notify", "days", "model"),
    [
        ("shipped", {Status.REVIEW, Status.BLOCKED}, None, "7.0"),
        ("elaborate", {Status.APPROVED, Status.FAILED}, 365, "8.0"),
    ],
)
def test_results_is_told_whom_to_notify_what_to_keep_and_which_model_to_expect(
    request: pytest.FixtureRequest, fixture: str, notify: set[Status], days: int | None, model: str
) -> None:
    environment = ResultsEnvironment.read(variables(request.getfixturevalue(fixture), "ResultsWriter"))

    assert set(environment.notify) == notify
    assert environment.retention_days == days
    assert environment.model_version == model


@pytest.mark.parametrize(
    ("fixture", "lane", "size", "window", "concurrency"),
    [
        ("shipped", "DefaultLane", 10_000, 60, 2),
        ("elaborate", "ProfilePicturesLane", 10, None, 5),
        ("elaborate", "ChatLane", 10, None, 2),
        ("elaborate", "ArchiveLane", 10_000, 300, 2),
    ],
)
def test_messages_are_gathered_as_the_lane_says(
    request: pytest.FixtureRequest, fixture: str, lane: str, size: int, window: int | None, concurrency: int
) -> None:
    mapping = properties(request.getfixturevalue(fixture), "AWS::Lambda::EventSourceMapping", lane)

    assert mapping["BatchSize"] == size
    assert mapping.get("MaximumBatchingWindowInSeconds") == window
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": concurrency}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_messages_stay_hidden_until_no_batcher_can_hold_them(elaborate: Assembly) -> None:
    for lane, window in (("DefaultLane", 60), ("ProfilePicturesLane", 0), ("ChatLane", 0), ("ArchiveLane", 300)):
        queue = properties(elaborate, "AWS::SQS::Queue", f"{lane}Queue")
        timeout = properties(elaborate, "AWS::Lambda::Function", lane)["Timeout"]

        assert queue["VisibilityTimeout"] >= 6 * timeout + window
        assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5


def test_what_a_lane_gives_up_on_is_kept_in_a_queue(shipped: Assembly) -> None:
    names = list(resources(shipped.pipeline, "AWS::SQS::Queue"))
    dead, queue, undelivered = (
        next(name for name in names if name.startswith(f"DefaultLane{kind}Queue"))
        for kind in ("DeadLetter", "", "Undelivered")
    )
    (target,) = properties(shipped, "AWS::Events::Rule", "DefaultLane")["Targets"]

    assert target["Arn"] == {"Fn::GetAtt": [queue, "Arn"]}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [undelivered, "Arn"]}}
    assert properties(shipped, "AWS::SQS::Queue", queue)["RedrivePolicy"]["deadLetterTargetArn"] == {
        "Fn::GetAtt": [dead, "Arn"]
    }
    for name in (dead, queue, undelivered):
        assert properties(shipped, "AWS::SQS::Queue", name)["MessageRetentionPeriod"] == 14 * 86_400


def test_events_reach_the_queue_as_they_are(shipped: Assembly) -> None:
    (target,) = properties(shipped, "AWS::Events::Rule", "DefaultLane")["Targets"]

    assert not {"Input", "InputPath", "InputTransformer"} & set(target)


def test_queues_are_encrypted_and_want_tls(shipped: Assembly) -> None:
    policies = resources(shipped.pipeline, "AWS::SQS::QueuePolicy").values()
    refused = {
        policy["Properties"]["Queues"][0]["Ref"]
        for policy in policies
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    queues = resources(shipped.pipeline, "AWS::SQS::Queue")

    assert refused == set(queues)
    assert all(queue["Properties"]["SqsManagedSseEnabled"] is True for queue in queues.values())


def test_only_the_lanes_rule_may_send_to_its_queues(shipped: Assembly) -> None:
    (rule,) = (name for name in resources(shipped.pipeline, "AWS::Events::Rule") if name.startswith("DefaultLane"))
    allowed = [
        statement
        for policy in resources(shipped.pipeline, "AWS::SQS::QueuePolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]

    assert len(allowed) == 2
    for statement in allowed:
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}}


@pytest.mark.parametrize("priority", ["Fast", "Live", "Backfill"])
def test_a_workflow_is_traced_and_logs_no_data(elaborate: Assembly, priority: str) -> None:
    machine = properties(elaborate, "AWS::StepFunctions::StateMachine", f"{priority}Analysis")

    assert machine.get("StateMachineType", "STANDARD") == "STANDARD"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    assert machine["LoggingConfiguration"]["Level"] == "ERROR"


def outputs(assembly: Assembly) -> dict[str, Any]:
    """Those that are meant for people and tools."""
    return {
        name: output["Value"]
        for name, output in assembly.pipeline["Outputs"].items()
        if not name.startswith("PublishOutput")
    }


#: Of a workflow and its image engine; of a lane.
OF_PRIORITY = ("StateMachineArn", "AnalysisRoleArn", "AnalyzerRoleArn", "ChunkQueueUrl")
OF_LANE = ("IngestQueueUrl", "IngestDeadLetterQueueUrl", "UndeliveredQueueUrl")


def test_the_outputs_are_those_of_the_design(shipped: Assembly, elaborate: Assembly) -> None:
    shared = {"LanePolicies", "DecisionReasons", "VerdictRetentionDays", "ResultsRoleArn", "AnimationCheck"}
    shared |= {"OutcomesRoleArn", "OutcomesFunctionName", "ChangeFailureQueueUrl"}

    assert set(outputs(shipped)) == {*OF_PRIORITY, *OF_LANE, *shared}
    assert set(outputs(elaborate)) == {
        *(prefix + name for prefix in ("", "Fast", "Backfill") for name in OF_PRIORITY),
        *(prefix + name for prefix in ("", "ProfilePictures", "Chat", "Archive") for name in OF_LANE),
        *shared,
        *EventsOutput,
    }


def test_the_outputs_tell_where_events_go_and_what_was_not_taken(elaborate: Assembly) -> None:
    named = outputs(elaborate)
    (queue,) = (
        name for name in resources(elaborate.pipeline, "AWS::SQS::Queue") if name.startswith("VerdictEventsDeadLetter")
    )

    assert named[EventsOutput.EVENT_BUS] == "pictures"
    assert named[EventsOutput.DEAD_LETTER_QUEUE_URL] == {"Ref": queue}


def test_results_is_told_of_the_bus(shipped: Assembly, elaborate: Assembly) -> None:
    events = ResultsEnvironment.read(variables(elaborate, "ResultsWriter")).events

    assert events is not None
    assert (events.bus, events.statuses) == ("pictures", (Status.BLOCKED, Status.FAILED))
    assert ResultsEnvironment.read(variables(shipped, "ResultsWriter")).events is None


def test_without_a_bus_there_is_nothing_of_events(shipped: Assembly) -> None:
    assert "VerdictEvents" not in json.dumps(shipped.templates)
    assert "EventDeadLetter" not in json.dumps(shipped.templates)
    assert "EVENT_" not in json.dumps(shipped.templates)


def test_events_that_were_not_sent_outlive_the_setting(elaborate: Assembly) -> None:
    queue = only(elaborate.pipeline, "AWS::SQS::Queue", "VerdictEventsDeadLetterQueue")

    assert (queue["DeletionPolicy"], queue["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert queue["Properties"]["MessageRetentionPeriod"] == 14 * 24 * 3600


@pytest.mark.parametrize(("prefix", "priority"), [("", "Live"), ("Fast", "Fast"), ("Backfill", "Backfill")])
def test_the_outputs_without_a_prefix_are_of_the_main_lanes_priority(
    elaborate: Assembly, prefix: str, priority: str
) -> None:
    named = outputs(elaborate)

    beginnings = {
        "StateMachineArn": f"{priority}AnalysisStateMachine",
        "AnalysisRoleArn": f"{priority}AnalysisStateMachineRole",
        "AnalyzerRoleArn": f"{priority}ImagesAnalyzerRole",
        "ChunkQueueUrl": f"{priority}ImagesChunkQueue",
    }
    assert set(beginnings) == set(OF_PRIORITY)
    for name, beginning in beginnings.items():
        value = named[prefix + name]
        assert (value.get("Ref") or value["Fn::GetAtt"][0]).startswith(beginning)


def test_the_outputs_tell_which_policy_judges_what_and_what_reviewers_choose_from(elaborate: Assembly) -> None:
    named = outputs(elaborate)

    assert json.loads(named["LanePolicies"]) == {
        "default": {
            "policy": "standard",
            "policy_overrides": {"kids/": "strict", "art/": "permissive"},
            "min_confidence": 30.0,
        },
        "profile-pictures": {"policy": "strict", "policy_overrides": {}, "min_confidence": 30.0},
        "chat": {"policy": "standard", "policy_overrides": {}, "min_confidence": 30.0},
        "archive": {"policy": "standard", "policy_overrides": {}, "min_confidence": 30.0},
    }
    assert named["DecisionReasons"] == "spam,other"
    assert named["VerdictRetentionDays"] == "365"


def test_an_existing_key_can_be_opened_to_results_by_its_role(elaborate: Assembly) -> None:
    assert outputs(elaborate)["ResultsRoleArn"]["Fn::GetAtt"][0].startswith("ResultsWriterResultsRole")


def test_the_function_and_the_outputs_agree_on_whether_animations_are_looked_for(
    shipped: Assembly, image_only: Assembly
) -> None:
    for assembly, check in ((shipped, "on"), (image_only, "off")):
        variables = properties(assembly, "AWS::Lambda::Function", "ResultsWriter")["Environment"]["Variables"]
        assert variables["ANIMATION_CHECK"] == outputs(assembly)["AnimationCheck"] == check


def test_the_sweeper_is_told_of_every_lane_each_quarter_of_an_hour(elaborate: Assembly) -> None:
    rule = properties(elaborate, "AWS::Events::Rule", "Sweeper")
    (target,) = rule["Targets"]
    parts = target["Input"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else json.dumps(part).replace('"', "'") for part in parts)
    schedule = Schedule.parse(json.loads(text))
    lanes = schedule.lanes

    assert rule["ScheduleExpression"] == "rate(15 minutes)"
    assert schedule.min_age == timedelta(minutes=30)
    assert {name: lane.overdue_hours for name, lane in lanes.items()} == {
        "default": 48,
        "profile-pictures": 48,
        "chat": 2,
        "archive": 0.8 * 24 * 45,
    }
    assert re.findall(r"'(\w+?)AnalysisStateMachine", str(schedule.state_machine_arns)) == ["Live", "Fast", "Backfill"]
    for name in ("default", "chat", "archive"):
        assert f"'{name.capitalize()}LaneQueue" in lanes[name].queue_url


def test_the_sweepers_event_has_room_for_as_many_lanes_as_settings_may_have() -> None:
    """8,192 characters (EventBridge API reference, Target); names of queues and machines have 80 at most."""
    lane = {
        "queue_url": f"https://sqs.ap-southeast-1.amazonaws.com/000000000000/{'q' * 80}",
        "overdue_hours": 48,
    }
    machine = f"arn:aws:states:ap-southeast-1:000000000000:stateMachine:{'m' * 80}"
    lanes = {f"{n:024}": lane for n in range(MAX_LANES)}
    event = {"lanes": lanes, "state_machine_arns": [machine] * len(Priority), "min_age_minutes": 30}

    assert len(json.dumps(event)) <= 8192
