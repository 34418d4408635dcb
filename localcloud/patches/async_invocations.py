"""Asynchronous invocations are retried, and events that fail permanently are kept.

AWS: EventBridge, S3, SNS and `InvocationType: Event` invoke a function asynchronously. An event whose invocation
fails is retried twice (`MaximumRetryAttempts`), after one minute and then two, while it is younger than
`MaximumEventAgeInSeconds`; a throttled one is retried for that long, 1 s to 5 minutes apart. Then it goes to the
function's on-failure destination, or unchanged to its dead-letter queue with the attributes RequestID, ErrorCode and
ErrorMessage, if the function's role can send there; otherwise it is lost (Lambda Developer Guide,
invocation-async-error-handling.html, invocation-async-retain-records.html).
ministack 1.5.33: EventBridge invokes once and ignores a failure. Elsewhere, the pauses are 1 s and 2 s, a throttled
event uses up its attempts, the dead-letter queue gets a destination's record instead of the event, and the role's
permissions are not checked.

Replaces `lambda_svc.invoke_async_with_retry` and `eventbridge._dispatch_to_lambda`. The pauses are in the local cloud's
time. Whether a rule may invoke its function is checked in `event_delivery`.
"""

import contextvars
import json
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from ministack.services import eventbridge, lambda_svc, sqs

from localcloud.patches import authorization, clock
from localcloud.patches.seam import Seam, check

_MODULE = "ministack.services.lambda_svc"
SEAMS = (
    *authorization.SEAMS,
    Seam("ministack.services.eventbridge", "_dispatch_to_lambda", ("arn", "payload")),
    Seam(_MODULE, "invoke_async_with_retry", ("func", "event")),
    Seam(_MODULE, "_execute_function_with_config_scope", ("func", "event")),
    Seam(_MODULE, "_route_async_failure", ("target_arn", "func_name", "event", "result")),
    Seam(_MODULE, "_get_func_record_for_ref", ("function_ref",)),
    Seam(_MODULE, "_execution_record_for_config", ("func", "config")),
    Seam("ministack.services.sqs", "_queue_url", ("name",)),
    Seam("ministack.services.sqs", "_act_send_message", ("data", "qurl")),
)

_RETRIES = 2
_RETRY_PAUSES = (60.0, 120.0)
_LONGEST_THROTTLE_PAUSE = 300.0
_LONGEST_AGE = 21_600.0  # seconds, six hours
_LONGEST_MESSAGE = 1024
_ACTIONS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}


def install() -> None:
    """Invoke asynchronously as Lambda does."""
    check(SEAMS)
    lambda_svc.invoke_async_with_retry = _invoke_later
    eventbridge._dispatch_to_lambda = _deliver


def _deliver(arn: str, payload: str) -> None:
    """Invoke a rule's function with an event."""
    function, configuration, _ = lambda_svc._get_func_record_for_ref(arn)
    if function and configuration:
        record = lambda_svc._execution_record_for_config(function, configuration)
        lambda_svc.invoke_async_with_retry(record, json.loads(payload))


def _invoke_later(func: dict[str, Any], event: Any) -> None:
    """Invoke a function in a new thread, and retry if it fails."""
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_invoke, func, event), daemon=True, name="gatehouse-async").start()


def _invoke(function: dict[str, Any], event: Any) -> None:
    options = function.get("event_invoke_config") or (function.get("event_invoke_configs") or {}).get("$LATEST") or {}
    most_retries = options.get("MaximumRetryAttempts")
    retries_left = _RETRIES if most_retries is None else int(most_retries)
    age, longest_age = 0.0, float(options.get("MaximumEventAgeInSeconds") or _LONGEST_AGE)
    failures = throttles = 0
    while True:
        result = lambda_svc._execute_function_with_config_scope(function, event)
        if result.get("throttle"):
            pause = min(2.0**throttles, _LONGEST_THROTTLE_PAUSE)
            throttles += 1
        elif not result.get("error"):
            return
        elif failures == retries_left:
            break
        else:
            pause = _RETRY_PAUSES[min(failures, len(_RETRY_PAUSES) - 1)]
            failures += 1
        age += pause
        if age > longest_age:
            break
        time.sleep(clock.scaled(pause))
    _keep(function.get("config") or function, options, event, result)


def _keep(configuration: Mapping[str, Any], options: Mapping[str, Any], event: Any, result: dict[str, Any]) -> None:
    """Send an event that failed permanently to the function's destination, if its role can send there."""
    destination = ((options.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    dead_letters = (configuration.get("DeadLetterConfig") or {}).get("TargetArn")
    for target in (destination, dead_letters):
        if not target:
            continue
        action = _ACTIONS.get(target.split(":")[2])
        if not action or authorization.denial(authorization.role_access_key(configuration["Role"]), action, target):
            continue
        if target == destination or action != "sqs:SendMessage":
            lambda_svc._route_async_failure(target, configuration["FunctionName"], event, result)
        else:
            _send_to_dead_letters(target, event, result)


def _send_to_dead_letters(queue_arn: str, event: Any, result: Mapping[str, Any]) -> None:
    body = result.get("body")
    message = str(body.get("errorMessage", "")) if isinstance(body, dict) else str(body)
    attributes = {
        "RequestID": ("String", str(uuid.uuid4())),
        "ErrorCode": ("Number", "429" if result.get("throttle") else "200"),
        "ErrorMessage": ("String", message[:_LONGEST_MESSAGE] or "Unhandled"),
    }
    url = sqs._queue_url(queue_arn.rsplit(":", 1)[-1])
    sqs._act_send_message(
        {
            "QueueUrl": url,
            "MessageBody": json.dumps(event),
            "MessageAttributes": {
                name: {"DataType": kind, "StringValue": value} for name, (kind, value) in attributes.items()
            },
        },
        url,
    )
