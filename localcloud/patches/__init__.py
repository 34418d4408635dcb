"""Our changes to ministack, one module per change, in the order of installation.

A patch lists the places that it depends on (`SEAMS`) and checks them before it replaces anything, so an unknown version
of ministack is refused instead of half patched. Every patch has a contract test in `tests/localcloud`.
"""

from collections.abc import Sequence
from typing import Protocol

from localcloud.patches import (
    alarm_metrics,
    async_invocations,
    batch_actions,
    event_delivery,
    event_entries,
    execution_branches,
    execution_loop,
    execution_redrive,
    execution_start,
    function_code,
    function_environment,
    global_tables,
    item_attributes,
    lambda_errors,
    lambda_workers,
    object_tag_conditions,
    parameter_names,
    parameter_reads,
    permission_log,
    policy_wildcards,
    queue_batching,
    recursive_loops,
    rekognition_service,
    rendered_plants,
    s3_events,
    s3_managed_keys,
    s3_missing_keys,
    s3_version_listing,
    s3_version_tags,
    s3_versions,
    secure_transport,
    state_assign,
    stream_batching,
    stream_mappings,
    stream_permissions,
    stream_records,
    task_calls,
    task_errors,
    task_get_object,
    task_identity,
    task_padding,
    task_put_object,
    task_results,
    task_retries,
    task_tokens,
    template_conditions,
    topic_subscriptions,
)
from localcloud.patches.seam import Seam


class Patch(Protocol):
    """A module that changes one thing in ministack."""

    @property
    def SEAMS(self) -> tuple[Seam, ...]:  # noqa: N802 - a constant of the module
        """The places in ministack that it depends on."""
        ...

    def install(self) -> None:
        """Install the patch.

        Raises:
            SeamMovedError: this is not the version of ministack that the patch was written for.
        """
        ...


PATCHES: Sequence[Patch] = (
    permission_log,
    secure_transport,
    template_conditions,
    state_assign,
    policy_wildcards,
    object_tag_conditions,
    batch_actions,
    s3_missing_keys,
    s3_versions,
    s3_version_listing,
    s3_version_tags,
    s3_managed_keys,
    s3_events,
    topic_subscriptions,
    event_delivery,
    event_entries,
    async_invocations,
    global_tables,
    item_attributes,
    alarm_metrics,
    parameter_names,
    parameter_reads,
    lambda_workers,
    function_code,
    lambda_errors,
    rendered_plants,
    function_environment,
    queue_batching,
    stream_records,
    stream_permissions,
    stream_mappings,
    stream_batching,
    recursive_loops,
    rekognition_service,
    execution_loop,
    execution_start,
    execution_redrive,
    execution_branches,
    task_retries,
    task_tokens,
    task_calls,
    task_errors,
    task_get_object,
    task_put_object,
    task_padding,
    task_results,
    task_identity,
)


def install() -> None:
    """Install every patch. The process environment must already be the local cloud's own."""
    for patch in PATCHES:
        patch.install()
