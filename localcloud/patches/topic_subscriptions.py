"""A subscription that SNS would refuse is refused.

AWS: the protocols are those of the API reference (Subscribe). A filter policy is a JSON object of at most five keys,
each with a list of values: text, numbers, true, false, null, or an object of one operator; a policy on the message's
body may nest objects (SNS Developer Guide, subscription-filter-policy-constraints.html and string-value-matching.html).
Anything else is `InvalidParameter`.
ministack 1.5.33: accepts any protocol and, when subscribing, any filter policy.

Wraps `_subscribe`, `_set_subscription_attributes`, and `create` and `update` of `AWS::SNS::Subscription`.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ministack.services import sns
from ministack.services.cloudformation import provisioners

from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.services.sns", "_subscribe", ("params",)),
    Seam("ministack.services.sns", "_set_subscription_attributes", ("params",)),
    Seam("ministack.services.sns", "_p"),
    Seam("ministack.services.sns", "_is_or_operator", ("value",)),
    Seam("ministack.services.sns", "_sub_arn_to_topic"),
    Seam("ministack.services.sns", "_find_subscription", ("topic_arn", "sub_arn")),
    Seam("ministack.services.sns", "_error", ("code", "message", "status")),
    Seam("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS"),
)

_PROTOCOLS = ("http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose")
_MOST_KEYS = 5
_OPERATORS = frozenset(
    {"prefix", "suffix", "anything-but", "equals-ignore-case", "numeric", "exists", "cidr", "wildcard"}
)


def install() -> None:
    """Check subscriptions."""
    check(SEAMS)
    subscribe, set_attributes = sns._subscribe, sns._set_subscription_attributes

    def checked_subscribe(params: Mapping[str, Any]) -> Any:
        problem = problem_of(sns._p(params, "Protocol"), dict(_attributes(params)))
        return _refusal(problem) if problem else subscribe(params)

    def checked_attributes(params: Mapping[str, Any]) -> Any:
        change = {sns._p(params, "AttributeName"): sns._p(params, "AttributeValue")}
        problem = problem_of(_PROTOCOLS[0], {**_current_attributes(sns._p(params, "SubscriptionArn")), **change})
        return _refusal(problem) if problem else set_attributes(params)

    sns._subscribe, sns._set_subscription_attributes = checked_subscribe, checked_attributes
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SNS::Subscription"]
    create, update = handlers["create"], handlers["update"]

    def checked_create(logical_id: str, props: Mapping[str, Any], *rest: Any, **more: Any) -> Any:
        _check_resource(props)
        return create(logical_id, props, *rest, **more)

    def checked_update(
        physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], *rest: Any, **more: Any
    ) -> Any:
        _check_resource(new)
        return update(physical_id, old, new, *rest, **more)

    handlers["create"], handlers["update"] = checked_create, checked_update


def problem_of(protocol: str, attributes: Mapping[str, str]) -> str:
    """Why SNS would refuse a subscription; empty if it would not."""
    if protocol not in _PROTOCOLS:
        return f"Amazon SNS does not support this protocol string: {protocol}"
    text = attributes.get("FilterPolicy")
    if not text:
        return ""
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError):
        return "FilterPolicy: failed to parse JSON"
    if not isinstance(policy, dict):
        return "FilterPolicy: Filter policy must be a JSON object"
    is_flat = attributes.get("FilterPolicyScope") != "MessageBody"
    if is_flat and any(isinstance(values, dict) for values in policy.values()):
        return "FilterPolicy: Filter policy scope MessageAttributes does not support nested filter policy"
    keys = list(_keys(policy))
    if len(keys) > _MOST_KEYS:
        return f"FilterPolicy: Filter policy can not have more than {_MOST_KEYS} keys"
    for name, values in keys:
        if not isinstance(values, list) or not values:
            return f"FilterPolicy: {name} must be an array with a value"
        if not all(map(_is_value, values)):
            return f"FilterPolicy: Match value of {name} must be String, number, true, false, null, or an operator"
    return ""


def _keys(policy: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each key with its values, including those of nested objects and of alternatives."""
    for name, values in policy.items():
        if isinstance(values, dict) and values:
            yield from _keys(values)
        elif name == "$or" and sns._is_or_operator(values):
            for alternative in values:
                yield from _keys(alternative)
        else:
            yield name, values


def _is_value(value: object) -> bool:
    if isinstance(value, dict):
        return len(value) == 1 and set(value) <= _OPERATORS
    return value is None or isinstance(value, str | int | float)


def _current_attributes(subscription: str) -> Mapping[str, str]:
    """A subscription's current attributes that the check of a change needs; empty if it does not exist."""
    found = sns._find_subscription(sns._sub_arn_to_topic.get(subscription, ""), subscription)
    attributes: Mapping[str, str] = found["attributes"] if found else {}
    return {name: value for name, value in attributes.items() if name in ("FilterPolicy", "FilterPolicyScope")}


def _attributes(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    number = 1
    while name := sns._p(params, f"Attributes.entry.{number}.key"):
        yield name, sns._p(params, f"Attributes.entry.{number}.value")
        number += 1


def _check_resource(props: Mapping[str, Any]) -> None:
    attributes = {name: props[name] for name in ("FilterPolicy", "FilterPolicyScope") if props.get(name)}
    if "FilterPolicy" in attributes and not isinstance(attributes["FilterPolicy"], str):
        attributes["FilterPolicy"] = json.dumps(attributes["FilterPolicy"])
    if problem := problem_of(props.get("Protocol", ""), attributes):
        raise ValueError(f"Invalid parameter: {problem}")


def _refusal(problem: str) -> Any:
    return sns._error("InvalidParameter", f"Invalid parameter: {problem}", 400)
