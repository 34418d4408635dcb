"""What all commands about the gate need of a deployment that has one."""

from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.errors import CommandError


def with_gate(deployment: Deployment) -> Deployment:
    """The deployment, if its functions set tags.

    Raises:
        CommandError: they do not, or a deploy is in progress.
    """
    if not deployment.at_rest().gate.sets_tags:
        raise CommandError(
            f"{deployment.name} has no gate. Write `gate: {{mode: prepare}}` into gatehouse.yaml, `make deploy`, and "
            f"run `{COMMAND} gate` again; docs/gate.md has the steps."
        )
    return deployment
