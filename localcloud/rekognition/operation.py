"""The operations of Amazon Rekognition that exist locally."""

from enum import StrEnum


class Operation(StrEnum):
    """An operation by its name on the wire."""

    START_MEDIA_ANALYSIS_JOB = "StartMediaAnalysisJob"
    GET_MEDIA_ANALYSIS_JOB = "GetMediaAnalysisJob"
    LIST_MEDIA_ANALYSIS_JOBS = "ListMediaAnalysisJobs"
    DETECT_MODERATION_LABELS = "DetectModerationLabels"
    CREATE_PROJECT = "CreateProject"
    CREATE_PROJECT_VERSION = "CreateProjectVersion"
    DESCRIBE_PROJECTS = "DescribeProjects"
    DESCRIBE_PROJECT_VERSIONS = "DescribeProjectVersions"
    DELETE_PROJECT_VERSION = "DeleteProjectVersion"


#: The operations of Bulk Analysis.
MEDIA_ANALYSIS = frozenset(
    {Operation.START_MEDIA_ANALYSIS_JOB, Operation.GET_MEDIA_ANALYSIS_JOB, Operation.LIST_MEDIA_ANALYSIS_JOBS}
)
