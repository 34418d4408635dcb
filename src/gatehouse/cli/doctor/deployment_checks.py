"""Whether anybody hears of what a deployment finds: subscribers and alarms. Reads only."""

from typing import TYPE_CHECKING, Any, Final

from gatehouse.cli.aws.flag_topic import Subscriptions
from gatehouse.cli.aws.monitoring import Monitoring
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.doctor.finding import Finding, Health

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment

#: States of a mapping that reads, or soon does (Lambda API reference, GetEventSourceMapping).
_READING: Final = frozenset({"Creating", "Enabling", "Enabled", "Updating"})


def subscribers(connection: "Connection", deployment: "Deployment") -> Finding:
    """Whether somebody listens to the flag topic."""
    found = Subscriptions(connection.client("sns"), deployment.flag_topic_arn).first()
    confirmed = [each for each in found if each.is_confirmed]
    if confirmed:
        return Finding("subscribers", Health.OK, f"{len(confirmed)} listen to the flag topic.")
    waiting = f" {len(found)} have not confirmed yet." if found else ""
    return Finding(
        "subscribers",
        Health.WARNING,
        f"Nobody listens to the flag topic: what is flagged is in the table only.{waiting}",
        (
            (
                f"aws sns subscribe --topic-arn {deployment.flag_topic_arn} --protocol email "
                "--notification-endpoint you@example.com"
            ),
        ),
    )


def announcements(connection: "Connection", deployment: "Deployment") -> Finding:
    """Whether Lambda reads the verdict table's stream: no metric and no alarm shows that it does not."""
    client: Any = connection.client("lambda")
    mappings = client.list_event_source_mappings(FunctionName=deployment.outcomes)["EventSourceMappings"]
    if not mappings:
        return Finding(
            "announcements",
            Health.BROKEN,
            f"Nothing invokes {deployment.outcomes}: decisions, appeals and reports are in the table, and no flag is "
            f"sent. Then `{COMMAND} queue redrive` announces what was missed.",
            ("make deploy",),
        )
    off = [mapping for mapping in mappings if mapping["State"] not in _READING]
    if not off:
        return Finding("announcements", Health.OK, "Decisions, appeals and reports are announced.")
    return Finding(
        "announcements",
        Health.BROKEN,
        f"The stream of the verdict table is not read ({off[0]['State']}): decisions, appeals and reports are in the "
        "table, and no flag is sent. What is older than 24 hours when it is read again is not announced by itself.",
        (f"aws lambda update-event-source-mapping --uuid {off[0]['UUID']} --enabled",),
    )


def alarms(connection: "Connection", deployment: "Deployment") -> list[Finding]:
    """Whether alarms exist, tell somebody, and are quiet."""
    found = Monitoring(connection.client("cloudwatch")).alarms(f"{deployment.name}-monitoring-")
    if not found:
        return [
            Finding(
                "alarms",
                Health.BROKEN,
                f"There is no alarm: the stack {deployment.name}-monitoring is missing.",
                ("make deploy",),
            )
        ]
    silent = [alarm for alarm in found if not alarm.has_actions]
    findings = []
    if silent:
        findings.append(
            Finding(
                "alarm-actions",
                Health.WARNING,
                f"{len(silent)} of {len(found)} alarms tell nobody when they ring.",
                (
                    "aws sns create-topic --name gatehouse-alarms  # then subscribe to it, and in gatehouse.yaml:",
                    "alarm_topic_arn: arn:aws:sns:...",
                    "make deploy",
                ),
            )
        )
    else:
        findings.append(Finding("alarm-actions", Health.OK, f"All {len(found)} alarms tell somebody."))
    ringing = [alarm for alarm in found if alarm.is_ringing]
    if ringing:
        names = "; ".join(f"{alarm.name}: {alarm.text}" for alarm in ringing)
        findings.append(Finding("alarms", Health.WARNING, f"{len(ringing)} alarms ring. {names}"))
    else:
        findings.append(Finding("alarms", Health.OK, "No alarm rings."))
    return findings
