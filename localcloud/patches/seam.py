"""The places inside ministack that a patch depends on.

A patch declares them as data. `check` compares them with the installed ministack before anything is replaced, so a
version in which one has changed is refused with an error that names it, instead of running with half of the patches.
"""

import importlib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MINISTACK_VERSION = "1.5.33"


class SeamMovedError(RuntimeError):
    """The installed ministack differs from the one a patch was written for."""


@dataclass(frozen=True, slots=True)
class Seam:
    """A private name of ministack.

    Attributes:
        module: the module's full name.
        name: the attribute; dots reach into classes (`Worker.invoke`).
        parameters: the parameter names if it is a function, None if it is data.
    """

    module: str
    name: str
    parameters: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    def resolve(self) -> Any:
        """The object behind the name.

        Raises:
            SeamMovedError: the module or the attribute does not exist.
        """
        try:
            found: Any = importlib.import_module(self.module)
            for part in self.name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            raise SeamMovedError(f"{self} no longer exists; {_advice()}") from error
        return found


def check(seams: Iterable[Seam]) -> None:
    """Compare the seams with the installed ministack.

    Raises:
        SeamMovedError: a name does not exist, or a function's parameters differ.
    """
    for seam in seams:
        found = seam.resolve()
        if seam.parameters is None:
            continue
        parameters = tuple(inspect.signature(found).parameters)
        if parameters != seam.parameters:
            expected, actual = ", ".join(seam.parameters), ", ".join(parameters)
            raise SeamMovedError(f"{seam} takes ({actual}) where ({expected}) was expected; {_advice()}")


def _advice() -> str:
    return f"the patches are written for ministack {MINISTACK_VERSION}: install that version, or adapt the patch"
