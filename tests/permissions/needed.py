"""What each role needs: the calls that are made with its permissions, found in the sources and the template.

Nothing is listed by hand that could be read where it is done:

- a function's own calls: from what its modules use of `gatehouse.aws`, whose classes hold the only clients there are;
- a workflow's: its tasks;
- what Lambda and Step Functions do in a role's name: from the properties that ask for it.

By hand are only the actions that are not called like their calls, and what a service reads and writes in its caller's
name; either is compared with the grants both ways like everything else.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from tests.permissions.granted import Template, readable
from tests.permissions.sources import Call, action_for, calls_of_function

#: What Rekognition does in its caller's name: it has no role of its own for it (Rekognition Developer Guide,
#: moderation-bulk.html; API reference, S3Object).
IN_THE_CALLERS_NAME = {
    "rekognition:DetectModerationLabels": (
        ("s3:GetObject", "UploadsBucket", "Rekognition reads an image that has no version"),
        ("s3:GetObjectVersion", "UploadsBucket", "Rekognition reads the version that was uploaded"),
    ),
    "rekognition:StartMediaAnalysisJob": (
        ("s3:GetObject", "WorkBucket", "Rekognition reads the manifest"),
        ("s3:GetObject", "UploadsBucket", "Rekognition reads the images"),
        ("s3:PutObject", "WorkBucket", "Rekognition writes its results"),
    ),
}

#: What a call needs of the key that what it touches is encrypted with: action -> service that uses the key, and how
#: (stacks/constructs/encryption_key.py has the sources).
_TABLE = (
    *("kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:DescribeKey"),
    *("kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"),
)
OF_THE_KEY = {
    "s3:GetObject": ("s3", ("kms:Decrypt",)),
    "s3:GetObjectVersion": ("s3", ("kms:Decrypt",)),
    "s3:PutObject": ("s3", ("kms:GenerateDataKey",)),
    "sqs:ReceiveMessage": ("sqs", ("kms:Decrypt",)),
    "sqs:SendMessage": ("sqs", ("kms:GenerateDataKey", "kms:Decrypt")),
    "sns:Publish": ("sns", ("kms:GenerateDataKey", "kms:Decrypt")),
    "dynamodb:GetItem": ("dynamodb", _TABLE),
    "dynamodb:BatchGetItem": ("dynamodb", _TABLE),
    "dynamodb:PutItem": ("dynamodb", _TABLE),
    "dynamodb:GetRecords": ("dynamodb", ("kms:Decrypt", "kms:DescribeKey")),
    "rekognition:StartMediaAnalysisJob": (
        "rekognition",
        ("kms:CreateGrant", "kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt"),
    ),
}

#: What is called only where a setting asks for it: who calls, and the action.
_OF_ANIMATIONS = (("UploadBucket.doubts", "s3:GetObjectVersion"),)
#: And what only where animations are not looked for.
_OF_LISTINGS = (("VersionListing.current_of", "s3:ListBucketVersions"),)
_OF_A_BUS_BY_ITS_NAME = (("EventBus.is_open", "events:DescribeEventBus"),)
_OF_EVENTS = (
    *_OF_A_BUS_BY_ITS_NAME,
    ("EventBus.publish", "events:PutEvents"),
    ("QueueSender.send", "sqs:SendMessage"),
)
_OF_LISTED_OBJECTS = (("VersionListing.order", "s3:ListBucketVersions"), ("VerdictTable.items_of", "dynamodb:Query"))
_OF_THE_GATE = (
    ("VerdictTable.read", "dynamodb:BatchGetItem"),
    ("VerdictTable.items_of", "dynamodb:Query"),
    ("VersionListing.without_id", "s3:ListBucketVersions"),
    ("VersionTags.has_versioning", "s3:GetBucketVersioning"),
    ("VersionTags.read", "s3:GetObjectVersionTagging"),
    ("VersionTags.replace", "s3:PutObjectVersionTagging"),
    ("VersionTags.replace", "s3:DeleteObjectVersionTagging"),
)
#: Functions that may send events.
_ANNOUNCERS = ("outcomes", "results")

#: What Lambda's pollers do with the function's role, of a queue (Lambda Developer Guide, services-sqs-configure.html)
#: and of a table's stream (DynamoDB Developer Guide, iam-policy-example-lamda-process-dynamodb-streams.html).
POLLER = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
STREAM_POLLER = (
    *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"),
)

#: Tracing and logs (Lambda Developer Guide, services-xray.html; Step Functions Developer Guide, xray-iam.html and
#: cw-logs.html).
FUNCTION_TRACING = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")
FUNCTION_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
MACHINE_TRACING = (*FUNCTION_TRACING, "xray:GetSamplingRules", "xray:GetSamplingTargets")
MACHINE_LOGS = (
    *("logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies"),
    *("logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:UpdateLogDelivery"),
)

_SDK_TASK = "states:::aws-sdk:"
_OPTIMIZED_TASKS = {"sqs:sendMessage": "sqs:SendMessage", "lambda:invoke": "lambda:InvokeFunction"}
_SDK_SERVICES = {"sfn": "states"}
#: A machine that speaks to itself says so by its context; and what Rekognition does here has no resource.
_OWN_MACHINE = "$states.context.StateMachine.Id"
_WITHOUT_RESOURCES = {"rekognition"}

Needs = Mapping[tuple[str, str], list[str]]


def needs(template: Template, role: str) -> Needs:
    """What the role of this logical id needs: (action, part of the pipeline) -> who needs it."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for call in _calls_of_role(template, role):
        found[call.action, call.on].append(call.where)
        for action, on, reason in IN_THE_CALLERS_NAME.get(call.action, ()):
            found[action, on].append(reason)
    if _has_key(template):
        for action, _ in list(found):
            service, uses = OF_THE_KEY.get(action, ("", ()))
            for use in uses:
                found[use, f"EncryptionKey through {service}"].append(f"`{action}`")
    return {need: list(dict.fromkeys(reasons)) for need, reasons in found.items()}


