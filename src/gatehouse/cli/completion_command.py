"""`completion`: prints the shell's completion script for commands, options and their values."""

from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final

import typer
from typer.completion import get_completion_inspect_parameters

#: The variable by which a script asks the command.
COMPLETE_VARIABLE: Final = "_GATEHOUSE_COMPLETE"


class Shell(StrEnum):
    """The supported shells."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


#: As Typer's, but for one thing: each asks the command that is being typed, which in a checkout is not on the PATH.
#: Shells look a path's completion up by its last part.
_SCRIPTS: Final = MappingProxyType(
    {
        Shell.BASH: """\
_gatehouse_completion() {
    local IFS=$'\\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" \\
                   COMP_CWORD=$COMP_CWORD \\
                   _GATEHOUSE_COMPLETE=complete_bash "${1/#\\~\\//$HOME/}" ) )
    return 0
}

complete -o default -F _gatehouse_completion gatehouse""",
        Shell.ZSH: """\
#compdef gatehouse

_gatehouse_completion() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _GATEHOUSE_COMPLETE=complete_zsh ${~words[1]})
}

compdef _gatehouse_completion gatehouse""",
        Shell.FISH: """\
function __gatehouse_ask
    set -l typed (commandline -opc)[1]
    env _GATEHOUSE_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=$argv[1] \\
        _TYPER_COMPLETE_ARGS=(commandline -cp) (string replace -r '^~/' "$HOME/" -- $typed)
end
complete --command gatehouse --no-files --arguments '(__gatehouse_ask get-args)' \\
    --condition '__gatehouse_ask is-args'""",
    }
)


def completion(shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="Your shell.")]) -> None:
    """Print the script that completes commands and options. Changes no file.

    In a checkout, write the path of its `gatehouse` for the word here; the script completes either.

    \b
    In ~/.bashrc:                 eval "$(gatehouse completion bash)"
    In ~/.zshrc, after compinit:  eval "$(gatehouse completion zsh)"
    Once, for fish:
      gatehouse completion fish > ~/.config/fish/completions/gatehouse.fish
    """
    print(_SCRIPTS[shell])


def answer_shells() -> None:
    """Make the command answer the scripts' requests. Typer does this by itself only with its own two options."""
    get_completion_inspect_parameters()
