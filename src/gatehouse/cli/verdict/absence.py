"""Why an object has no verdict: the likely reasons, in the order in which they are ruled out."""

import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from gatehouse.cli.ago import duration_words, seconds_since
from gatehouse.cli.aws.upload_bucket import OperatorsUploadBucket, StoredSize
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.cli.errors import is_denied, user_message
from gatehouse.cli.queue.message_queue import MessageQueue, QueueCounts, counted
from gatehouse.moderation.lane import Lane

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment, LaneQueues

_Read = TypeVar("_Read")

#: A lane gathers uploads for five minutes at most (`max_wait`), and an event takes moments; after twice that, whatever
#: was going to come has come.
_ON_ITS_WAY_SECONDS = 600

_DAY_SECONDS = 86_400
#: EventBridge tries to deliver an event for a day (S3 User Guide, EventBridge.html), and a backlog takes hours. What
#: was stored earlier is not likely to come by itself.
_LIKELY_SECONDS = _DAY_SECONDS
#: The longest that SQS keeps a message, in a queue and its dead-letter queue together (SQS Developer Guide, quotas).
_KEPT_SECONDS = 14 * _DAY_SECONDS


class Why(StrEnum):
    """What may have kept an object from getting a verdict."""

    OTHER_BUCKET = "other-bucket"
    NOT_UPLOADED = "not-uploaded"
    NO_LANE = "no-lane"
    IN_A_QUEUE = "in-a-queue"
    DEAD_LETTER = "dead-letter"
    EXPIRED = "expired"
    NO_EVENT = "no-event"
    NOT_THIS_VERSION = "not-this-version"
    #: You may not look.
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class Reason:
    """One of them, with what to do about it."""

    why: Why
    text: str

    def to_document(self) -> dict[str, str]:
        """The reason for scripts."""
        return {"why": self.why.value, "text": self.text}


@dataclass(frozen=True, slots=True)
class Absence:
    """That an object has no verdict, and why that may be: the likeliest reason first."""

    reasons: tuple[Reason, ...]

    @property
    def may_end(self) -> bool:
        """Whether a verdict may come by itself."""
        return self.reasons[0].why is Why.IN_A_QUEUE

    def to_document(self) -> list[dict[str, str]]:
        """The reasons for scripts."""
        return [reason.to_document() for reason in self.reasons]


