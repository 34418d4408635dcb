"""Nothing in the templates exceeds a limit that AWS checks when they are deployed."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from gatehouse.configuration.settings import MAX_LANES
from tests.stacks.conftest import ROOT, Assembly, resources
from tests.stacks.deployed_text import deployed
from tests.stacks.watched_metrics import dashboards, watched_by_widget

_PRIORITIES = ("live", "fast", "backfill")


def _lanes(count: int) -> str:
    """Settings of so many lanes, of all priorities and with names and prefixes as long as anybody writes them."""
    lanes = "\n".join(
        f"  lane-with-a-long-name-{chr(ord('a') + n)}:"
        f" {{prefixes: [uploads/of/lane/{n:02}/], priority: {_PRIORITIES[n % 3]}, policy_overrides:"
        f" {{uploads/of/lane/{n:02}/kids/: strict, uploads/of/lane/{n:02}/art/: permissive}}}}"
        for n in range(count)
    )
    return f"encryption_key: create\nalarm_topic_arn: arn:aws:sns:eu-west-1:111122223333:alarms\nlanes:\n{lanes}\n"


VARIANTS = {
    "shipped": (ROOT / "gatehouse.yaml").read_text("utf-8"),
    "7 lanes with a key": _lanes(7),
    f"{MAX_LANES} lanes with a key": _lanes(MAX_LANES),
}

Found = Iterator[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit.

    Attributes:
        most: that AWS takes.
        source: where it says so.
        found: what is measured, by name.
    """

    name: str
    most: float
    source: str
    found: Callable[[Assembly], Found]


def _everywhere(kind: str, measure: Callable[[Any], float]) -> Callable[[Assembly], Found]:
    """A measure of the properties of each resource of a type."""

    def found(assembly: Assembly) -> Found:
        for template in assembly.templates:
            for name, resource in resources(template, kind).items():
                yield name, measure(deployed(resource["Properties"]))

    return found


def _policy_characters(assembly: Assembly) -> Found:
    """Inline policies of a role count together, without white space."""
    for template in assembly.templates:
        sums: defaultdict[str, int] = defaultdict(int)
        for policy in resources(template, "AWS::IAM::Policy").values():
            for role in policy["Properties"]["Roles"]:
                sums[role["Ref"]] += _characters(deployed(policy["Properties"]["PolicyDocument"]))
        yield from sums.items()


def _of_each_template(measure: Callable[[Any], float]) -> Callable[[Assembly], Found]:
    return lambda assembly: (
        (name, measure(template))
        for name, template in zip(("storage", "pipeline", "monitoring"), assembly.templates, strict=True)
    )


