"""`completion`: prints the shell's completion script for commands, options and their values."""

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_inspect_parameters, show_callback


class Shell(StrEnum):
    """The supported shells."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    ctx: typer.Context, shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="Your shell.")]
) -> None:
    """Print the script that completes commands and options. Changes no file.

    \b
    In ~/.bashrc:                 eval "$(gatehouse completion bash)"
    In ~/.zshrc, after compinit:  eval "$(gatehouse completion zsh)"
    Once, for fish:
      gatehouse completion fish > ~/.config/fish/completions/gatehouse.fish
    """
    show_callback(ctx, ctx.command.params[0], shell.value)


def answer_shells() -> None:
    """Make the command answer the scripts' requests. Typer does this by itself only with its own two options."""
    get_completion_inspect_parameters()
