"""Helpers for the workflow's states: conditions, retries, and error variables."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_stepfunctions as sfn

#: An error's name and cause; some errors have no cause. The prefix `States.` is removed, because a Fail state's error
#: must not begin with it (Amazon States Language, "Errors").
ERROR_CODE = "$substring($replace($substringAfter($states.errorOutput.Error, 'States.'), /[^ -~]/, '?'), 0, 64)"
_CAUSE = "($states.errorOutput.Cause ? $states.errorOutput.Cause : $states.errorOutput.Error)"
#: A cause has up to 32,768 characters (Step Functions API reference, SendTaskFailure), some of which take six bytes in
#: JSON; several causes could exceed an execution's payload limit. Printable ASCII takes two bytes at most.
ERROR_MESSAGE = f"$substring($replace({_CAUSE}, /[^ -~]/, '?'), 0, 1000)"

NULL = "{% null %}"

#: Values of a media analysis job's variables if there is no job.
NO_JOB = {"waited": 0, "jobId": NULL, "results": NULL, "summary": NULL, "failure": NULL}


def condition(expression: str) -> sfn.Condition:
    """A condition in JSONata."""
    return sfn.Condition.jsonata(f"{{% {expression} %}}")


def give_up(task: sfn.TaskStateBase, errors: Sequence[str]) -> None:
    """Do not retry these errors."""
    task.add_retry(errors=list(errors), max_attempts=0)


def retry(
    task: sfn.TaskStateBase | sfn.CustomState,
    errors: Sequence[str],
    *,
    interval: int,
    longest: int,
    attempts: int,
    growth: float = 2,
) -> None:
    """Retry after a random time, up to a limit that grows from `interval` to `longest` seconds (full jitter)."""
    task.add_retry(
        errors=list(errors),
        interval=cdk.Duration.seconds(interval),
        backoff_rate=growth,
        max_delay=cdk.Duration.seconds(longest),
        max_attempts=attempts,
        jitter_strategy=sfn.JitterType.FULL,
    )
