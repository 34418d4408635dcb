"""What Lambda tells a function about its invocation, as far as the handlers and Powertools read it."""

from typing import cast

from aws_lambda_powertools.utilities.typing import LambdaContext


class _Context:
    function_name = "function"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:function"
    aws_request_id = "request-1"

    def __init__(self, seconds_left: float) -> None:
        self._seconds_left = seconds_left

    def get_remaining_time_in_millis(self) -> int:
        return int(1000 * self._seconds_left)


def a_context(seconds_left: float = 120) -> LambdaContext:
    """The context of an invocation that Lambda will end after this time."""
    return cast(LambdaContext, _Context(seconds_left))
