"""The metrics that our functions write, by the service's name.

Tests of the handlers check that each run writes exactly these; tests of the templates, which must not import handlers,
that alarms and dashboards watch no others.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Emitted:
    """What one function writes with every run.

    Attributes:
        dimensions: names, sorted.
    """

    dimensions: tuple[str, ...]
    names: frozenset[str]


EMITTED: Mapping[str, Emitted] = {
    "batcher": Emitted(
        ("lane", "service"),
        frozenset(
            {
                "BatchesRedriven",
                "BatchesStarted",
                "MessagesMalformed",
                "PoliciesUnknown",
                "StuckAfterSuccess",
                "UploadsBatched",
                "UploadsIgnored",
                "UploadsReclaimed",
                "UploadsResubmitted",
                "UploadsUnsupported",
            }
        ),
    ),
    "analyzer": Emitted(
        ("priority", "service"),
        frozenset(
            {
                "CallsFailed",
                "CallsThrottled",
                "ChunksGivenUp",
                "ChunksPutBack",
                "ImagesAnalysed",
                "ImagesRefused",
            }
        ),
    ),
    "sweeper": Emitted(
        ("service",),
        frozenset({"BatchesOld", "BatchesOverdue", "BatchesRedriven", "UploadsReadmitted", "UploadsStuck"}),
    ),
    "results": Emitted(
        ("lane", "service"),
        frozenset(
            {
                "AdapterIgnored",
                "BulkFailed",
                "BulkRefused",
                "ImagesAnalysedInBulk",
                "Leftovers",
                "OtherModelAnswers",
                "Stragglers",
                "UnknownLabels",
                "UnmatchedResultLines",
                "UploadsUnanswered",
                "UploadToVerdict",
                "UploadsApproved",
                "UploadsBlocked",
                "UploadsFailed",
                "UploadsFlagged",
                "UploadsJudged",
                "UploadsUnsupported",
                "VerdictsMissing",
            }
        ),
    ),
}
