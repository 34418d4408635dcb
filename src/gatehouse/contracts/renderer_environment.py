"""The renderer's environment variables, as the template writes them and the function reads them."""

from collections.abc import Mapping
from dataclasses import dataclass

from gatehouse.contracts.texts import is_on, on_off_text


@dataclass(frozen=True, slots=True)
class RendererEnvironment:
    """What the template tells the renderer.

    Attributes:
        heic: whether HEIC is decoded (docs/decisions/0018-renderer.md).
    """

    heic: bool

    def to_variables(self) -> dict[str, str]:
        """The variables that `read` reads."""
        return {"HEIC": on_off_text(self.heic)}

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "RendererEnvironment":
        """Read the function's variables.

        Raises:
            KeyError, ValueError: one is missing or malformed; the template and the code were not deployed together.
        """
        return cls(heic=is_on(variables["HEIC"]))
