"""Invokes Outcomes: with records that Lambda gave up, and with versions that must not have the gate's tag."""

import json
from collections.abc import Mapping, Sequence
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

    def close(self, versions: Sequence[Mapping[str, str | None]]) -> int | None:
        """Have the gate's tag removed from versions without a verdict. Returns how many had it; None if it failed.

        Args:
            versions: each with `bucket`, `key` and `version_id`.

        Raises:
            ClientError: the invocation was refused.
        """
        answer = self._client.invoke(FunctionName=self._name, Payload=json.dumps({"close": versions}).encode())
        if "FunctionError" in answer:
            return None
        return int(json.loads(answer["Payload"].read())["closed"])
