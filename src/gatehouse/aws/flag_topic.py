"""The flag topic."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gatehouse.aws.back_off import pause_seconds
from gatehouse.moderation.flag import Flag

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

_TRIES = 6


class FlagNotPublishedError(RuntimeError):
    """SNS refused flags. Their uploads stay PENDING, so that no final verdict goes unannounced.

    Attributes:
        refused: positions of the flags that were refused; all others of the call are published.
    """

    def __init__(self, message: str, refused: frozenset[int]) -> None:
        super().__init__(message)
        self.refused = refused


class FlagTopic:
    """Publishes flags, ten a call.

    Args:
        client: an SNS client.
        arn: of the topic.
        pause: waits the given number of seconds between tries.
    """

    def __init__(self, client: "SNSClient", arn: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._arn = arn
        self._pause = pause

    def publish(self, flags: Sequence[Flag]) -> None:
        """Publish flags that fit one call (see `flag.in_batches`). PublishBatch answers 200 to partial failures.

        Raises:
            FlagNotPublishedError: some could not be published; the others were.
        """
        left = {str(n): flag for n, flag in enumerate(flags)}
        failures: list[Any] = []
        for attempt in range(_TRIES):
            entries: Any = [_entry(identity, flag) for identity, flag in left.items()]
            failures = self._client.publish_batch(TopicArn=self._arn, PublishBatchRequestEntries=entries).get(
                "Failed", []
            )
            left = {failure["Id"]: left[failure["Id"]] for failure in failures}
            if not left:
                return
            if all(failure.get("SenderFault") for failure in failures):
                break
            self._pause(pause_seconds(attempt, first=0.2))
        codes = ", ".join(sorted({failure.get("Code", "unknown") for failure in failures}))
        raise FlagNotPublishedError(
            f"{len(left)} of {len(flags)} flags were refused: {codes}", frozenset(map(int, left))
        )


def _entry(identity: str, flag: Flag) -> dict[str, Any]:
    attributes = {name: {"DataType": kind, "StringValue": value} for name, (kind, value) in flag.attributes.items()}
    return {"Id": identity, "Message": flag.body, "MessageAttributes": attributes}
