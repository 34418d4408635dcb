"""Global tables in a template get their time to live and deletion protection, and survive an update of the stack.

AWS: `TimeToLiveSpecification` of an `AWS::DynamoDB::GlobalTable` (CDK's TableV2) turns it on; a changed property that
requires no replacement keeps the table and its items. A replica's `DeletionProtectionEnabled` applies to its table.
ministack 1.5.33: ignores the properties, and on any change replaces a table without an explicit `TableName` by a new,
empty one.

Wraps `create` and `update` of the table's entry in `provisioners._RESOURCE_HANDLERS`; calls `dynamodb._update_ttl` and
`dynamodb._update_table`.
"""

from collections.abc import Mapping
from typing import Any

from ministack.services import dynamodb
from ministack.services.cloudformation import provisioners

from localcloud.patches.seam import Seam, check

_PROVISIONERS = "ministack.services.cloudformation.provisioners"
SEAMS = (
    Seam(_PROVISIONERS, "_RESOURCE_HANDLERS"),
    Seam(_PROVISIONERS, "_ddb_global_table_create", ("logical_id", "props", "stack_name")),
    Seam(_PROVISIONERS, "_ddb_global_table_update", ("physical_id", "old_props", "new_props", "stack_name")),
    Seam("ministack.services.dynamodb", "_update_ttl", ("data",)),
    Seam("ministack.services.dynamodb", "_update_table", ("data",)),
)


def install() -> None:
    """Apply `TimeToLiveSpecification` of global tables, and update them in place."""
    check(SEAMS)
    handlers = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::GlobalTable"]
    create, update = handlers["create"], handlers["update"]

    def create_global_table(logical_id: str, props: Mapping[str, Any], stack_name: str) -> Any:
        created = create(logical_id, props, stack_name)
        _set_expiry(created[0], props)
        _protect(created[0], props)
        return created

    def update_global_table(
        physical_id: str, old_props: Mapping[str, Any], new_props: Mapping[str, Any], stack_name: str
    ) -> Any:
        # ministack derives a different name than at the creation, and treats that as a rename.
        named = {"TableName": physical_id}
        updated = update(physical_id, {**named, **old_props}, {**named, **new_props}, stack_name)
        _set_expiry(updated[0], new_props)
        _protect(updated[0], new_props)
        return updated

    handlers["create"], handlers["update"] = create_global_table, update_global_table


def _set_expiry(table: str, properties: Mapping[str, Any]) -> None:
    specification = properties.get("TimeToLiveSpecification")
    if specification:
        enabled = str(specification.get("Enabled")).lower() == "true"
        wanted = {"Enabled": enabled, "AttributeName": specification.get("AttributeName")}
        dynamodb._update_ttl({"TableName": table, "TimeToLiveSpecification": wanted})


def _protect(table: str, properties: Mapping[str, Any]) -> None:
    replicas = properties.get("Replicas") or ()
    wanted = any(str(replica.get("DeletionProtectionEnabled")).lower() == "true" for replica in replicas)
    dynamodb._update_table({"TableName": table, "DeletionProtectionEnabled": wanted})
