"""The calls that functions make, found in their modules.

`gatehouse.aws` has the only uses of a client there are (`client_uses`). What a function's own modules use of its
classes is followed from method to method, down to the client's. What only operators use extends them in
`gatehouse.cli.aws`, which no function may import (`tests/docs/test_dependencies.py`), and is no function's call.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import botocore.session
from botocore import xform_name

from gatehouse.moderation.flag_publisher import FlagSink
from gatehouse.moderation.verdict_events import DeadLetters, EventSink

ROOT = Path(__file__).resolve().parents[2]

#: The classes that make calls.
AWS = ROOT / "src" / "gatehouse" / "aws"

#: The part of the pipeline that a class of `gatehouse.aws` speaks to.
SPEAKS_TO = {
    "ChunkQueue": "ChunkQueue",
    "EventBus": "EventBus",
    "Executions": "StateMachine",
    "FlagTopic": "FlagsTopic",
    "ImageModeration": "*",
    "QueueSender": "Queue",
    "PolicyParameters": "PolicyParameter",
    "PresignedUploads": "UploadsBucket",
    "RendererFunction": "RendererFunction",
    "TaskTokens": "StateMachine",
    "UploadBucket": "UploadsBucket",
    "UploadHeads": "UploadsBucket",
    "VerdictTable": "VerdictsTable",
    "VersionListing": "UploadsBucket",
    "VersionTags": "UploadsBucket",
    "WorkBucket": "WorkBucket",
}

#: Classes of the domain that are given objects of `gatehouse.aws` as what they call ports, in this order. They use all
#: of each.
PORTS = {"FlagPublisher": (FlagSink,), "VerdictEvents": (EventSink, DeadLetters)}

#: Calls that are allowed by an action of another name (Service Authorization Reference).
OTHER_NAMES = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",  # always of a version
    "s3:GetObjectTagging": "s3:GetObjectVersionTagging",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:PutObjectTagging": "s3:PutObjectVersionTagging",
    "sns:PublishBatch": "sns:Publish",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}


@dataclass(frozen=True, slots=True)
class Call:
    """A call of AWS's API.

    Attributes:
        action: what allows it.
        on: the part of the pipeline that it is made on, or `*`.
        where: who makes it: `WorkBucket.has`, `state "Read batch"`.
    """

    action: str
    on: str
    where: str


def action_for(service: str, operation: str) -> str:
    """The action that allows an operation."""
    name = f"{service}:{operation}"
    return OTHER_NAMES.get(name, name)


@cache
def calls_of_function(service: str) -> tuple[Call, ...]:
    """The calls that the modules of `lambdas/<service>`, and shared ones, make through classes of `gatehouse.aws`."""
    classes = _aws_classes()
    found: dict[Call, None] = {}
    for path in _modules(service):
        for name, method in sorted(_used(ast.parse(path.read_text("utf-8")), classes)):
            for call in classes[name].calls(method):
                found[Call(call.action, call.on, f"{name}.{method}")] = None
    return tuple(found)


def _modules(service: str) -> list[Path]:
    """The modules of a function, and those beside the functions' folders that they import."""
    own = sorted((ROOT / "lambdas" / service).glob("*.py"))
    imported = {
        node.module
        for path in own
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
    }
    shared = sorted((ROOT / "lambdas").glob("*.py"))
    return [*own, *(path for path in shared if f"lambdas.{path.stem}" in imported)]


@cache
def unused_methods() -> frozenset[str]:
    """Public methods of `gatehouse.aws` that no function uses, with their classes."""
    used: set[tuple[str, str]] = set()
    for path in sorted((ROOT / "lambdas").glob("**/*.py")):
        used |= _used(ast.parse(path.read_text("utf-8")), _aws_classes())
    return frozenset(
        f"{name}.{method}"
        for name, speaker in _aws_classes().items()
        for method in speaker.methods
        if not method.startswith("_") and not any(speaker.reaches(start, method) for n, start in used if n == name)
    )


@dataclass(frozen=True, slots=True)
class _Speaker:
    """A class of `gatehouse.aws`: its methods, and the service its client speaks to."""

    name: str
    service: str
    client: str
    methods: Mapping[str, ast.FunctionDef]

    def reaches(self, start: str, method: str) -> bool:
        return method in self._reached(start)

    def calls(self, method: str) -> list[Call]:
        """The calls that a method makes, itself or through others of the class."""
        bodies = [self.methods[name] for name in self._reached(method)]
        # Who handles a failure to read wants to know that an object is missing: S3 says 404 only to those who may list
        # the bucket (API reference, GetObject, HeadObject).
        handles_failures = any(isinstance(node, ast.Try) for body in bodies for node in ast.walk(body))
        found = []
        for body in bodies:
            for name in self._actions(body):
                found.append(name)
                if name == "s3:GetObject" and handles_failures:
                    found.append("s3:ListBucket")
        return [Call(name, SPEAKS_TO[self.name], f"{self.name}.{method}") for name in found]

    def _reached(self, start: str) -> list[str]:
        reached = [start]
        for name in reached:
            own = {
                node.attr for node in ast.walk(self.methods[name]) if isinstance(node, ast.Attribute) and _is_own(node)
            }
            reached += sorted((own & set(self.methods)) - set(reached))
        return reached

    def _actions(self, method: ast.FunctionDef) -> Iterator[str]:
        prefix, operations = _operations(self.service)
        of_a_version = _calls_with(method, "VersionId")
        for node in ast.walk(method):
            name = self._called(node)
            if name is None:
                continue
            if name == "generate_presigned_url":  # who signs needs what the URL's user does
                yield from (action_for(prefix, "GetObject"), action_for(prefix, "GetObjectVersion"))
            elif operations[name] == "TransactWriteItems":
                yield from _transaction_actions(method)
            elif operations[name] == "GetObject" and id(node) in of_a_version:
                yield action_for(prefix, "GetObjectVersion")
            else:
                yield action_for(prefix, operations[name])

    def _called(self, node: ast.AST) -> str | None:
        """The client's method that an expression calls or hands on, or has called page by page."""
        match node:
            case ast.Call(func=ast.Attribute(value=client, attr="get_paginator"), args=[ast.Constant(value=name)]):
                return str(name) if _is_own(client, self.client) else None
            case ast.Attribute(value=client, attr=name) if name not in ("exceptions", "get_paginator"):
                return name if _is_own(client, self.client) else None
        return None


