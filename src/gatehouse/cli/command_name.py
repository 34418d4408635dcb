"""The command's name as a user types it, for advice that can be copied."""

import re
import shlex
import sys
from pathlib import Path

#: An installed command is on the PATH; in a checkout it is run from the folder.
COMMAND = "gatehouse" if Path(sys.argv[0]).stem == "gatehouse" else "./gatehouse"

_ADVISED = re.compile(rf"`{re.escape(COMMAND)} ([^`]+)`")
#: They are about no deployment, and do not take its options.
_OFFLINE = ("policy validate", "completion")

#: Options of the running command that say where AWS is and which deployment is meant, each with its value.
_given: dict[str, str] = {}


def remember_options(**options: str | None) -> None:
    """Keep the options that the running command was given, so that what it advises is about the same deployment.

    Args:
        options: by name; None for one that was not given. What a variable says stays in the shell, and is not given.
    """
    _given.clear()
    _given.update({f"--{name.replace('_', '-')}": value for name, value in options.items() if value})


def with_options(line: str) -> str:
    """A sentence whose commands in backticks have these options as well."""
    return _ADVISED.sub(_completed, line) if _given else line


def _completed(advised: "re.Match[str]") -> str:
    command = advised[1]
    if command.startswith(_OFFLINE):
        return advised[0]
    missing = [f"{name} {shlex.quote(value)}" for name, value in _given.items() if name not in command.split()]
    return f"`{' '.join((COMMAND, command, *missing))}`"
