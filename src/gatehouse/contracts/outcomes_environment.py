"""Outcomes' environment variables, as the template writes them and the function reads them."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatehouse.contracts.events_environment import EventsEnvironment
from gatehouse.contracts.texts import is_on, on_off_text


@dataclass(frozen=True, slots=True)
class OutcomesEnvironment:
    """What the template tells Outcomes; the topic's ARN and the queue's URL may be tokens.

    Attributes:
        failure_queue_url: of the queue for changes that could not be announced.
        verdict_table: whose items say which versions are approved; None without a gate.
        mark_blocked: see `Gate`.
        events: None if no events are sent.
    """

    flag_topic_arn: str
    failure_queue_url: str
    verdict_table: str | None = None
    mark_blocked: bool = False
    events: EventsEnvironment | None = None

    def to_variables(self) -> dict[str, str]:
        """The variables that `read` reads; tokens stay as they are."""
        own = {"FLAG_TOPIC_ARN": self.flag_topic_arn, "FAILURE_QUEUE_URL": self.failure_queue_url}
        if self.verdict_table is not None:
            own |= {"VERDICT_TABLE": self.verdict_table, "MARK_BLOCKED": on_off_text(self.mark_blocked)}
        return own | (self.events.to_variables() if self.events else {})

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "OutcomesEnvironment":
        """Read the function's variables.

        Raises:
            KeyError, ValueError: one is missing or malformed; the template and the code were not deployed together.
        """
        return cls(
            flag_topic_arn=variables["FLAG_TOPIC_ARN"],
            failure_queue_url=variables["FAILURE_QUEUE_URL"],
            verdict_table=variables.get("VERDICT_TABLE"),
            mark_blocked=is_on(variables.get("MARK_BLOCKED", on_off_text(value=False))),
            events=EventsEnvironment.read(variables),
        )
