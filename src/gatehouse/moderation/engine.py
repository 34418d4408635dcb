"""The engines: what turns a batch into analyses, and what their answers can be relied on for."""

from dataclasses import dataclass
from enum import StrEnum


class Engine(StrEnum):
    """How a lane's batches are analyzed; a verdict's engine is BULK or IMAGE, whichever answered.

    AUTO takes the image engine when that would finish within a minute, else Bulk Analysis; and the image engine again
    where the account, the Region or the job refuses. Its facts are those of whichever of the two needs more care.
    """

    AUTO = "auto"
    BULK = "bulk"  # StartMediaAnalysisJob, for a whole manifest
    IMAGE = "image"  # DetectModerationLabels, image by image

    @property
    def candidates(self) -> tuple["Engine", ...]:
        """The engines that may answer for a lane's batches."""
        return _CANDIDATES.get(self, (self,))

    @property
    def names_versions(self) -> bool:
        """Whether it is asked about a version, where there is one, and not about whatever is current."""
        return all(_FACTS[engine].names_versions for engine in self.candidates)

    @property
    def reads_manifest(self) -> bool:
        """Whether it is given objects as lines of a manifest, so that a key may be read in two ways."""
        return any(_FACTS[engine].reads_manifest for engine in self.candidates)

    @property
    def leaves_leftovers(self) -> bool:
        """Whether it may give no definite answer for an upload that another engine would give one for."""
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
