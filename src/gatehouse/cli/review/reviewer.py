"""The options for who acts and why, and the reason codes of a deployment."""

from typing import Annotated

import typer

from gatehouse.cli.aws.caller import Caller
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation
from gatehouse.moderation.decision import MAX_NAME, MAX_NOTE, OTHER
from gatehouse.moderation.document import is_text
from gatehouse.moderation.person import Person


def _checked(value: str | None) -> str | None:
    """Text that the table can store. A shell may pass bytes that are not valid text."""
    if value is not None and not is_text(value):
        raise typer.BadParameter("it is not UTF-8; write it in UTF-8")
    return value


ReasonCode = Annotated[
    str | None,
    typer.Option(
        "--reason",
        metavar="CODE",
        help="Required: why, one of the deployment's codes (decision_reasons in gatehouse.yaml). `other` needs "
        "--note. `illegal`: the law may require more than a decision, such as a report to an authority, or that "
        "the object is kept; this does neither.",
        show_default=False,
    ),
]
Note = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        callback=_checked,
        help=f"Why, in your words; at most {MAX_NOTE} characters.",
        show_default=False,
    ),
]
DisplayName = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        callback=_checked,
        envvar="GATEHOUSE_REVIEWER_NAME",
        help=f"A name to show beside your identity; it is not verified. At most {MAX_NAME} characters.",
        show_default=False,
    ),
]


def reviewer(invocation: Invocation, name: str | None) -> Person:
    """The person at the keyboard.

    Raises:
        CommandError: AWS returned no identity.
    """
    return Caller(invocation.connection.client("sts")).person(name or None)


def reason_code(deployment: Deployment, code: str | None) -> str:
    """The chosen reason code.

    Raises:
        CommandError: none was chosen, or it is not one of the deployment's.
    """
    codes = ", ".join(deployment.decision_reasons)
    if code is None:
        raise CommandError(f"Say why with --reason: {codes} ({OTHER} with --note).")
    if code not in deployment.decision_reasons:
        raise CommandError(f"{code!r} is not a reason of {deployment.name}. Use one of these: {codes}.")
    return code
