"""Records IAM's decisions: caller, action, resource, and whether it was allowed.

AWS: CloudTrail records calls and denials, and IAM a role's last use of an action. ministack 1.5.33: records nothing.

Wraps `iam_evaluator.enforce`, which is called for HTTP requests and, by our patches, for tasks, event source mappings
and Rekognition's reads and writes. `event_delivery` adds the decisions of resource policies about EventBridge.

`POST /_gatehouse/permissions` starts a new record; `DELETE` stops and deletes it; `GET` returns, in the order of first
occurrence,

    {"is_recording": true, "decisions": [
        {"caller": "BatcherRole", "action": "s3:PutObject", "resource": "arn:...", "allowed": true, "count": 3}]}

The caller is a role's or user's name, `root`, a service (`events.amazonaws.com`), or `unknown` if the credentials are
invalid. An action is counted each time it is authorized: once per item of a transaction, once per batch of messages. If
an S3 object is missing, S3 checks `s3:ListBucket` before it says so.
"""

import json
from collections import Counter
from collections.abc import Mapping
from threading import Lock
from typing import Any, NamedTuple

from ministack.core import iam_evaluator

from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam(
        "ministack.core.iam_evaluator",
        "enforce",
        ("access_key_id", "iam_action", "service", "region", "resource_arn", "service_context"),
    ),
    Seam("ministack.core.iam_evaluator", "resolve_caller_identity", ("access_key_id",)),
)

ADMIN_PATH = "/_gatehouse/permissions"

_JSON = {"Content-Type": "application/json"}


class _Decision(NamedTuple):
    caller: str
    action: str
    resource: str
    allowed: bool


# None while nothing is recorded.
_decisions: Counter[_Decision] | None = None
_lock = Lock()


def install() -> None:
    """Record IAM's decisions on request."""
    check(SEAMS)
    enforce = iam_evaluator.enforce

    def recorded_enforce(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        refused = enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
        if _decisions is not None:
            record(_name(access_key_id), iam_action, resource_arn, allowed=refused is None)
        return refused

    iam_evaluator.enforce = recorded_enforce


def record(caller: str, action: str, resource: str, *, allowed: bool) -> None:
    """Count a decision, if recording is on."""
    with _lock:
        if _decisions is not None:
            _decisions[_Decision(caller, action, resource, allowed)] += 1


def administer(method: str, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
    """Answer a request for `ADMIN_PATH`."""
    del body
    global _decisions
    if method not in ("GET", "POST", "DELETE"):
        return 405, _JSON, json.dumps({"message": "GET, POST or DELETE."}).encode()
    with _lock:
        if method != "GET":
            _decisions = Counter() if method == "POST" else None
        decisions = [{**decision._asdict(), "count": count} for decision, count in (_decisions or Counter()).items()]
        answer = {"is_recording": _decisions is not None, "decisions": decisions}
    return 200, _JSON, json.dumps(answer).encode()


def _name(access_key: str) -> str:
    """A principal's name, from its ARN; for `assumed-role/<role>/<session>`, the role."""
    identity = iam_evaluator.resolve_caller_identity(access_key or "")
    if not identity:
        return "unknown"
    kind, _, name = str(identity["userArn"]).split(":", 5)[5].partition("/")
    return name.split("/")[0] if kind == "assumed-role" else name.rpartition("/")[2] or kind