def _calls_with(method: ast.FunctionDef, parameter: str) -> set[int]:
    """The functions that are called with a parameter of this name, each by its identity as a node."""
    return {
        id(node.func)
        for node in ast.walk(method)
        if isinstance(node, ast.Call) and any(keyword.arg == parameter for keyword in node.keywords)
    }


def _transaction_actions(method: ast.FunctionDef) -> Iterator[str]:
    """A transaction is allowed by what its items do (DynamoDB Developer Guide, transaction-apis-iam.html)."""
    kinds = {
        "Put": "dynamodb:PutItem",
        "Update": "dynamodb:UpdateItem",
        "Delete": "dynamodb:DeleteItem",
        "ConditionCheck": "dynamodb:ConditionCheckItem",
    }
    for node in ast.walk(method):
        if isinstance(node, ast.Dict):
            yield from (kinds[key.value] for key in node.keys if isinstance(key, ast.Constant) and key.value in kinds)


@cache
def _operations(service: str) -> tuple[str, Mapping[str, str]]:
    """A service's prefix in IAM, and its operations by the names of boto3's methods."""
    model = botocore.session.get_session().get_service_model(service)
    return model.signing_name, {xform_name(name): name for name in model.operation_names}


@cache
def _aws_classes() -> Mapping[str, _Speaker]:
    found = {}
    for path in sorted(AWS.glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        services = {
            name.name: node.module.removeprefix("mypy_boto3_")
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mypy_boto3_")
            for name in node.names
            if node.module
        }
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and (client := _client(node, services)):
                methods = {inner.name: inner for inner in node.body if isinstance(inner, ast.FunctionDef)}
                found[node.name] = _Speaker(node.name, services[client[1]], client[0], methods)
    assert set(found) == set(SPEAKS_TO), "say in SPEAKS_TO what each class of gatehouse.aws speaks to"
    return found


def _client(class_: ast.ClassDef, services: Mapping[str, str]) -> tuple[str, str] | None:
    """The attribute that holds a class's client, and its type: a dataclass's field or a parameter of `__init__`."""
    for node in ast.walk(class_):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Constant(value=str(kind))) if kind in services:
                return name, kind
            case ast.arg(annotation=ast.Constant(value=str(kind))) if kind in services:
                return "_client", kind
    return None


def _is_own(node: ast.AST, name: str | None = None) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="self"), attr=attribute):
            return name is None or attribute == name
    return False


def _used(tree: ast.Module, classes: Mapping[str, _Speaker]) -> set[tuple[str, str]]:
    """What a module uses of `gatehouse.aws`: class and method, called or handed on.

    An object of a class is known by its annotation, or by the function that makes it. What is not recognized leaves a
    grant without a call, and fails there.
    """
    makers: dict[str, str] = {}
    named: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name, returns=ast.Name(id=kind)):
                makers[name] = kind
            case ast.arg(arg=name, annotation=ast.Name(id=kind)):
                named[name] = kind
            case ast.AnnAssign(
                target=ast.Name(id=name),
                annotation=ast.Name(id=kind) | ast.BinOp(left=ast.Name(id=kind), right=ast.Constant(value=None)),
            ):
                named[name] = kind
            case ast.AnnAssign(
                target=ast.Name(id=name),
                annotation=ast.Subscript(value=ast.Name(id="Callable"), slice=ast.Tuple(elts=[_, ast.Name(id=kind)])),
            ):
                makers[name] = kind

    def kind_of(node: ast.expr) -> str:
        match node:
            case ast.Attribute(value=ast.Name(id="self"), attr=name) | ast.Name(id=name):
                return named.get(name, "")
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self"), attr=name)):
                return makers.get(name, name)
        return ""

    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if (kind := kind_of(value)) in classes:
                named[name] = kind
    called = {
        (kind, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and (kind := kind_of(node.value)) in classes
        if node.attr in classes[kind].methods
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=given) if name in PORTS:
                called |= {
                    (kind, method)
                    for argument, port in zip(given, PORTS[name], strict=False)
                    if (kind := kind_of(argument)) in classes
                    for method in classes[kind].methods
                    if method in _members(port)
                }
    return called


def _members(port: type) -> set[str]:
    return {name for name in dir(port) if not name.startswith("_")}
