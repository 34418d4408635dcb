"""Changes that could not be announced: reads the failure queue's messages, and announces the changes again.

Lambda's message names a stretch of the stream, not what was in it (Lambda Developer Guide,
services-dynamodb-errors.html). The stream has the records for 24 hours. After that the table has, of each upload, what
it was changed to last. Outcomes' own message names an item that it could not read.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from gatehouse.aws.verdict_table import Identity, Item
from gatehouse.cli.aws.outcomes import OutcomesFunction
from gatehouse.cli.aws.verdict_stream import RecordsForgottenError, VerdictStream, record_of
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.contracts.outcomes_filter import is_announced
from gatehouse.contracts.unreadable_change import UnreadableChange
from gatehouse.moderation.document import MISSHAPEN, of_kind, text, whole
from gatehouse.moderation.gate import Gate
from gatehouse.moderation.moment import iso
from gatehouse.moderation.verdict_item import OBJECT, VERSION, verdict_from_item

_deserialize = TypeDeserializer().deserialize

#: Of an invocation, at most: as many records as the function's own mapping sends, and well below the 6 MB that a
#: synchronous invocation carries (Lambda quotas).
_RECORDS_A_CALL = 100
_BYTES_A_CALL = 4 * 1024 * 1024

#: A change says when it was made by the clock of whoever made it.
_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class GivenUpChanges:
    """What one message of Lambda's says.

    Attributes:
        stream: ARN of the stream.
        shard, first, last: the shard, and the sequence numbers of the first and the last record.
        records: the number of records.
        since, until: when the first and the last record were written; ISO 8601, UTC.
        condition: why Lambda gave up.
    """

    stream: str
    shard: str
    first: str
    last: str
    records: int
    since: str
    until: str
    condition: str

    @classmethod
    def parse(cls, body: str) -> "GivenUpChanges":
        """Read a message.

        Raises:
            ValueError, TypeError, KeyError: it is not Lambda's message about a stream.
        """
        message = of_kind(json.loads(body), dict)
        batch = message["DDBStreamBatchInfo"]
        return cls(
            stream=text(batch["streamArn"]),
            shard=text(batch["shardId"]),
            first=text(batch["startSequenceNumber"]),
            last=text(batch["endSequenceNumber"]),
            records=whole(batch["batchSize"]),
            since=iso(datetime.fromisoformat(batch["approximateArrivalOfFirstRecord"])),
            until=iso(datetime.fromisoformat(batch["approximateArrivalOfLastRecord"])),
            condition=text(message["requestContext"]["condition"]),
        )


def explanation(body: str) -> str:
    """What a message of the queue is about, in words.

    Raises:
        ValueError, TypeError, KeyError: it is none that belongs there.
    """
    if unreadable := UnreadableChange.parse(body):
        return f"{unreadable.object} ({unreadable.version}) could not be read: {unreadable.problem}"
    changes = GivenUpChanges.parse(body)
    span = f"from {changes.since} to {changes.until}"
    return f"{changes.records:,} changes written {span} were given up ({changes.condition})"


@dataclass(slots=True)
class ChangeRedrive:
    """Announces changes that were given up.

    Attributes:
        stream: opens the stream with an ARN.
        gate: the deployment's, which has to follow the changes.
    """

    stream: Callable[[str], VerdictStream]
    table: OperatorsVerdictTable
    outcomes: OutcomesFunction
    gate: Gate
    _announced_since: datetime | None = field(default=None, init=False)
    _tried: set[Identity] = field(default_factory=set, init=False)

    def announce(self, bodies: Sequence[str]) -> list[bool]:
        """Announce what messages are about, once more. Returns for each whether all of it is announced.

        Raises:
            ClientError: a call failed.
        """
        done: list[bool | None] = []
        forgotten: list[datetime] = []
        for body in bodies:
            if unreadable := UnreadableChange.parse(body):
                done.append(self._announce_item(unreadable))
                continue
            changes = GivenUpChanges.parse(body)
            try:
                records = list(self.stream(changes.stream).records(changes.shard, changes.first, changes.last))
            except RecordsForgottenError:
                forgotten.append(datetime.fromisoformat(changes.since))
                done.append(None)
            else:
                done.append(self._invoke(records))
        if forgotten:
            is_announced = self.announce_since(min(forgotten) - _CLOCKS_DIFFER)
            done = [is_announced if one is None else one for one in done]
        return [bool(one) for one in done]

    def _announce_item(self, change: UnreadableChange) -> bool:
        """Announce what the table has of an upload now. One that is not mended would only come back to the queue."""
        identity = change.object, change.version
        item = self.table.typed(*identity)
        if item is None:
            return True  # one that has expired is of no interest
        if identity in self._tried or not _is_readable(item):
            return False
        self._tried.add(identity)
        return self._invoke([record_of(item)])

    def announce_since(self, since: datetime) -> bool:
        """Announce what the table has of all changes since then, unless this run has done it. Returns whether it did.

        With a gate, the tags of all that was changed are asked for, also of what is not announced.

        Raises:
            ClientError: a call was refused.
        """
        if self._announced_since is not None and self._announced_since <= since:
            return True
        if not self._invoke(self._to_announce(since)):
            return False
        self._announced_since = since
        return True

    def _to_announce(self, since: datetime) -> Iterator[dict[str, Any]]:
        """The changes since then as records; the gate is asked about each on the way."""
        now = iso(datetime.now(UTC))
        for items in self.table.changed_since(iso(since)):
            for item in items:
                if self.gate.sets_tags:
                    self.table.ask_gate((item[OBJECT]["S"], item[VERSION]["S"]), now)
                record = record_of(item)
                if is_announced(record):
                    yield record

    def _invoke(self, records: Iterable[dict[str, Any]]) -> bool:
        return all(self.outcomes.announce(some) for some in _in_calls(records))


def _is_readable(item: Item) -> bool:
    try:
        verdict_from_item({name: _deserialize(value) for name, value in item.items()})
    except MISSHAPEN:
        return False
    return True


def _in_calls(records: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    some: list[dict[str, Any]] = []
    size = 0
    for record in records:
        more = len(json.dumps(record))
        if some and (len(some) == _RECORDS_A_CALL or size + more > _BYTES_A_CALL):
            yield some
            some, size = [], 0
        some.append(record)
        size += more
    if some:
        yield some
