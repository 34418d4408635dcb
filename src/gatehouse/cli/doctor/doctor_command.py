"""`doctor`: what would keep a deployment from working, and how to mend it."""

from collections.abc import Iterator
from typing import Annotated

import typer

from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.connection import Connection
from gatehouse.cli.doctor.checkup import Checkup
from gatehouse.cli.doctor.finding import Health
from gatehouse.cli.doctor.finding_report import show_finding
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.paste import Paste
from gatehouse.cli.progress import progress

CLOCK = Clock()

#: Seconds after which somebody at a terminal sees what it is at.
_PATIENCE = 2.0


@about_deployment
def doctor(
    invocation: Invocation,
    before_deploy: Annotated[
        bool, typer.Option("--before-deploy", help="Look only at what a deploy needs; `make deploy` does so first.")
    ] = False,
) -> None:
    """Check what a deployment needs, before and after deploying: each finding comes with the commands that mend it.

    Looks at credentials and Region, Rekognition, quotas and adapters against ./gatehouse.yaml, the uploads bucket's
    Region, notifications, versioning, policy and key, the stacks, readers of queues, rules, subscribers, limits that
    are near, and alarms. Reads only, and costs nothing. Exits with 1 if something is broken.
    """
    out, connection = invocation.out, invocation.connection
    paste = Paste(connection, invocation.deployment_name)
    checkup = Checkup(connection, paste, CLOCK, None if before_deploy else lambda: invocation.deployment)
    with progress(out.progress, after=_PATIENCE) as say:
        findings = list(checkup.findings(say))
    out.document([finding.to_document() for finding in findings])
    for finding in findings:
        show_finding(out, finding)
    is_broken = any(finding.health is Health.BROKEN for finding in findings)
    for line in _closing(checkup, connection, is_broken=is_broken, before_deploy=before_deploy):
        out.tell(line)
    if is_broken:
        raise typer.Exit(1)


def _closing(checkup: Checkup, connection: Connection, *, is_broken: bool, before_deploy: bool) -> Iterator[str]:
    """What was not looked at, and what comes next."""
    if not checkup.has_settings:
        yield (
            "There is no ./gatehouse.yaml here; run this in the checkout you deploy from to have quotas and adapters "
            "compared."
        )
    if before_deploy:
        return
    if checkup.is_deployed is False:
        yield (
            f"Nothing is deployed under the name {checkup.name} in {connection.region_name}. Next: `make deploy` in a "
            "checkout."
        )
    elif checkup.deployment is None:
        yield "The deployment could not be looked up, so its machinery, subscribers and alarms were not looked at."
    elif not is_broken:
        yield f"Next: `{COMMAND} upload FILE` uploads a picture and waits for its verdict."
