"""Which functions an invocation may lead to, as the templates say it, through the services in which Lambda counts.

Lambda counts the invocations of a function in a chain of requests through Lambda, SQS, SNS and S3, and ends the chain
after about 16 (Lambda Developer Guide, invocation-recursion.html). A chain through another service, such as Step
Functions or EventBridge, is none to it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

Template = Mapping[str, Any]

FUNCTION = "AWS::Lambda::Function"
QUEUE = "AWS::SQS::Queue"
TOPIC = "AWS::SNS::Topic"
BUCKET = "AWS::S3::Bucket"

#: Action by which a request goes on -> kind of resource that gets it.
SENDING = {
    "sqs:SendMessage": QUEUE,
    "sns:Publish": TOPIC,
    "lambda:InvokeFunction": FUNCTION,
    "s3:PutObject": BUCKET,
    "s3:DeleteObject": BUCKET,
}


@dataclass(frozen=True, slots=True)
class InvocationGraph:
    """Functions, queues, topics and buckets of stacks that are deployed together, and what each hands requests on to.

    Attributes:
        functions: properties of the functions by logical id, which no two stacks share.
        links: logical id of one -> those of what it may send to, or what is invoked or notified by it.
    """

    functions: Mapping[str, Mapping[str, Any]]
    links: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, templates: Iterable[Template]) -> "InvocationGraph":
        """Read the graph from templates that may import each other's outputs."""
        stacks = _Stacks.of(templates)
        links: dict[str, set[str]] = {}
        for start, end in (*stacks.sent(), *stacks.delivered()):
            links.setdefault(start, set()).add(end)
        functions = dict(stacks.of_kind(FUNCTION))
        return cls(functions, {start: frozenset(ends) for start, ends in links.items()})

    def looping(self) -> set[str]:
        """The functions that an invocation of theirs can lead back to."""
        return {function for function in self.functions if function in self._reached_from(function)}

    def _reached_from(self, start: str) -> set[str]:
        reached: set[str] = set()
        ahead = [*self.links.get(start, ())]
        while ahead:
            if (one := ahead.pop()) not in reached:
                reached.add(one)
                ahead += self.links.get(one, ())
        return reached


@dataclass(frozen=True, slots=True)
class _Stacks:
    """The resources of all templates, and the values of their exports, by name."""

    resources: Mapping[str, Mapping[str, Any]]
    exports: Mapping[str, Any]

    @classmethod
    def of(cls, templates: Iterable[Template]) -> "_Stacks":
        resources: dict[str, Mapping[str, Any]] = {}
        exports: dict[str, Any] = {}
        for template in templates:
            assert not resources.keys() & template["Resources"].keys(), "logical ids are taken for names"
            resources |= template["Resources"]
            for output in template.get("Outputs", {}).values():
                if "Export" in output:
                    exports[output["Export"]["Name"]] = output["Value"]
        return cls(resources, exports)

    def of_kind(self, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for name, resource in self.resources.items():
            if resource["Type"] == kind:
                yield name, resource.get("Properties", {})

    def sent(self) -> Iterator[tuple[str, str]]:
        """From a function to all that its role may send to; what follows from its code is a part of that."""
        for function, properties in self.of_kind(FUNCTION):
            (role,) = self._named(properties["Role"])
            for statement in self._statements(role):
                for action, kind in SENDING.items():
                    if any(fnmatchcase(action.lower(), each.lower()) for each in _listed(statement["Action"])):
                        for resource in _listed(statement["Resource"]):
                            yield from ((function, target) for target in self._targets(resource, kind))

    def delivered(self) -> Iterator[tuple[str, str]]:
        """From queues, topics and buckets to what gets their messages and notifications."""
        for _, mapping in self.of_kind("AWS::Lambda::EventSourceMapping"):
            yield from self._pairs(mapping["EventSourceArn"], mapping["FunctionName"])
        for _, subscription in self.of_kind("AWS::SNS::Subscription"):
            yield from self._pairs(subscription["TopicArn"], subscription["Endpoint"])
        for topic, properties in self.of_kind(TOPIC):
            for subscription in properties.get("Subscription", ()):
                yield from ((topic, end) for end in self._named(subscription["Endpoint"]))
        for bucket, properties in self.of_kind(BUCKET):
            yield from ((bucket, end) for end in self._named(properties.get("NotificationConfiguration", {})))
        for queue, properties in self.of_kind(QUEUE):
            yield from ((queue, end) for end in self._named(properties.get("RedrivePolicy", {})))

    def _statements(self, role: str) -> Iterator[Mapping[str, Any]]:
        properties = self.resources[role]["Properties"]
        assert "ManagedPolicyArns" not in properties, "what such a policy allows is not in the template"
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
        for _, policy in self.of_kind("AWS::IAM::Policy"):
            if role in self._named(policy["Roles"]):
                documents.append(policy["PolicyDocument"])
        for document in documents:
            yield from (statement for statement in document["Statement"] if statement["Effect"] == "Allow")

    def _targets(self, resource: Any, kind: str) -> set[str]:
        """What a statement's resource may be, of one kind: all there are where it names none of ours."""
        named = self._named(resource)
        return {name for name, _ in self.of_kind(kind) if name in named or not named}

    def _pairs(self, start: Any, end: Any) -> Iterator[tuple[str, str]]:
        yield from ((one, other) for one in self._named(start) for other in self._named(end))

    def _named(self, value: Any) -> set[str]:
        """The resources that a value refers to, also through another stack's export."""
        if isinstance(value, list):
            return {name for part in value for name in self._named(part)}
        if not isinstance(value, dict):
            return set()
        if "Ref" in value:
            return {value["Ref"]} & self.resources.keys()
        if "Fn::GetAtt" in value:
            return {value["Fn::GetAtt"][0]}
        if "Fn::ImportValue" in value:
            return self._named(self.exports[value["Fn::ImportValue"]])
        return {name for part in value.values() for name in self._named(part)}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
