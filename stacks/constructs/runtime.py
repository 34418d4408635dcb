"""Settings that all functions and workflows share."""

from dataclasses import dataclass

from aws_cdk import aws_lambda as lambda_

from stacks.constructs.encryption_key import EncryptionKey


@dataclass(frozen=True, slots=True)
class Runtime:
    """Settings that all functions and workflows are created with.

    Attributes:
        code: the asset that all functions share.
        log_retention_days: one of the numbers that the settings accept.
        key: encrypts logs, queues and jobs; None for each service's own key.
    """

    code: lambda_.Code
    log_retention_days: int
    key: EncryptionKey | None
