"""The event bus."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from gatehouse.moderation.flag import Flag
from gatehouse.moderation.flag_publisher import Refusal

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE: Final = "gatehouse"
DETAIL_TYPE: Final = "Gatehouse Verdict"

#: PutEvents accepts at most 10 entries (EventBridge API reference). Their total size must be below 1 MB according to
#: the API's model of 2026, but below 256 KB according to the user guide (eb-putevent-size.html). We use the lower one.
MAX_ENTRIES: Final = 10
MAX_BYTES: Final = 256 * 1024 - 1

#: The size that the parameter `Time` counts for (user guide, eb-putevent-size.html).
_TIME_BYTES: Final = 14

#: The error codes of entries that are documented as retryable (API reference, PutEventsResultEntry).
_RETRYABLE: Final = frozenset({"InternalFailure", "InternalException", "ThrottlingException"})

#: The account's own bus, which can't be deleted.
_DEFAULT: Final = "default"
_NO_USE: Final = frozenset({"ResourceNotFoundException", "AccessDeniedException"})

#: Client configuration of the functions. A bus that does not answer delays them only by these few seconds.
BUS_CALLS: Final = Config(
    retries={"mode": "standard", "max_attempts": 3}, connect_timeout=2, read_timeout=5, tcp_keepalive=True
)


class EventBus:
    """A sink that sends to an EventBridge bus: `detail` is the flag's document.

    Args:
        client: an EventBridge client for the bus's Region.
        bus: `default`, the name of a bus of the client's account and Region, or any bus's ARN.
    """

    most_flags = MAX_ENTRIES
    most_bytes = MAX_BYTES

    def __init__(self, client: "EventBridgeClient", bus: str) -> None:
        self._client = client
        self._bus = bus
        self._partition = client.meta.partition

    def is_open(self) -> bool:
        """Whether the bus exists, as far as that can be known.

        PutEvents documents no error for a bus that does not exist, and has been reported to return success while it
        drops the events (aws/aws-sdk#186, aws/aws-cli#9186). So a bus that is given by name is looked up first. A bus
        that is given by ARN may belong to another account, whose policy usually does not allow a lookup.
        """
        if self._bus == _DEFAULT or self._bus.startswith("arn:"):
            return True
        try:
            self._client.describe_event_bus(Name=self._bus)
        except ClientError as error:
            return error.response["Error"]["Code"] not in _NO_USE
        except BotoCoreError:
            return True
        return True

    def size(self, flag: Flag) -> int:
        """The size in bytes, as EventBridge counts it (user guide, eb-putevent-size.html)."""
        texts = (SOURCE, DETAIL_TYPE, flag.body, self._object_arn(json.loads(flag.body)))
        return _TIME_BYTES + sum(len(text.encode()) for text in texts)

    def publish(self, flags: Sequence[Flag]) -> Mapping[int, Refusal]:
        """Make one call. PutEvents returns 200 for partial failures. If the call fails, every flag is refused."""
        entries: Any = [self._entry(flag) for flag in flags]
        try:
            answers = self._client.put_events(Entries=entries)["Entries"]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            return dict.fromkeys(range(len(flags)), Refusal(code, code not in _RETRYABLE))
        except BotoCoreError as error:
            return dict.fromkeys(range(len(flags)), Refusal(type(error).__name__, is_final=True))
        return {
            n: Refusal(answer["ErrorCode"], answer["ErrorCode"] not in _RETRYABLE)
            for n, answer in enumerate(answers)
            if "ErrorCode" in answer
        }

    def _entry(self, flag: Flag) -> dict[str, Any]:
        document = json.loads(flag.body)
        return {
            "EventBusName": self._bus,
            "Source": SOURCE,
            "DetailType": DETAIL_TYPE,
            "Time": datetime.fromisoformat(document["decided_at"]),
            "Resources": [self._object_arn(document)],
            "Detail": flag.body,
        }

    def _object_arn(self, document: Mapping[str, Any]) -> str:
        return f"arn:{self._partition}:s3:::{document['object']['bucket']}/{document['object']['key']}"
