"""The engines: what turns a manifest into analyses."""

from enum import StrEnum


class Engine(StrEnum):
    """How a lane's batches are analysed; a verdict's engine is BULK or IMAGE, whichever answered.

    AUTO takes the image engine when that would finish within a minute, else Bulk Analysis; and the image engine again
    where the account, the Region or the job refuses.
    """

    AUTO = "auto"
    BULK = "bulk"  # StartMediaAnalysisJob, for a whole manifest
    IMAGE = "image"  # DetectModerationLabels, image by image
