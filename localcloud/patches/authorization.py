"""Checks permissions with ministack's IAM for callers that do not use HTTP."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_region
from ministack.services import sts

from localcloud.patches.seam import Seam

SEAMS = (
    Seam("ministack.app", "AUTH"),
    Seam(
        "ministack.core.iam_evaluator",
        "enforce",
        ("access_key_id", "iam_action", "service", "region", "resource_arn", "service_context"),
    ),
    Seam("ministack.core.iam_evaluator", "_request_origin"),
    Seam("ministack.services.sts", "register_session", ("access_key", "session")),
    Seam("ministack.services.sts", "_sessions"),
)


#: What `authorize_on` depends on.
RESOURCE_SEAM = Seam(
    "ministack.core.iam_actions",
    "extract_resource_arn",
    ("service", "method", "path", "headers", "body", "query_params", "region", "account_id"),
)


def authorize_on(its_service: str, resource: Callable[[Mapping[str, str], bytes, str, str], str | None]) -> None:
    """Authorize calls of a service on another resource than ministack does.

    Args:
        resource: the ARN, from a call's headers and body, the Region and the account; None leaves it to ministack.
    """
    extract = iam_actions.extract_resource_arn

    def extract_resource_arn(
        service: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        query_params: Any,
        region: str,
        account_id: str,
    ) -> str:
        arn = resource(headers, body, region, account_id) if service == its_service else None
        found: str = arn or extract(service, method, path, headers, body, query_params, region, account_id)
        return found

    iam_actions.extract_resource_arn = extract_resource_arn


@dataclass(frozen=True, slots=True)
class Denial:
    """A denied action, and the principal."""

    principal_arn: str
    action: str
    resource: str

    @property
    def message(self) -> str:
        """AWS's message for it."""
        return f"User: {self.principal_arn} is not authorized to perform: {self.action} on resource: {self.resource}"


def denial(access_key: str, action: str, resource: str, context: Mapping[str, Any] | None = None) -> Denial | None:
    """The denial of an action by the policies of a principal or the resource.

    Args:
        access_key: the principal's access key id; a root key is allowed everything.
        action: an IAM action, `s3:GetObject`.
        resource: the resource's ARN, or `*`.
        context: the service's own condition keys.

    Returns:
        None if it is allowed, or if IAM is not enforced.
    """
    if not app.AUTH:
        return None
    service = action.split(":", 1)[0]
    # Services call each other over TLS. Outside a request this is not set, and policies that require it would deny.
    iam_evaluator._request_origin.set(("127.0.0.1", True))
    refused = iam_evaluator.enforce(
        access_key, action, service, get_region(), resource_arn=resource, service_context=dict(context or {})
    )
    if refused is None:
        return None
    return Denial(getattr(refused, "principal_arn", "") or "anonymous", action, resource)


def role_access_key(role_arn: str) -> str:
    """The access key id of a role's session, for a service that acts as the role."""
    digest = hashlib.sha256(f"service session of {role_arn}".encode()).hexdigest()
    access_key = f"ASIA{digest[:16].upper()}"
    if access_key not in sts._sessions:
        account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
        sts.register_session(
            access_key,
            {
                "Arn": f"arn:aws:sts::{account}:assumed-role/{name}/{digest[16:48]}",
                "UserId": f"{name}:{digest[16:48]}",
                "SecretAccessKey": digest,
                "SessionToken": digest,
            },
        )
    return access_key
