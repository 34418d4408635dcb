"""What Lambda tells a function about its invocation, as far as the handlers and Powertools read it."""

from typing import cast

from aws_lambda_powertools.utilities.typing import LambdaContext


class _Context:
    function_name = "function"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:function"
    aws_request_id = "request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 120_000


def a_context() -> LambdaContext:
    """A context with two minutes left."""
    return cast(LambdaContext, _Context())