def _has_key(template: Template) -> bool:
    """Whether what the pipeline stores is encrypted with a key of the customer's own."""
    queues = [resource for resource in template["Resources"].values() if resource["Type"] == "AWS::SQS::Queue"]
    return any("KmsMasterKeyId" in queue["Properties"] for queue in queues)


def _calls_of_role(template: Template, role: str) -> Iterator[Call]:
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::Lambda::Function" if _runs_as(properties["Role"], role):
                service = properties["Handler"].split(".")[1]
                unmade = set(_unmade(service, properties["Environment"]["Variables"]))
                for call in calls_of_function(service):
                    if (call.where, call.action) not in unmade:
                        yield call
                yield from _calls_of_lambda(template, name, properties)
            case "AWS::StepFunctions::StateMachine" if _runs_as(properties["RoleArn"], role):
                yield from _calls_of_machine(properties)


def _unmade(service: str, variables: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Calls that a function's variables keep it from."""
    if variables.get("ANIMATION_CHECK") == "off":
        yield from _OF_ANIMATIONS
    elif service == "results":
        yield from _OF_LISTINGS
    if service == "batcher" and "BACKFILL_STATE_MACHINE_ARN" not in variables:
        yield from _OF_LISTED_OBJECTS
    if service == "outcomes" and "VERDICT_TABLE" not in variables:
        yield from _OF_THE_GATE
    bus = variables.get("EVENT_BUS")
    if service in _ANNOUNCERS and bus is None:
        yield from _OF_EVENTS
    elif bus == "default" or str(bus).startswith("arn:"):
        yield from _OF_A_BUS_BY_ITS_NAME


def _runs_as(reference: Any, role: str) -> bool:
    return bool(reference == {"Fn::GetAtt": [role, "Arn"]})


def _calls_of_lambda(template: Template, function: str, properties: Mapping[str, Any]) -> Iterator[Call]:
    if properties.get("TracingConfig", {}).get("Mode") == "Active":
        yield from (Call(action, "*", "tracing") for action in FUNCTION_TRACING)
    if "LogGroup" in properties.get("LoggingConfig", {}):
        yield from (Call(action, "Logs", "its log") for action in FUNCTION_LOGS)
    for resource in template["Resources"].values():
        if resource["Type"] != "AWS::Lambda::EventSourceMapping":
            continue
        mapping = resource["Properties"]
        if mapping["FunctionName"] == {"Ref": function}:
            source = readable(mapping["EventSourceArn"]).strip("<>")
            if source.endswith("Stream"):
                yield from (Call(action, source, "Lambda reads the stream") for action in STREAM_POLLER)
            else:
                yield from (Call(action, source, "Lambda polls the queue") for action in POLLER)
            if "DestinationConfig" in mapping:
                queue = readable(mapping["DestinationConfig"]["OnFailure"]["Destination"]).strip("<>")
                yield Call("sqs:SendMessage", queue, "Lambda tells what it gives up")


def _calls_of_machine(properties: Mapping[str, Any]) -> Iterator[Call]:
    if properties.get("TracingConfiguration", {}).get("Enabled"):
        yield from (Call(action, "*", "tracing") for action in MACHINE_TRACING)
    if properties.get("LoggingConfiguration", {}).get("Level", "OFF") != "OFF":
        yield from (Call(action, "*", "its log") for action in MACHINE_LOGS)
    definition = json.loads(readable(properties["DefinitionString"]))
    for name, state in _tasks(definition["States"]):
        yield Call(_task_action(state["Resource"]), _task_target(state), f'state "{name}"')


def _tasks(states: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, state in states.items():
        if state["Type"] == "Task":
            yield name, state
        elif state["Type"] == "Map":
            yield from _tasks(state["ItemProcessor"]["States"])
        else:
            assert state["Type"] not in ("Parallel",), f"nobody looks into {name}"


def _task_action(resource: str) -> str:
    """The action of a task's `Resource` (Step Functions Developer Guide, supported-services-awssdk.html)."""
    if _SDK_TASK in resource:
        service, operation = resource.split(_SDK_TASK)[1].split(":")[:2]
        return action_for(_SDK_SERVICES.get(service, service), operation[0].upper() + operation[1:])
    return _OPTIMIZED_TASKS[resource.split("states:::")[1].partition(".")[0]]


def _task_target(state: Mapping[str, Any]) -> str:
    text = json.dumps(state["Arguments"])
    if _OWN_MACHINE in text:
        return "StateMachine"
    if any(f":{service}:" in state["Resource"] for service in _WITHOUT_RESOURCES):
        return "*"
    return text.partition("<")[2].partition(">")[0]
