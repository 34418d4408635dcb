"""Asking ministack's IAM whether a principal may do something, for callers that do not come over HTTP."""

import hashlib
from dataclasses import dataclass

from ministack import app
from ministack.core import iam_evaluator
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


@dataclass(frozen=True, slots=True)
class Denial:
    """A refused action, and who was refused."""

    principal_arn: str
    action: str
    resource: str

    @property
    def message(self) -> str:
        """AWS's sentence for it."""
        return f"User: {self.principal_arn} is not authorized to perform: {self.action} on resource: {self.resource}"


def denial(access_key: str, action: str, resource: str) -> Denial | None:
    """Whether the policies of a principal, and of the resource, refuse an action.

    Args:
        access_key: the principal's access key id; a root key may do everything.
        action: an IAM action, `s3:GetObject`.
        resource: the resource's ARN, or `*`.

    Returns:
        None if it is allowed, or if IAM is not enforced.
    """
    if not app.AUTH:
        return None
    service = action.split(":", 1)[0]
    # Services talk to each other over TLS. Outside a request nothing says so, and policies that demand it would deny.
    iam_evaluator._request_origin.set(("127.0.0.1", True))
    refused = iam_evaluator.enforce(access_key, action, service, get_region(), resource_arn=resource)
    if refused is None:
        return None
    return Denial(getattr(refused, "principal_arn", "") or "anonymous", action, resource)


def role_access_key(role_arn: str) -> str:
    """The access key id of a session of a role, for a service that acts as the role."""
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