def _seconds_too_few(assembly: Assembly) -> Found:
    """By how much messages come back sooner than six times the function's timeout and the window."""
    functions = resources(assembly.pipeline, "AWS::Lambda::Function")
    queues = resources(assembly.pipeline, "AWS::SQS::Queue")
    for name, mapping in resources(assembly.pipeline, "AWS::Lambda::EventSourceMapping").items():
        if "StartingPosition" in mapping["Properties"]:
            continue  # a stream has no visibility timeout
        function = functions[mapping["Properties"]["FunctionName"]["Ref"]]["Properties"]
        queue = queues[mapping["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]]["Properties"]
        window = mapping["Properties"].get("MaximumBatchingWindowInSeconds", 0)
        yield name, 6 * function["Timeout"] + window - queue["VisibilityTimeout"]


def _metrics_of_widgets(assembly: Assembly) -> Found:
    for name, widgets in dashboards(assembly.monitoring).items():
        for number, widget in enumerate(widgets):
            yield f"{name} {number}", len(list(watched_by_widget(widget)))


def _metrics_of_dashboards(assembly: Assembly) -> Found:
    for name, widgets in dashboards(assembly.monitoring).items():
        yield name, sum(len(list(watched_by_widget(widget))) for widget in widgets)


def _rule_inputs(assembly: Assembly) -> Found:
    for name, rule in resources(assembly.pipeline, "AWS::Events::Rule").items():
        for target in rule["Properties"].get("Targets", ()):
            yield name, len(deployed(target.get("Input", "")))


def _characters(document: Any) -> int:
    return len(json.dumps(document, separators=(",", ":")))


def _environment_bytes(properties: Any) -> int:
    """As Lambda measures it: the JSON of the whole map, quotes escaped (github-aws-runners issue 3594)."""
    return _characters(properties.get("Environment", {}).get("Variables", {}))


LIMITS = (
    Limit("inline policies of a role, characters", 10_240, "IAM quotas", _policy_characters),
    Limit(
        "resources of a stack",
        500,
        "CloudFormation quotas",
        _of_each_template(lambda template: len(template["Resources"])),
    ),
    Limit(
        "outputs of a stack",
        200,
        "CloudFormation quotas",
        _of_each_template(lambda template: len(template.get("Outputs", {}))),
    ),
    Limit("template, bytes", 1_000_000, "CloudFormation quotas", _of_each_template(_characters)),
    Limit(
        "definition of a state machine, bytes",
        1_000_000,
        "Step Functions quotas",
        _everywhere(
            "AWS::StepFunctions::StateMachine", lambda properties: len(str(properties["DefinitionString"]).encode())
        ),
    ),
    Limit("visibility of a queue too short, seconds", 0, "Lambda, services-sqs-configure.html", _seconds_too_few),
    Limit(
        "visibility of a queue, seconds",
        43_200,
        "SQS quotas",
        _everywhere("AWS::SQS::Queue", lambda properties: properties.get("VisibilityTimeout", 0)),
    ),
    Limit("input of a rule's target, characters", 8_192, "EventBridge API reference, Target", _rule_inputs),
    Limit("metrics of a widget", 500, "CloudWatch quotas", _metrics_of_widgets),
    Limit("metrics of a dashboard", 2_500, "CloudWatch quotas", _metrics_of_dashboards),
    Limit(
        "metrics of an alarm",
        10,
        "CloudWatch API reference, PutMetricAlarm",
        _everywhere("AWS::CloudWatch::Alarm", lambda properties: len(properties.get("Metrics", ()))),
    ),
    Limit(
        "description of an alarm, characters",
        1_024,
        "CloudWatch API reference, PutMetricAlarm",
        _everywhere("AWS::CloudWatch::Alarm", lambda properties: len(properties["AlarmDescription"])),
    ),
    Limit(
        "standard parameter, bytes",
        4_096,
        "Systems Manager quotas",
        _everywhere("AWS::SSM::Parameter", lambda properties: len(properties["Value"].encode())),
    ),
    Limit(
        "environment of a function, bytes",
        4_096,
        "Lambda quotas",
        _everywhere("AWS::Lambda::Function", _environment_bytes),
    ),
    Limit(
        "policy of a queue, characters",
        8_192,
        "SQS quotas",
        _everywhere("AWS::SQS::QueuePolicy", lambda properties: _characters(properties["PolicyDocument"])),
    ),
    Limit(
        "policy of a bucket, bytes",
        20 * 1024,
        "S3 quotas",
        _everywhere("AWS::S3::BucketPolicy", lambda properties: _characters(properties["PolicyDocument"])),
    ),
    Limit(
        "policy of a key, bytes",
        32 * 1024,
        "KMS quotas",
        _everywhere("AWS::KMS::Key", lambda properties: _characters(properties["KeyPolicy"])),
    ),
    Limit(
        "event pattern, characters",
        2_048,
        "EventBridge quotas",
        _everywhere("AWS::Events::Rule", lambda properties: _characters(properties.get("EventPattern", {}))),
    ),
)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("limit", LIMITS, ids=[limit.name for limit in LIMITS])
def test_what_is_deployed_keeps_to_a_limit(synthesized: Callable[[str], Assembly], limit: Limit, variant: str) -> None:
    found = dict(limit.found(synthesized(VARIANTS[variant])))

    over = {name: value for name, value in found.items() if value > limit.most}
    assert not over, f"{limit.name}: AWS takes {limit.most} ({limit.source}), and {variant} has {over}"
    assert found or limit.name == "policy of a key, bytes", f"{limit.name}: nothing was measured"


def test_a_name_that_is_made_at_the_deployment_counts_as_long_as_it_can_be() -> None:
    joined = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":s3:::", {"Ref": "WorkBucket5A0FB49D"}, "/*"]]}

    assert len(deployed(joined)) == len("arn:aws-us-gov:s3:::/*") + 64
    assert deployed({"Fn::If": ["IsLargeRegion", 1, 10]}) == 10
    assert deployed({"Statement": [{"Resource": {"Ref": "Queue"}}]}) == {"Statement": [{"Resource": "n" * 64}]}
