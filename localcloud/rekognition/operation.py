"""The operations of Amazon Rekognition that exist locally."""

from enum import StrEnum


class Operation(StrEnum):
    """An operation by its name on the wire."""

    START_MEDIA_ANALYSIS_JOB = "StartMediaAnalysisJob"
    GET_MEDIA_ANALYSIS_JOB = "GetMediaAnalysisJob"
    LIST_MEDIA_ANALYSIS_JOBS = "ListMediaAnalysisJobs"
    DETECT_MODERATION_LABELS = "DetectModerationLabels"
