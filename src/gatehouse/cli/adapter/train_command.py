"""`adapter train`: has Rekognition train an adapter."""

import re
from collections.abc import Callable
from typing import Annotated

import typer

from gatehouse.cli.adapter.list_command import settings_line
from gatehouse.cli.aws.adapters import IN_TRAINING, Adapter, Adapters
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, Yes, about_deployment
from gatehouse.cli.progress import progress

CLOCK = Clock()

_MANIFEST = re.compile(r"s3://([a-z0-9.-]{3,63})/(.+)", re.DOTALL)

#: Seconds between two looks; botocore's own waiter takes 120.
_PAUSE = 60.0


@about_deployment
def train(
    invocation: Invocation,
    manifest: Annotated[str, typer.Option(metavar="S3URI", help="The manifest, as `adapter export` printed it.")],
    project: Annotated[str, typer.Option(metavar="NAME", help="The project; it is created if there is none.")],
    version: Annotated[str, typer.Option(metavar="NAME", help="The adapter's name, new in its project.")],
    threshold: Annotated[
        float, typer.Option(min=0, max=100, metavar="N", help="Confidence at which Rekognition's F1 score is taken.")
    ] = 50.0,
    auto_update: Annotated[
        bool,
        typer.Option(help="Of a new project: let AWS train its adapters again for a new base model, as best it can."),
    ] = True,
    wait: Annotated[bool, typer.Option(help="Wait for the end of the training.")] = True,
    yes: Yes = False,
) -> None:
    """Train a Custom Moderation adapter. Rekognition sets a part of the images aside to test it with.

    AWS bills the time of a training that succeeds. You need s3:GetObject on manifest and images, and s3:PutObject
    beside the manifest, where the evaluation files go. Exits with 1 if the training fails.
    """
    out = invocation.out
    out.ensure_answerable(yes=yes)
    place = _MANIFEST.fullmatch(manifest)
    if place is None:
        raise CommandError(f"--manifest {manifest} is not s3://bucket/key.")
    bucket, key = place[1], place[2]
    if not yes:
        out.tell(f"Adapter {version} of project {project} will be trained with {manifest}, and AWS bills the time.")
        out.confirm()
    adapters = Adapters.of(invocation.connection)
    folder = key.rpartition("/")[0]
    output = (bucket, f"{folder}/output" if folder else "output")
    project_arn = adapters.project_arn(project, auto_update=auto_update)
    arn = adapters.train(project_arn, version, (bucket, key), output, threshold)
    out.tell(f"{arn} is being trained. `{COMMAND} adapter list` shows how it is.")
    adapter = adapters.find(arn)
    if wait:
        with progress(out.progress) as tell:
            adapter = _ended(adapters, adapter, tell)
    out.document(adapter.to_document())
    if adapter.status == IN_TRAINING:
        return
    if not adapter.is_usable:
        out.say(f"{adapter.status}: {adapter.message}", style="red")
        raise typer.Exit(1)
    f1 = "unknown" if adapter.f1 is None else f"{adapter.f1:.3f}"
    out.say(f"Trained, with an F1 score of {f1} at {threshold:g}.", style="green")
    out.say(
        f"See whether it is better by your policies: `{COMMAND} adapter compare {arn}`. To use it, in gatehouse.yaml:"
    )
    out.say(settings_line(arn))


def _ended(adapters: Adapters, adapter: Adapter, tell: Callable[[str], None]) -> Adapter:
    begun = CLOCK.moment()
    while adapter.status == IN_TRAINING:
        tell(f"training for {CLOCK.seconds_since(begun) / 60:.0f} minutes")
        CLOCK.pause(_PAUSE)
        adapter = adapters.find(adapter.arn)
    return adapter
