"""What everything that runs has in common."""

from dataclasses import dataclass

from aws_cdk import aws_lambda as lambda_

from stacks.constructs.encryption_key import EncryptionKey


@dataclass(frozen=True, slots=True)
class Runtime:
    """What functions and workflows are made with, whatever they do.

    Attributes:
        code: the one asset of all functions.
        log_retention_days: one of the numbers that the settings accept.
        key: what logs, queues and jobs are encrypted with, or None for each service's own key.
    """

    code: lambda_.Code
    log_retention_days: int
    key: EncryptionKey | None
