"""`moderate status`, `moderate pause` and `moderate cancel`: from any machine, whether a command runs or not."""

from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.moderate.going_on import files_of
from gatehouse.cli.moderate.moderation import OVER, Moderation, Phase
from gatehouse.cli.moderate.report import show


@about_deployment
def status(invocation: Invocation) -> None:
    """Show the last moderation: what it is about, and how far it is. Changes nothing."""
    out, moderation = invocation.out, files_of(invocation).read()
    out.document(moderation and moderation.to_document())
    if moderation is None:
        out.say("Nothing that was in the bucket before has been moderated.")
    else:
        show(out, moderation)


@about_deployment
def pause(invocation: Invocation) -> None:
    """Stop sending objects. Those that were sent, 20,000 at most, are moderated; `moderate resume` sends the rest."""
    moderation = _changed(invocation, Phase.PAUSED)
    invocation.out.document(moderation.to_document())
    left = moderation.objects - moderation.done
    invocation.out.say(f"Paused, {left:,} objects to go. `{COMMAND} moderate resume` goes on.")


@about_deployment
def cancel(invocation: Invocation) -> None:
    """End the moderation. Objects that were sent, 20,000 at most, are moderated; the others are not."""
    files = files_of(invocation)
    moderation = _changed(invocation, Phase.CANCELED)
    files.drop_parts(moderation)
    invocation.out.document(moderation.to_document())
    invocation.out.say(f"Canceled, {moderation.objects - moderation.done:,} objects left as they were.")


def _changed(invocation: Invocation, phase: Phase) -> Moderation:
    def change(moderation: Moderation) -> None:
        if moderation.phase in OVER:
            raise _none()
        if phase is Phase.PAUSED and moderation.phase is Phase.COUNTED:
            raise CommandError(
                f"It is counted, and nothing was sent: `{COMMAND} moderate resume` sends it, `{COMMAND} moderate "
                "cancel` drops it."
            )
        if phase is Phase.PAUSED and moderation.phase not in (Phase.RUNNING, Phase.PAUSED):
            raise CommandError(f"It is still being counted, and nothing was sent; `{COMMAND} moderate cancel` ends it.")
        moderation.phase, moderation.holder = phase, ""

    moderation = files_of(invocation).change(change)
    if moderation is None:
        raise _none()
    return moderation


def _none() -> CommandError:
    return CommandError(f"No moderation is under way; begin one with `{COMMAND} moderate start`.")
