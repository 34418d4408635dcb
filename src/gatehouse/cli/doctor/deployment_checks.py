"""Whether anybody hears of what a deployment finds: subscribers and alarms. Reads only."""

import json
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from gatehouse.cli.aws.flag_topic import Subscriber, Subscriptions
from gatehouse.cli.aws.monitoring import Alarm, Monitoring
from gatehouse.cli.doctor.finding import Finding, Health

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment
    from gatehouse.cli.paste import Paste

#: Whoever reads these finds what is flagged in the table, too; a program that misses a flag does not know.
_READ_BY_PEOPLE: Final = frozenset({"email", "email-json", "sms"})
#: Subscriptions that are asked for their dead-letter queues, with a call each.
_ASKED: Final = 20
_TWO_WEEKS: Final = "1209600"
_LISTENERS: Final = "alarm-listeners"


def subscribers(connection: "Connection", deployment: "Deployment", paste: "Paste") -> Iterator[Finding]:
    """Whether somebody listens to the flag topic, and what could not be delivered is kept."""
    topic = Subscriptions(connection.client("sns"), deployment.flag_topic_arn)
    found = topic.first()
    confirmed = [each for each in found if each.is_confirmed]
    if not confirmed:
        waiting = f" {len(found)} have not confirmed yet." if found else ""
        yield Finding(
            "subscribers",
            Health.WARNING,
            f"Nobody listens to the flag topic: what is flagged is in the table only.{waiting}",
            (
                paste.aws(
                    f"sns subscribe --topic-arn {deployment.flag_topic_arn} --protocol email "
                    "--notification-endpoint you@example.com"
                ),
            ),
        )
        return
    yield Finding("subscribers", Health.OK, f"{len(confirmed)} listen to the flag topic.")


def subscriber_queues(connection: "Connection", deployment: "Deployment", paste: "Paste") -> Iterator[Finding]:
    """Whether what SNS could not deliver to a program is kept."""
    topic = Subscriptions(connection.client("sns"), deployment.flag_topic_arn)
    programs = [each for each in topic.first() if each.is_confirmed and each.protocol not in _READ_BY_PEOPLE]
    without = [each for each in programs[:_ASKED] if not topic.has_dead_letter_queue(each)]
    if programs and not without:
        yield Finding("subscriber-queues", Health.OK, "What subscribers do not take is kept in dead-letter queues.")
    for subscriber in without:
        yield Finding(
            "subscriber-queues",
            Health.WARNING,
            f"The subscriber {subscriber.endpoint} ({subscriber.protocol}) has no dead-letter queue: flags that SNS "
            "can't deliver to it are lost, and stay in the table only.",
            _keep(subscriber, deployment, paste),
        )


def _keep(subscriber: Subscriber, deployment: "Deployment", paste: "Paste") -> tuple[str, ...]:
    """Commands that make one queue for all subscribers, if it is not there, and have SNS use it for this one."""
    partition, region, account = _place(deployment)
    name = f"{deployment.name}-flags-undelivered"
    queue = f"arn:{partition}:sqs:{region}:{account}:{name}"
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": deployment.flag_topic_arn}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    attributes = json.dumps({"MessageRetentionPeriod": _TWO_WEEKS, "Policy": policy})
    redrive = json.dumps({"deadLetterTargetArn": queue})
    return (
        paste.aws(f"sqs create-queue --queue-name {name} --attributes {shlex.quote(attributes)}"),
        paste.aws(
            f"sns set-subscription-attributes --subscription-arn {subscriber.arn} --attribute-name RedrivePolicy "
            f"--attribute-value {shlex.quote(redrive)}"
        ),
    )


def _place(deployment: "Deployment") -> tuple[str, str, str]:
    """Partition, Region and account of the deployment, as the ARN of its topic has them."""
    _, partition, _, region, account, _ = deployment.flag_topic_arn.split(":", 5)
    return partition, region, account


def alarms(connection: "Connection", deployment: "Deployment", paste: "Paste") -> Iterator[Finding]:
    """Whether alarms exist, tell somebody, and are quiet."""
    found = Monitoring(connection.client("cloudwatch")).alarms(deployment.name)
    if not found:
        yield Finding(
            "alarms",
            Health.BROKEN,
            f"There is no alarm that this version knows: the stack {deployment.name}-monitoring is missing or older.",
            (paste.make("deploy"),),
        )
        return
    ringing = [alarm for alarm in found if alarm.is_ringing]
    if not ringing:
        yield Finding("alarms", Health.OK, "No alarm rings.")
    for alarm in ringing:
        yield Finding("alarms", Health.WARNING, f"{alarm.name} rings. {alarm.text}", _first(alarm, paste))


def alarm_listeners(connection: "Connection", deployment: "Deployment", paste: "Paste") -> Iterator[Finding]:
    """Whether somebody listens to the topics that alarms are sent to."""
    found = Monitoring(connection.client("cloudwatch")).alarms(deployment.name)
    silent = [alarm for alarm in found if not alarm.topics]
    if silent:
        yield Finding(
            _LISTENERS,
            Health.WARNING,
            f"{len(silent)} of {len(found)} alarms tell nobody when they ring: their actions were removed. A deploy of "
            "an unchanged template does not put them back; one that changes alarm_topic_arn does.",
            (paste.setting("alarm_topic_arn: the ARN of a topic"), paste.make("deploy")),
        )
    for topic_arn in sorted({topic for alarm in found for topic in alarm.topics}):
        count = sum(topic_arn in alarm.topics for alarm in found)
        subscribers = Subscriptions(connection.client("sns"), topic_arn).first()
        is_ours = topic_arn.rpartition(":")[2].startswith(f"{deployment.name}-monitoring-")
        yield _listened_to(topic_arn, count, subscribers, paste, is_ours=is_ours)


def _listened_to(
    topic_arn: str, alarms: int, subscribers: Sequence[Subscriber], paste: "Paste", *, is_ours: bool
) -> Finding:
    """What is to be said of a topic that so many alarms are sent to."""
    confirmed = [each for each in subscribers if each.is_confirmed]
    pending = [each for each in subscribers if not each.is_confirmed]
    if pending:
        names = ", ".join(each.endpoint for each in pending)
        others = f"{len(confirmed)} others listen" if confirmed else "nobody else listens"
        return Finding(
            _LISTENERS,
            Health.WARNING,
            f"{names} has not confirmed to be told of {alarms} alarms, and {others}: follow the link in the e-mail "
            '"AWS Notification - Subscription Confirmation". After two days it is void; this sends another one.',
            tuple(
                paste.aws(
                    f"sns subscribe --topic-arn {topic_arn} --protocol {each.protocol} "
                    f"--notification-endpoint {shlex.quote(each.endpoint)}"
                )
                for each in pending
            ),
        )
    if not confirmed:
        return Finding(
            _LISTENERS,
            Health.WARNING,
            f"Nobody listens when {alarms} alarms ring: the topic {topic_arn} has no subscriber.",
            (paste.setting("alarm_email: you@example.com"), paste.make("deploy"))
            if is_ours
            else (
                paste.aws(
                    f"sns subscribe --topic-arn {topic_arn} --protocol email --notification-endpoint you@example.com"
                ),
            ),
        )
    return Finding(_LISTENERS, Health.OK, f"{len(confirmed)} listen to {topic_arn}, which {alarms} alarms are sent to.")


def _first(alarm: Alarm, paste: "Paste") -> tuple[str, ...]:
    """The first command of its section; none where that is the one that runs."""
    command = alarm.first_command
    return (paste.gatehouse(command),) if command and command != "doctor" else ()
