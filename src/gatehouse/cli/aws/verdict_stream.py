"""The verdict table's stream for operators: reads the records again that Outcomes could not process.

Source: DynamoDB Streams API reference (DescribeStream, GetShardIterator, GetRecords).
"""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from gatehouse.aws.verdict_table import Item
from gatehouse.contracts.outcomes_filter import is_for_outcomes
from gatehouse.moderation.gate import Gate
from gatehouse.moderation.verdict_item import OBJECT, VERSION

#: Error codes if the stream, the shard or the record no longer exists. Records are kept for 24 hours.
_FORGOTTEN = frozenset({"TrimmedDataAccessException", "ResourceNotFoundException", "ExpiredIteratorException"})

#: Limit of consecutive pages without a record. A shard may have some, and an open shard has no end.
_MOST_EMPTY_PAGES = 20


class RecordsForgottenError(LookupError):
    """The stream no longer has the records."""


class VerdictStream:
    """Reads records.

    Args:
        client: a DynamoDB Streams client.
        arn: of the stream.
        gate: the deployment's, which says what Outcomes is for.
    """

    def __init__(self, client: Any, arn: str, gate: Gate) -> None:
        self._client = client
        self._arn = arn
        self._gate = gate

    def records(self, shard_id: str, first: str, last: str) -> Iterator[dict[str, Any]]:
        """The records for Outcomes of a shard between two sequence numbers, both included, as Lambda hands them over.

        Raises:
            RecordsForgottenError: the stream no longer has them.
            ClientError: a call failed.
        """
        try:
            iterator: str | None = self._client.get_shard_iterator(
                StreamArn=self._arn,
                ShardId=shard_id,
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                SequenceNumber=first,
            )["ShardIterator"]
            empty = 0
            while iterator is not None and empty < _MOST_EMPTY_PAGES:
                answer = self._client.get_records(ShardIterator=iterator)
                empty = 0 if answer["Records"] else empty + 1
                for record in answer["Records"]:
                    number = record["dynamodb"]["SequenceNumber"]
                    if int(number) > int(last):
                        raise RecordsForgottenError(f"the shard {shard_id} has no record {last} any more")
                    if is_for_outcomes(record, self._gate):
                        yield _as_handed_over(record["eventName"], number, record["dynamodb"])
                    if number == last:
                        return
                iterator = answer.get("NextShardIterator")
            raise RecordsForgottenError(f"the shard {shard_id} no longer has the record {last}")
        except ClientError as error:
            if error.response["Error"]["Code"] in _FORGOTTEN:
                raise RecordsForgottenError(str(error)) from error
            raise


def record_of(item: Item) -> dict[str, Any]:
    """A record that says that an item, in DynamoDB's typed form, has just become what it is."""
    return _as_handed_over("MODIFY", "0", {"Keys": {name: item[name] for name in (OBJECT, VERSION)}, "NewImage": item})


def _as_handed_over(name: str, number: str, change: Any) -> dict[str, Any]:
    images = {image: change[image] for image in ("Keys", "OldImage", "NewImage") if image in change}
    return {"eventName": name, "eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": number, **images}}
