"""Invokes Outcomes with records that Lambda gave up."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class OutcomesFunction:
    """The deployed function.

    Args:
        client: a Lambda client.
        name: of the function.
    """

    def __init__(self, client: "LambdaClient", name: str) -> None:
        self._client = client
        self._name = name

    def announce(self, records: Sequence[dict[str, Any]]) -> bool:
        """Announce the changes in records, as if they came from the stream. Returns whether all were announced.

        Raises:
            ClientError: the invocation was refused.
        """
        answer = self._client.invoke(FunctionName=self._name, Payload=json.dumps({"Records": records}).encode())
        if "FunctionError" in answer:
            return False
        return not json.loads(answer["Payload"].read())["batchItemFailures"]
