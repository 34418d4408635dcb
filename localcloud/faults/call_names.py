"""The names that a fault can use for a call of the AWS API. A fault with another name would never strike.

A call has the name of its IAM action. If its request also names the operation, that is allowed too: `sns:PublishBatch`
has the action `sns:Publish`. Requests of REST APIs do not name it, except `s3:HeadObject`.
"""

import difflib
from collections.abc import Mapping
from functools import cache
from urllib.parse import parse_qs

import botocore.session
from ministack.core import iam_actions

from gatehouse.moderation.document import shown
from localcloud.faults.document import FaultError, text

#: IAM's prefix of a service -> botocore's name, if it differs.
_SERVICES = {"states": "stepfunctions"}


def call_name(name: str, value: object) -> None:
    """Check that a call can have this name.

    Raises:
        FaultError: no call has it; the message suggests a similar one.
    """
    text(name, value)
    call = str(value)
    prefix, _, operation = call.partition(":")
    service = _SERVICES.get(prefix, prefix)
    if service not in _session().get_available_services() or prefix in _SERVICES.values():
        raise FaultError(f"{name} must be an IAM action such as s3:PutObject, not {shown(value)}.")
    known = _names(prefix, service)
    if call not in known.values():
        close = difflib.get_close_matches(call, sorted(set(known.values())))
        meant = known.get(operation) or " or ".join(close) or "another one"
        raise FaultError(f"{name}: no call is named {shown(value)}; did you mean {meant}?")


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


@cache
def _names(prefix: str, service: str) -> Mapping[str, str]:
    """Operation -> the name that `injection` gives a request for it."""
    model = _session().get_service_model(service)
    if not model.protocol.startswith("rest"):
        return {operation: f"{prefix}:{operation}" for operation in model.operation_names}
    found = {}
    for operation in model.operation_names:
        described = model.operation_model(operation)
        http = described.http
        path, _, query = http["requestUri"].partition("?")
        members = described.input_shape.members if described.input_shape else {}
        if prefix == "s3" and "{Bucket}" not in path and "Bucket" in members:
            path = f"/{{Bucket}}{path}"  # botocore takes it out of its model as it sends a first request
        parameters = parse_qs(query, keep_blank_values=True)
        for kind, also in (("", {}), (" of a version", {"versionId": ["x"]})):
            action = iam_actions.extract_iam_action(prefix, http["method"], path, {}, b"", parameters | also)
            if action:
                found[operation + kind] = action
    if prefix == "s3":
        found["HeadObject"] = "s3:HeadObject"
    return found
