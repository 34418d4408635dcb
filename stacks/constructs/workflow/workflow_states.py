"""What the states of the analysis workflow have in common: conditions, retries, and how an error is remembered."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_stepfunctions as sfn

#: An error's name and cause. Not every error has a cause. A name of Step Functions' own loses its `States.`, with which
#: no Fail state's may begin (Amazon States Language, "Errors").
ERROR_CODE = "$substring($replace($substringAfter($states.errorOutput.Error, 'States.'), /[^ -~]/, '?'), 0, 64)"
_CAUSE = "($states.errorOutput.Cause ? $states.errorOutput.Cause : $states.errorOutput.Error)"
#: A cause has up to 32,768 characters (Step Functions API reference, SendTaskFailure), of which some take six bytes
#: each in JSON; several together would be more than an execution carries. Printable ASCII takes two at most.
ERROR_MESSAGE = f"$substring($replace({_CAUSE}, /[^ -~]/, '?'), 0, 1000)"

NULL = "{% null %}"

#: Variables of a media analysis job, where there is none.
NO_JOB = {"waited": 0, "jobId": NULL, "results": NULL, "summary": NULL, "failure": NULL}


def condition(expression: str) -> sfn.Condition:
    """A condition in JSONata."""
    return sfn.Condition.jsonata(f"{{% {expression} %}}")


def give_up(task: sfn.TaskStateBase, errors: Sequence[str]) -> None:
    """Do not try again after these."""
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
    """Try again at random within a time that grows from `interval` to `longest` seconds, so that batches spread out."""
    task.add_retry(
        errors=list(errors),
        interval=cdk.Duration.seconds(interval),
        backoff_rate=growth,
        max_delay=cdk.Duration.seconds(longest),
        max_attempts=attempts,
        jitter_strategy=sfn.JitterType.FULL,
    )
