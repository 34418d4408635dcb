"""Signs that Rekognition's model is no longer the one that the policies were written for.

A policy names labels of one version of the taxonomy. Another model may find other labels, or the same ones with other
confidences; nothing fails then, the verdicts just change.
"""

from collections import Counter
from collections.abc import Iterable

from gatehouse.moderation.analysis import Analysis
from gatehouse.moderation.policy import taxonomy

#: What a log line keeps of a name, and how many names: both are another system's to choose.
MAX_NAME = 100
MAX_NAMES = 20


def other_versions(analyses: Iterable[Analysis], expected: str) -> Counter[str]:
    """Versions other than `expected` that a base model answered under, with the number of their answers.

    An answer without a version says nothing. Nor does an adapter's: it answers by the base model it was trained on
    until it expires (Developer Guide, managing-adapters.html), and which version it names is not documented.
    """
    versions = (analysis.model_version for analysis in analyses if analysis.adapter is None)
    return Counter(version for version in versions if version is not None and version != expected)


def unknown_labels(analyses: Iterable[Analysis]) -> dict[str, str]:
    """Labels that the taxonomy does not have: name -> parent's name as answered, `""` at level 1."""
    return {
        label.name: label.parent
        for analysis in analyses
        for label in analysis.labels
        if label.name not in taxonomy.PARENTS
    }


def loggable(name: str) -> str:
    """A name from an answer as a log line may carry it: on one line, nothing a terminal would obey, not too long."""
    return "".join(character if character.isprintable() else "?" for character in name[:MAX_NAME])
