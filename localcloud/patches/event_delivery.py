"""EventBridge delivers to a queue or a function only if its policy allows it, and keeps events that it can't deliver.

AWS: a rule's SQS target needs a queue policy that allows `events.amazonaws.com` to send, and a Lambda target needs a
resource policy that allows it to invoke. Without the policy or the target, there is no retry: the event goes to the
target's dead-letter queue, with the attributes RULE_ARN, TARGET_ARN, ERROR_CODE and ERROR_MESSAGE, or is lost
(EventBridge User Guide, "Using dead-letter queues").
ministack 1.5.33: delivers without checking the policy, and does not support targets' dead-letter queues.

Wraps `eventbridge._invoke_target`. Targets other than queues and functions are not changed.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge, lambda_svc, sqs

from localcloud.patches import permission_log
from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.services.eventbridge", "_invoke_target", ("target", "event", "rule", "view")),
    Seam("ministack.services.eventbridge", "_pattern_event_view", ("event",)),
    Seam("ministack.services.sqs", "_queue_by_arn", ("arn",)),
    Seam("ministack.services.sqs", "_queue_url", ("name",)),
    Seam("ministack.services.sqs", "_act_send_message", ("data", "qurl")),
    Seam("ministack.services.sqs", "queue_policy_allows", ("queue_arn", "service", "source_arn", "source_account")),
    Seam("ministack.services.lambda_svc", "function_policy_for_arn", ("resource_arn",)),
    Seam("ministack.core.iam_evaluator", "EvalContext"),
    Seam(
        "ministack.core.iam_evaluator",
        "evaluate_resource_policy",
        ("doc", "ctx", "service", "named_only", "direct_only"),
    ),
)

_SERVICE = "events.amazonaws.com"


def install() -> None:
    """Check the targets' policies when EventBridge delivers, and use the target's dead-letter queue."""
    check(SEAMS)
    invoke = eventbridge._invoke_target

    def invoke_target(target: Mapping[str, Any], event: Mapping[str, Any], rule: Mapping[str, Any], view: Any) -> None:
        view = view or eventbridge._pattern_event_view(event)
        error = _error(target["Arn"], rule["Arn"])
        if error is None:
            invoke(target, event, rule, view)
        else:
            _keep(json.dumps(view.event_with_detail()), target, rule["Arn"], *error)

    eventbridge._invoke_target = invoke_target


def _error(target_arn: str, rule_arn: str) -> tuple[str, str] | None:
    """Why a queue or function can't receive the rule's events: code and message; None if it can."""
    service = target_arn.split(":")[2]
    if service == "sqs":
        return _queue_error(target_arn, rule_arn)
    if service == "lambda":
        return _function_error(target_arn, rule_arn)
    return None


def _function_error(function_arn: str, rule_arn: str) -> tuple[str, str] | None:
    found = lambda_svc.function_policy_for_arn(function_arn)
    if found is None:
        return "NO_RESOURCE", "The specified function does not exist."
    account = get_account_id()
    caller = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="lambda:InvokeFunction",
        resource_arn=function_arn,
        region=get_region(),
        service_context={"aws:sourcearn": rule_arn, "aws:sourceaccount": account},
    )
    policy, _ = found
    allowed = iam_evaluator.evaluate_resource_policy(policy, caller, service=_SERVICE).decision == "Allow"
    if not _may(caller.action, function_arn, allowed):
        return "NO_PERMISSIONS", "The function's policy does not let events.amazonaws.com invoke it."
    return None


def _queue_error(queue_arn: str, rule_arn: str) -> tuple[str, str] | None:
    queue = sqs._queue_by_arn(queue_arn)
    if queue is None:
        return "NO_RESOURCE", "The specified queue does not exist."
    allowed = _policy_allows(queue["attributes"].get("Policy") or "", queue_arn, rule_arn, get_account_id())
    if not _may("sqs:SendMessage", queue_arn, allowed):
        return "NO_PERMISSIONS", "The queue's policy does not let events.amazonaws.com send messages."
    return None


@lru_cache(maxsize=1024)
def _policy_allows(policy: str, queue_arn: str, rule_arn: str, account: str) -> bool:
    """Whether a queue's policy allows a rule to send. `policy` is a parameter so that the cache notices a change."""
    del policy
    return bool(sqs.queue_policy_allows(queue_arn, _SERVICE, rule_arn, account))


def _may(action: str, resource: str, allowed: bool) -> bool:
    """Whether EventBridge is allowed an action; records the decision. Without IAM, everything is allowed."""
    if not app.AUTH:
        return True
    permission_log.record(_SERVICE, action, resource, allowed=allowed)
    return allowed


def _keep(payload: str, target: Mapping[str, Any], rule_arn: str, code: str, message: str) -> None:
    """Put an event that can't be delivered into the target's dead-letter queue, if there is one that accepts it."""
    queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue_arn or _queue_error(queue_arn, rule_arn):
        return
    attributes = {"RULE_ARN": rule_arn, "TARGET_ARN": target["Arn"], "ERROR_CODE": code, "ERROR_MESSAGE": message}
    url = sqs._queue_url(queue_arn.rsplit(":", 1)[-1])
    sqs._act_send_message(
        {
            "QueueUrl": url,
            "MessageBody": payload,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        },
        url,
    )
