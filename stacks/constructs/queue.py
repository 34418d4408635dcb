"""Queues with the settings that all of ours share."""

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.accepted_findings import accept_finding
from stacks.constructs.encryption_key import EncryptionKey


def create_queue(
    scope: Construct,
    id: str,
    *,
    key: EncryptionKey | None,
    retention_period: cdk.Duration,
    visibility_timeout: cdk.Duration | None = None,
    removal_policy: cdk.RemovalPolicy | None = None,
    dead_letter_queue: sqs.DeadLetterQueue | None = None,
) -> sqs.Queue:
    """An encrypted queue that requires TLS.

    Args:
        key: what it is encrypted with, or None for SQS's own key.
    """
    queue = sqs.Queue(
        scope,
        id,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=retention_period,
        removal_policy=removal_policy,
        visibility_timeout=visibility_timeout,
        dead_letter_queue=dead_letter_queue,
    )
    if key is None:
        accept_finding(queue, "CKV_AWS_27", "SQS encrypts it with a key of its own; encryption_key sets another.")
        return queue
    resource = queue.node.default_child
    assert isinstance(resource, sqs.CfnQueue)  # noqa: S101 - narrows the type
    # With the key as an argument, the library would omit the rule's ARN from EventBridge's policy statement.
    resource.sqs_managed_sse_enabled = None
    resource.kms_master_key_id = key.arn
    return queue
