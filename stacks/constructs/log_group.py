"""Log groups with a retention period."""

import aws_cdk as cdk
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.constructs.encryption_key import EncryptionKey


def create_log_group(
    scope: Construct, id: str, *, retention_days: int, key: EncryptionKey | None, name: str | None = None
) -> logs.LogGroup:
    """A log group that is deleted with its stack and keeps events for a number of days.

    Args:
        name: None lets CloudFormation choose.
    """
    log_group = logs.LogGroup(
        scope,
        id,
        log_group_name=name,
        removal_policy=cdk.RemovalPolicy.DESTROY,
        encryption_key=key.key if key else None,
    )
    resource = log_group.node.default_child
    assert isinstance(resource, logs.CfnLogGroup)  # noqa: S101 - narrows the type
    resource.retention_in_days = retention_days  # the construct takes the number only as a word
    return log_group
