"""Creates the sender of verdict events for the functions that need it."""

from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from gatehouse.aws.event_bus import BUS_CALLS, EventBus
from gatehouse.aws.queue_sender import QueueSender
from gatehouse.contracts.events_environment import EventsEnvironment
from gatehouse.moderation.verdict_events import Announcement, VerdictEvents

_NOT_SENT = "the bus did not accept these events, which are kept; docs/operations.md#events-not-sent says what to do"
_MOST_ANSWERS = 20


def event_sender(environment: EventsEnvironment | None, config: Config) -> VerdictEvents | None:
    """A sender to the bus that the settings name; None if they name none.

    Args:
        config: for the calls to the dead-letter queue.
    """
    if environment is None:
        return None
    return VerdictEvents(
        EventBus(boto3.client("events", region_name=environment.region, config=BUS_CALLS), environment.bus),
        QueueSender(boto3.client("sqs", config=config), environment.dead_letter_queue_url),
        frozenset(environment.statuses),
    )


def log_events_kept(logger: Logger, announcement: Announcement, **context: Any) -> None:
    """Log why the bus did not accept events.

    Args:
        context: further fields for the log line.
    """
    answers = sorted(announcement.problems)[:_MOST_ANSWERS]
    logger.warning("events kept", extra={**context, "problem": _NOT_SENT, "answers": answers})
