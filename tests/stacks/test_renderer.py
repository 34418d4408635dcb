"""The renderer's construct: a function that may do nothing, with room and time for what it decodes."""

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template as Assertions

from gatehouse.contracts.alarm_texts import Severity
from gatehouse.contracts.render_call import MOST_JPEG_BYTES
from lambdas.renderer.presigned_object import PresignedObject
from lambdas.renderer.rendering import DECODING_MEMORY, DECODING_SECONDS
from stacks.constructs.alarm import AlarmScope
from stacks.constructs.function_code import renderer_code
from stacks.constructs.renderer import Renderer
from stacks.constructs.runtime import Runtime
from stacks.lambda_dependencies import HEIC_REQUIREMENTS, RENDERER_REQUIREMENTS, install_dependencies
from tests.emitted_metrics import EMITTED
from tests.stacks.conftest import Template, only, resources

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def template() -> Template:
    """A stack with a renderer, a role that may invoke it, and its alarms."""
    install_dependencies()
    for requirements in (RENDERER_REQUIREMENTS, HEIC_REQUIREMENTS):
        install_dependencies(requirements, compiled=True)
    stack = cdk.Stack(cdk.App(), "stack")
    with renderer_code(heic=True) as code:
        renderer = Renderer(stack, "Renderer", runtime=Runtime(code, 30, None), heic=True)
    invoker = iam.Role(stack, "Invoker", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    renderer.grant_invoke(invoker)
    action = actions.SnsAction(sns.Topic(stack, "Alarms"))
    told = dict.fromkeys(Severity, action)
    renderer.create_alarms(AlarmScope(stack, "Told", deployment="gatehouse", docs_url=None, actions=told))
    return dict(Assertions.from_stack(stack).to_json())


def function(template: Template) -> dict[str, object]:
    properties: dict[str, object] = only(template, "AWS::Lambda::Function")["Properties"]
    return properties


def test_its_role_may_write_its_log_and_its_traces_and_nothing_else(template: Template) -> None:
    policy = only(template, "AWS::IAM::Policy", "RendererRole")["Properties"]
    (log_group,) = resources(template, "AWS::Logs::LogGroup")
    statements = {
        action: statement["Resource"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }

    assert statements == {
        "logs:CreateLogStream": {"Fn::GetAtt": [log_group, "Arn"]},
        "logs:PutLogEvents": {"Fn::GetAtt": [log_group, "Arn"]},
        "xray:PutTraceSegments": "*",
        "xray:PutTelemetryRecords": "*",
    }
    role = only(template, "AWS::IAM::Role", "RendererRole")["Properties"]
    assert "ManagedPolicyArns" not in role
    assert "Policies" not in role


def test_an_invoker_may_invoke_it_and_nothing_else(template: Template) -> None:
    (statement,) = only(template, "AWS::IAM::Policy", "Invoker")["Properties"]["PolicyDocument"]["Statement"]

    assert statement["Action"] == "lambda:InvokeFunction"
    assert statement["Resource"] == {"Fn::GetAtt": [next(iter(resources(template, "AWS::Lambda::Function"))), "Arn"]}


def test_it_has_the_memory_and_the_time_that_its_code_counts_on(template: Template) -> None:
    spare = function(template)["MemorySize"] * MEGABYTE - DECODING_MEMORY  # type: ignore[operator]

    assert spare > 200 * MEGABYTE + PresignedObject().most_bytes + 4 * MOST_JPEG_BYTES
    assert function(template)["Timeout"] > PresignedObject().seconds + DECODING_SECONDS + 10  # type: ignore[operator]
    assert "ReservedConcurrentExecutions" not in function(template)


def test_heic_is_what_the_setting_says(template: Template) -> None:
    assert function(template)["Environment"]["Variables"]["HEIC"] == "on"  # type: ignore[index]


def test_its_alarms_watch_what_its_code_writes(template: Template) -> None:
    watched = {alarm["Properties"]["MetricName"] for alarm in resources(template, "AWS::CloudWatch::Alarm").values()}

    assert watched - EMITTED["renderer"].names == {"Errors"}
