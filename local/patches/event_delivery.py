"""EventBridge delivers to a queue only if the queue lets it, and keeps what it can't deliver.

AWS: a rule's SQS target needs a queue policy that lets `events.amazonaws.com` send. Without it, and without the
queue, there is no retry: the event goes to the target's dead-letter queue, with the attributes RULE_ARN, TARGET_ARN,
ERROR_CODE and ERROR_MESSAGE, or is lost (EventBridge User Guide, "Using dead-letter queues").
ministack 1.5.33: delivers without looking at the policy, and knows no dead-letter queues of targets.

Wraps `eventbridge._invoke_target`. Other targets than queues are left as they are.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from ministack import app
from ministack.core.responses import get_account_id
from ministack.services import eventbridge, sqs

from local.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.services.eventbridge", "_invoke_target", ("target", "event", "rule", "view")),
    Seam("ministack.services.eventbridge", "_pattern_event_view", ("event",)),
    Seam("ministack.services.sqs", "_queue_by_arn", ("arn",)),
    Seam("ministack.services.sqs", "_queue_url", ("name",)),
    Seam("ministack.services.sqs", "_act_send_message", ("data", "qurl")),
    Seam("ministack.services.sqs", "queue_policy_allows", ("queue_arn", "service", "source_arn", "source_account")),
)


def install() -> None:
    """Check queue policies when EventBridge delivers, and use the target's dead-letter queue."""
    check(SEAMS)
    invoke = eventbridge._invoke_target

    def invoke_target(target: Mapping[str, Any], event: Mapping[str, Any], rule: Mapping[str, Any], view: Any) -> None:
        view = view or eventbridge._pattern_event_view(event)
        error = _error(target["Arn"], rule["Arn"]) if ":sqs:" in target["Arn"] else None
        if error is None:
            invoke(target, event, rule, view)
        else:
            _keep(json.dumps(view.event_with_detail()), target, rule["Arn"], *error)

    eventbridge._invoke_target = invoke_target


def _error(queue_arn: str, rule_arn: str) -> tuple[str, str] | None:
    """Why the queue can't take the rule's events: code and message; None if it can."""
    queue = sqs._queue_by_arn(queue_arn)
    if queue is None:
        return "NO_RESOURCE", "The specified queue does not exist."
    if app.AUTH and not _policy_allows(queue["attributes"].get("Policy") or "", queue_arn, rule_arn, get_account_id()):
        return "NO_PERMISSIONS", "The queue's policy does not let events.amazonaws.com send messages."
    return None


@lru_cache(maxsize=1024)
def _policy_allows(policy: str, queue_arn: str, rule_arn: str, account: str) -> bool:
    """Whether a queue's policy lets a rule send. `policy` is there for the cache to notice a change."""
    del policy
    return bool(sqs.queue_policy_allows(queue_arn, "events.amazonaws.com", rule_arn, account))


def _keep(payload: str, target: Mapping[str, Any], rule_arn: str, code: str, message: str) -> None:
    """Put an event that can't be delivered into the target's dead-letter queue, if it has one that takes it."""
    queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue_arn or _error(queue_arn, rule_arn):
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
