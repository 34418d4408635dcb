"""Which records of the verdict table's stream Outcomes gets: the changes that are to be announced, and no others.

The template filters by it, so that nothing is paid for the rest; `queue redrive` filters what it reads from the stream
itself.
"""

from collections.abc import Mapping
from typing import Any, Final

from gatehouse.moderation.verdict_item import CHANGE

#: A pattern of Lambda's event filtering, which compares DynamoDB's typed form (Lambda Developer Guide,
#: with-ddb-filtering.html).
ANNOUNCED: Final = {"dynamodb": {"NewImage": {CHANGE: {"M": {"announce": {"BOOL": [True]}}}}}}


def is_announced(record: Mapping[str, Any]) -> bool:
    """Whether the pattern matches a record."""
    image = record["dynamodb"].get("NewImage", {})
    return image.get(CHANGE, {}).get("M", {}).get("announce", {}).get("BOOL") is True
