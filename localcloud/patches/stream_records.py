"""Items that expire leave a record in their table's stream.

AWS: an item deleted by time to live makes a REMOVE whose `userIdentity` has the type `Service` and the principal
`dynamodb.amazonaws.com` (DynamoDB API Reference, API_streams_Record.html).
ministack 1.5.33: such an item disappears without a record. (Other writes leave records in their order, and a write that
changes nothing leaves none.)

Wraps `dynamodb._remove_item`, which `dynamodb._ttl_reaper` calls on its own thread, and
`dynamodb._build_change_record`.
"""

import threading
from collections.abc import Mapping
from typing import Any

from ministack.services import dynamodb

from localcloud.patches.seam import Seam, check

_MODULE = "ministack.services.dynamodb"
SEAMS = (
    Seam(_MODULE, "_ttl_reaper", ()),
    Seam(_MODULE, "_remove_item", ("table", "pk_val", "sk_val")),
    Seam(_MODULE, "_build_change_record", ("table", "event_name", "old_item", "new_item", "view_type")),
    Seam(_MODULE, "_emit_stream_event", ("table_name", "event_name", "old_item", "new_item", "replicate")),
)

_REAPER = "dynamodb-ttl-reaper"
_IDENTITY = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def install() -> None:
    """Record expired items."""
    check(SEAMS)
    remove, build = dynamodb._remove_item, dynamodb._build_change_record

    def remove_item(table: Mapping[str, Any], pk_val: Any, sk_val: Any) -> None:
        expired = table["items"].get(pk_val, {}).get(sk_val) if _is_reaper() else None
        remove(table, pk_val, sk_val)
        if expired:
            dynamodb._emit_stream_event(table["TableName"], "REMOVE", expired, None)

    def build_change_record(
        table: Mapping[str, Any], event_name: str, old_item: Any, new_item: Any, view_type: str
    ) -> dict[str, Any]:
        record: dict[str, Any] = build(table, event_name, old_item, new_item, view_type)
        return {**record, "userIdentity": _IDENTITY} if _is_reaper() else record

    dynamodb._remove_item = remove_item
    dynamodb._build_change_record = build_change_record


def _is_reaper() -> bool:
    return threading.current_thread().name == _REAPER