@dataclass(frozen=True, slots=True)
class AbsenceSearch:
    """Finds out: where the object is, which lane takes it, and what waits in the lane's queues."""

    connection: "Connection"
    deployment: "Deployment"

    def of(self, uri: str, now: datetime) -> Absence:
        """Why there is no verdict of this object. Some ten calls at most.

        What may not be read is named, and the rest is said all the same.

        Raises:
            CommandError: the lanes can't be read.
            ClientError: a call failed.
        """
        bucket, _ = bucket_and_key(uri)
        deployment = self.deployment
        if bucket != deployment.upload_bucket:
            return _only(Why.OTHER_BUCKET, f"{deployment.name} watches the bucket {deployment.upload_bucket}.")
        stored, unread = self.stored(uri)
        if unread:
            return Absence((unread,))
        if stored is None:
            return _only(
                Why.NOT_UPLOADED,
                f"The bucket {bucket} has no such object: it was uploaded elsewhere, under another key, or deleted. "
                f"`{COMMAND} upload FILE` uploads one and waits for its verdict.",
            )
        return self.of_stored(uri, stored, now)

    def stored(self, uri: str) -> tuple[StoredSize | None, Reason | None]:
        """The object as it is now, None if there is none; or that you may not look. One HeadObject."""
        uploads = OperatorsUploadBucket(self.connection.client("s3"), finds_animations=self.deployment.animation_check)
        return _if_allowed("whether the bucket has the object", lambda: uploads.size(*bucket_and_key(uri)))

    def of_stored(self, uri: str, stored: StoredSize, now: datetime) -> Absence:
        """Why there is no verdict of these bytes, which the bucket has now.

        Raises:
            CommandError, ClientError: see `of`.
        """
        _, key = bucket_and_key(uri)
        deployment = self.deployment
        lanes, unread = _if_allowed("which lane takes it", lambda: DeployedLanes.find(self.connection, deployment))
        if lanes is None:
            return _ranked(self._by_age(key, stored, now, is_counted=False), unread)
        owner = lanes.owner(key, stored.size)
        if owner is None:
            return _only(Why.NO_LANE, f"No lane takes it. {' '.join(refusals(lanes.lanes, key, stored.size))}")
        counts, unread = _if_allowed("what its lane's queues hold", lambda: self._counts(deployment.queues[owner]))
        waiting = () if counts is None else self._in_queues(owner, counts, stored, now)
        found = [*waiting, *self._by_age(key, stored, now, is_counted=counts is not None)]
        if seconds_since(stored.modified_at, now) >= _LIKELY_SECONDS:
            found.sort(key=lambda reason: reason.why is Why.IN_A_QUEUE)
        return _ranked(found, unread)

    def _in_queues(self, lane: str, counts: list[QueueCounts], stored: StoredSize, now: datetime) -> Iterator[Reason]:
        age = seconds_since(stored.modified_at, now)
        ingest, dead, undelivered = counts
        if age >= _KEPT_SECONDS:
            return
        if ingest.total or age < _ON_ITS_WAY_SECONDS:
            yield Reason(
                Why.IN_A_QUEUE,
                f"It may still be in the queue of lane {lane}: {ingest.waiting:,} messages wait there, and "
                f"{ingest.in_flight:,} are being read. It was stored {duration_words(age)} ago.",
            )
        if given_up := dead.total + undelivered.total:
            yield Reason(
                Why.DEAD_LETTER,
                f"The dead-letter queues of lane {lane} hold {given_up:,} messages; `{COMMAND} queue show --lane "
                f"{lane}` says whose, and why.",
            )

    def _by_age(self, key: str, stored: StoredSize, now: datetime, *, is_counted: bool) -> Iterator[Reason]:
        age = seconds_since(stored.modified_at, now)
        if age < _ON_ITS_WAY_SECONDS and not is_counted:
            yield Reason(Why.IN_A_QUEUE, f"It was stored {duration_words(age)} ago, and may be on its way.")
        retention = self.deployment.verdict_retention
        if retention is not None and age >= retention.total_seconds():
            yield Reason(
                Why.EXPIRED,
                f"Its verdict may have expired: verdicts are kept for {retention.days} days, and it was stored "
                f"{duration_words(age)} ago.",
            )
        if age >= _ON_ITS_WAY_SECONDS:
            yield Reason(
                Why.NO_EVENT,
                f"Its event never came: it was stored {duration_words(age)} ago, perhaps before Gatehouse watched the "
                f"bucket (`{COMMAND} doctor` looks at the notifications). `{COMMAND} upload-again {shlex.quote(key)}` "
                "has it moderated.",
            )

    def _counts(self, queues: "LaneQueues") -> list[QueueCounts]:
        client: Any = self.connection.client("sqs")
        return counted(MessageQueue(client, url) for url in (queues.ingest, queues.dead_letter, queues.undelivered))


def refusals(lanes: tuple[Lane, ...], key: str, size: int) -> list[str]:
    """What each lane takes that an upload is not, in sentences."""
    return [f"Lane {lane.name} {_refusal(lane, key, size)}." for lane in lanes]


def _refusal(lane: Lane, key: str, size: int) -> str:
    if not key.startswith(lane.prefixes):
        return f"takes keys under {' '.join(lane.prefixes)}"
    if key.startswith(lane.exclude_prefixes):
        return f"leaves out keys under {' '.join(lane.exclude_prefixes)}"
    if key.startswith(lane.other_lanes_prefixes):
        return f"leaves keys under {' '.join(lane.other_lanes_prefixes)} to other lanes"
    if lane.suffixes and not key.lower().endswith(tuple(suffix.lower() for suffix in lane.suffixes)):
        return f"takes keys that end with {' '.join(lane.suffixes)}"
    most = "" if lane.max_size is None else f" to {lane.max_size:,}"
    return f"takes objects of {lane.min_size:,}{most} bytes, and this one has {size:,}"


def _if_allowed(what: str, read: Callable[[], _Read]) -> tuple[_Read | None, Reason | None]:
    """What is read; if that is not allowed, that it could not be."""
    try:
        return read(), None
    except ClientError as error:
        if not is_denied(error):
            raise
        return None, Reason(Why.UNREAD, f"It is not known {what}: {user_message(error)}")


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The two parts of `s3://bucket/key`."""
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    return bucket, key


def _ranked(found: Iterable[Reason], unread: Reason | None) -> Absence:
    """What was found, and behind it what may not be read."""
    return Absence((*found, *filter(None, (unread,))))


def _only(why: Why, text: str) -> Absence:
    return Absence((Reason(why, text),))
