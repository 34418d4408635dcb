"""A queue batch's messages, sorted into uploads of the lane, messages to ignore, and malformed ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gatehouse.moderation.lane import Lane
from gatehouse.moderation.listed_version import ListedVersion
from gatehouse.moderation.upload import UnreadableUploadError, Upload
from gatehouse.moderation.upload_event import MalformedMessageError, parse_event


@dataclass(slots=True)
class Messages:
    """The messages of one invocation.

    Attributes:
        uploads: message id -> upload.
        listed: message id -> object from a listing, which has no place among the uploads of its key yet.
        ignored: number of messages with nothing to moderate: test events, deletes, another lane's uploads.
        malformed: message id -> what is wrong with it.
        resubmitted: identity of an upload -> the batch to take it from.
    """

    uploads: dict[str, Upload] = field(default_factory=dict)
    listed: dict[str, ListedVersion] = field(default_factory=dict)
    ignored: int = 0
    malformed: dict[str, str] = field(default_factory=dict)
    resubmitted: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def read(cls, lane: Lane, records: Iterable[Mapping[str, Any]]) -> "Messages":
        """Read the records of an SQS event (Lambda Developer Guide, with-sqs.html)."""
        messages = cls()
        for record in records:
            identity = record["messageId"]
            try:
                event = parse_event(record["body"])
            except (MalformedMessageError, UnreadableUploadError) as error:
                messages.malformed[identity] = str(error)
                continue
            if isinstance(event, ListedVersion):
                if lane.matches(event.key, event.size):
                    messages.listed[identity] = event
                else:
                    messages.ignored += 1
                continue
            # An upload that we put back is PENDING: if the lane has changed since, no other lane would take it.
            if event is None or not (event.is_readmitted or lane.matches(event.upload.key, event.upload.size)):
                messages.ignored += 1
                continue
            messages.uploads[identity] = event.upload
            if event.resubmit_of:
                messages.resubmitted[event.upload.identity] = event.resubmit_of
        return messages

    def response(self, come_back: set[tuple[str, str]]) -> dict[str, Any]:
        """The partial batch response: these messages are delivered again, all others are deleted.

        Args:
            come_back: identities of uploads whose messages must be delivered again.
        """
        again = [identity for identity, upload in self.uploads.items() if upload.identity in come_back]
        return {"batchItemFailures": [{"itemIdentifier": identity} for identity in (*self.malformed, *again)]}
