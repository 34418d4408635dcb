"""The flag topic."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gatehouse.moderation.flag import Attribute, Flag
from gatehouse.moderation.flag_publisher import Refusal

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

#: PublishBatch: at most 10 messages, and 262,144 bytes for all of them with their attributes (SNS API reference).
MAX_MESSAGES = 10
MAX_BYTES = 262_144


class FlagTopic:
    """A sink that publishes to SNS: a flag's attributes are the message's, and raw delivery to SQS allows ten of them.

    Args:
        client: an SNS client.
        arn: of the topic.
    """

    most_flags = MAX_MESSAGES
    most_bytes = MAX_BYTES

    def __init__(self, client: "SNSClient", arn: str) -> None:
        self._client = client
        self._arn = arn

    def size(self, flag: Flag) -> int:
        """See `message_size`."""
        return message_size(flag)

    def publish(self, flags: Sequence[Flag]) -> Mapping[int, Refusal]:
        """Make one call. PublishBatch answers 200 to partial failures.

        Raises:
            ClientError: the call as a whole was refused.
        """
        entries: Any = [_entry(str(n), flag) for n, flag in enumerate(flags)]
        failures: Any = self._client.publish_batch(TopicArn=self._arn, PublishBatchRequestEntries=entries).get(
            "Failed", []
        )
        return {
            int(failure["Id"]): Refusal(failure.get("Code", "unknown"), bool(failure.get("SenderFault")))
            for failure in failures
        }


def message_size(flag: Flag) -> int:
    """Bytes as SNS counts them: the body and each attribute's name, type and value."""
    attributes = message_attributes(flag)
    return _bytes(flag.body) + sum(_bytes(name) + _bytes(kind) + _bytes(value) for name, kind, value in attributes)


def message_attributes(flag: Flag) -> list[tuple[str, str, str]]:
    """A flag's attributes: name, SNS's data type, value as text."""
    return [(name, *_typed(value)) for name, value in flag.attributes.items()]


def _typed(value: Attribute) -> tuple[str, str]:
    match value:
        case str():
            return "String", value
        case tuple():
            return "String.Array", json.dumps(value)
        case _:
            # All that a filter compares (SNS Developer Guide, subscription-filter-policy-constraints.html).
            return "Number", f"{value:.5f}"


def _bytes(text: str) -> int:
    return len(text.encode())


def _entry(identity: str, flag: Flag) -> dict[str, Any]:
    attributes = {name: {"DataType": kind, "StringValue": value} for name, kind, value in message_attributes(flag)}
    return {"Id": identity, "Message": flag.body, "MessageAttributes": attributes}
