"""The AWS identity of the person who runs the command."""

from typing import Any

from gatehouse.cli.errors import CommandError
from gatehouse.moderation.person import Person


class Caller:
    """The identity behind a command's credentials.

    Args:
        client: an STS client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def person(self, name: str | None) -> Person:
        """The person; makes one call, which needs no permission (API reference, GetCallerIdentity).

        Args:
            name: a display name, or None.

        Raises:
            CommandError: AWS returned no identity.
            ClientError: AWS does not accept the credentials.
        """
        arn: str = self._client.get_caller_identity()["Arn"]
        try:
            return Person.of_arn(arn, name)
        except ValueError as error:
            raise CommandError(f"{error}; choose other credentials with --profile.") from error
