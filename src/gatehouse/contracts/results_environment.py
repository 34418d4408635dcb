"""Results' environment variables, as the template writes them and the function reads them."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatehouse.contracts.events_environment import EventsEnvironment
from gatehouse.contracts.texts import is_on, on_off_text, read_statuses, statuses_text
from gatehouse.moderation.status import Status


@dataclass(frozen=True, slots=True)
class ResultsEnvironment:
    """Results' configuration. The names of the table, the bucket and the topic may be tokens.

    Attributes:
        notify: the final statuses that are published.
        retention_days: how long a final verdict is kept, or None forever.
        model_version: of Rekognition's moderation model that the policies were written for.
        animation_check: whether an approval requires that an image has no frames that were not analyzed.
        events: None if no events are sent.
    """

    verdict_table: str
    work_bucket: str
    flag_topic_arn: str
    notify: tuple[Status, ...]
    retention_days: int | None
    model_version: str
    animation_check: bool
    events: EventsEnvironment | None = None

    def to_variables(self) -> dict[str, str]:
        """The variables that `read` reads; tokens stay as they are."""
        return {
            "VERDICT_TABLE": self.verdict_table,
            "WORK_BUCKET": self.work_bucket,
            "FLAG_TOPIC_ARN": self.flag_topic_arn,
            "NOTIFY": statuses_text(self.notify),
            "MODEL_VERSION": self.model_version,
            "ANIMATION_CHECK": on_off_text(self.animation_check),
            "VERDICT_RETENTION_DAYS": "" if self.retention_days is None else str(self.retention_days),
            **(self.events.to_variables() if self.events else {}),
        }

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "ResultsEnvironment":
        """Read the function's variables.

        Raises:
            KeyError, ValueError: one is missing or malformed; the template and the code were not deployed together.
        """
        retention = variables["VERDICT_RETENTION_DAYS"]
        return cls(
            verdict_table=variables["VERDICT_TABLE"],
            work_bucket=variables["WORK_BUCKET"],
            flag_topic_arn=variables["FLAG_TOPIC_ARN"],
            notify=read_statuses(variables["NOTIFY"]),
            retention_days=int(retention) if retention else None,
            model_version=variables["MODEL_VERSION"],
            animation_check=is_on(variables["ANIMATION_CHECK"]),
            events=EventsEnvironment.read(variables),
        )
