"""Results' environment variables, read once and typed."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatehouse.moderation.status import (
    Status,
)

#: The check as the template says it.
ANIMATION_CHECK = {"on": True, "off": False}


@dataclass(frozen=True, slots=True)
class Environment:
    """What the template tells Results.

    Attributes:
        notify: the final statuses that are published.
        retention_days: how long a final verdict is kept, or None for ever.
        model_version: of Rekognition's moderation model that the policies were written for.
        animation_check: whether an approval needs that an image has no frames that nobody looked at.
    """

    verdict_table: str
    work_bucket: str
    flag_topic_arn: str
    notify: frozenset[Status]
    retention_days: int | None
    model_version: str
    animation_check: bool

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "Environment":
        """Read the function's variables.

        Raises:
            KeyError, ValueError: one is missing or malformed; the template and the code were not deployed together.
        """
        retention = variables["VERDICT_RETENTION_DAYS"]
        return cls(
            verdict_table=variables["VERDICT_TABLE"],
            work_bucket=variables["WORK_BUCKET"],
            flag_topic_arn=variables["FLAG_TOPIC_ARN"],
            notify=frozenset(Status(name) for name in variables["NOTIFY"].split(",") if name),
            retention_days=int(retention) if retention else None,
            model_version=variables["MODEL_VERSION"],
            animation_check=ANIMATION_CHECK[variables["ANIMATION_CHECK"]],
        )
