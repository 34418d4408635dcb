"""`doctor`: what would keep a deployment from working, and how to mend it."""

from typing import Annotated

import typer

from gatehouse.cli.clock import Clock
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.doctor.checkup import Checkup, settings_here
from gatehouse.cli.doctor.finding import Finding, Health
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.output import Output

CLOCK = Clock()

_MARKS = {
    Health.OK: ("ok", "green"),
    Health.WARNING: ("look", "yellow"),
    Health.BROKEN: ("BROKEN", "red"),
    Health.UNKNOWN: ("?", "yellow"),
}


@about_deployment
def doctor(
    invocation: Invocation,
    before_deploy: Annotated[
        bool, typer.Option("--before-deploy", help="Look only at what a deploy needs; `make deploy` does so first.")
    ] = False,
) -> None:
    """Check what a deployment needs, before and after deploying: each finding comes with the commands that mend it.

    Looks at credentials and Region, Rekognition, quotas and adapters against ./gatehouse.yaml, the uploads bucket's
    Region, notifications, versioning, policy and key, subscribers, the stream of changes, and alarms. Reads only, and
    costs nothing. Exits with 1 if something is broken.
    """
    out = invocation.out
    deployment = None if before_deploy else _deployment(invocation)
    checkup = Checkup(invocation.connection, settings_here(), deployment, CLOCK)
    findings = list(checkup.findings())
    out.document([finding.to_document() for finding in findings])
    for finding in findings:
        _show(out, finding)
    if checkup.settings is None:
        out.tell("There is no ./gatehouse.yaml here, so quotas and adapters were not held against it.")
    if checkup.deployment is None and not before_deploy:
        out.tell("Nothing is deployed yet under this name, so subscribers and alarms were not looked at.")
    if any(finding.health is Health.BROKEN for finding in findings):
        raise typer.Exit(1)


def _deployment(invocation: Invocation) -> Deployment | None:
    """The deployment, if there is one and it can be looked at; what is wrong with credentials is a check's to say."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return invocation.deployment
    except (BotoCoreError, ClientError, CommandError):
        return None


def _show(out: Output, finding: Finding) -> None:
    mark, style = _MARKS[finding.health]
    out.say(f"{mark:>6}  {finding.check}: {finding.text}", style)
    for line in finding.fix:
        out.say(f"          {line}")
