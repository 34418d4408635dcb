"""The engines that analyze a batch, and the properties of their answers."""

from dataclasses import dataclass
from enum import StrEnum


class Engine(StrEnum):
    """How a lane's batches are analyzed. A verdict's engine is BULK or IMAGE, the one that answered.

    AUTO chooses the image engine if it would finish within a minute, and Bulk Analysis otherwise. It falls back to the
    image engine if the account, the Region or the job refuses. Its properties are the more cautious ones of the two.
    """

    AUTO = "auto"
    BULK = "bulk"  # StartMediaAnalysisJob, for a whole manifest
    IMAGE = "image"  # DetectModerationLabels, image by image

    @property
    def candidates(self) -> tuple["Engine", ...]:
        """The engines that can answer for a lane's batches."""
        return _CANDIDATES.get(self, (self,))

    @property
    def names_versions(self) -> bool:
        """Whether its requests name the version, if there is one, and not just the object."""
        return all(_FACTS[engine].names_versions for engine in self.candidates)

    @property
    def reads_manifest(self) -> bool:
        """Whether it reads its objects from a manifest, where a key can be read in two ways."""
        return any(_FACTS[engine].reads_manifest for engine in self.candidates)

    @property
    def leaves_leftovers(self) -> bool:
        """Whether it may lack a definite answer for an upload that another engine would have one for."""
        return any(_FACTS[engine].leaves_leftovers for engine in self.candidates)


@dataclass(frozen=True, slots=True)
class _Facts:
    names_versions: bool
    reads_manifest: bool
    leaves_leftovers: bool


_FACTS = {
    Engine.BULK: _Facts(names_versions=False, reads_manifest=True, leaves_leftovers=True),
    Engine.IMAGE: _Facts(names_versions=True, reads_manifest=False, leaves_leftovers=False),
}

_CANDIDATES = {Engine.AUTO: (Engine.IMAGE, Engine.BULK)}
