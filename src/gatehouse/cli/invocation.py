"""What every command about a deployment has in common: where AWS is, which deployment, and how to print."""

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Annotated, Any

import typer

from gatehouse.cli.command_name import remember_options
from gatehouse.cli.connection import Connection
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.output import Format, Output, OutputFormat

Profile = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="AWS profile; else AWS_PROFILE.", show_default=False)
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region", metavar="REGION", help="AWS Region; else AWS_REGION or the profile's.", show_default=False
    ),
]
EndpointUrl = Annotated[
    str | None,
    typer.Option(
        "--endpoint-url",
        metavar="URL",
        help="Address to call instead of AWS, such as the local cloud's; else AWS_ENDPOINT_URL.",
        show_default=False,
    ),
]
#: Like other tools' variables, it goes before a file in the folder.
DEPLOYMENT_VARIABLE = "GATEHOUSE_DEPLOYMENT"
DeploymentName = Annotated[
    str | None,
    typer.Option(
        "--deployment",
        metavar="NAME",
        envvar=DEPLOYMENT_VARIABLE,
        help="Name of the deployment; else the variable GATEHOUSE_DEPLOYMENT, which goes before any file; else the "
        "`name` in the file that GATEHOUSE_SETTINGS names, or in ./gatehouse.yaml; else gatehouse.",
        show_default=False,
    ),
]

#: Options of commands that change something.
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@dataclass(frozen=True)
class Invocation:
    """One run of a command."""

    connection: Connection
    deployment_name: str | None
    out: Output

    @cached_property
    def deployment(self) -> Deployment:
        """The deployment it is about, looked up when it is first asked for.

        Raises:
            CommandError: see `Deployment.find`.
        """
        return Deployment.find(self.connection, self.deployment_name)


def _invocation(
    profile: Profile = None,
    region: Region = None,
    endpoint_url: EndpointUrl = None,
    deployment: DeploymentName = None,
    output: OutputFormat = Format.TABLE,
) -> Invocation:
    from_shell = os.environ.get(DEPLOYMENT_VARIABLE)
    remember_options(
        deployment=None if deployment == from_shell else deployment,
        region=region,
        profile=profile,
        endpoint_url=endpoint_url,
    )
    return Invocation(Connection(profile, region, endpoint_url), deployment, Output.of(output))


def options_of(make: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command, in place of its first parameter, the options that `make` turns into that parameter's value."""

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command).parameters.values())[1:]
        shared = list(inspect.signature(make).parameters.values())

        @wraps(command)
        def run(*values: Any, **options: Any) -> None:
            made = make(**{parameter.name: options.pop(parameter.name) for parameter in shared})
            command(made, *values, **options)

        # Typer reads both.
        run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *shared)}
        return run

    return decorated


#: A command about a deployment: its first parameter is an `Invocation`.
about_deployment = options_of(_invocation)
