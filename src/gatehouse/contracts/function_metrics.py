"""The metrics that our functions write, by function: what handlers count, and alarms and dashboards look at.

A metric is found by its name and all of its dimensions. Each function writes under `service`; the batcher and Results
under `lane`, too, and the Analyzer under `priority`.
"""

from enum import StrEnum
from typing import Final

#: Namespace of all of them.
METRICS_NAMESPACE: Final = "Gatehouse"


class Service(StrEnum):
    """The functions, by the name that their logs, metrics and traces go by, and their folders in `lambdas`."""

    ANALYZER = "analyzer"
    BATCHER = "batcher"
    RESULTS = "results"
    SWEEPER = "sweeper"


class Dimension(StrEnum):
    """What tells one metric of a name from another."""

    SERVICE = "service"
    LANE = "lane"
    PRIORITY = "priority"


class BatcherMetric(StrEnum):
    """What the batcher counts with every run."""

    #: Uploads that the run put into batches, those that are refused at once included.
    UPLOADS_BATCHED = "UploadsBatched"
    #: Of these, the ones that are refused at once as UNSUPPORTED.
    UPLOADS_UNSUPPORTED = "UploadsUnsupported"
    #: Messages that speak of nothing to moderate here: test events, deletes, another lane's uploads.
    UPLOADS_IGNORED = "UploadsIgnored"
    #: Uploads that were taken over from a batch that did not end well.
    UPLOADS_RECLAIMED = "UploadsReclaimed"
    #: Uploads that the command asked to be moderated again.
    UPLOADS_RESUBMITTED = "UploadsResubmitted"
    #: Messages that are no upload's event, and end in the dead-letter queue.
    MESSAGES_MALFORMED = "MessagesMalformed"
    BATCHES_STARTED = "BatchesStarted"
    #: Executions of other batches that had stopped, and go on where they did.
    BATCHES_REDRIVEN = "BatchesRedriven"
    #: Uploads that were taken over from a batch whose execution ended well without a verdict for them.
    STUCK_AFTER_SUCCESS = "StuckAfterSuccess"
    #: Policies of the lane whose active version the run could not get, and judged by the shipped one.
    POLICIES_UNKNOWN = "PoliciesUnknown"


class AnalyzerMetric(StrEnum):
    """What the Analyzer counts with every run; a malformed message is counted alone."""

    #: Images that Rekognition answered for, and is paid for.
    IMAGES_ANALYZED = "ImagesAnalyzed"
    #: Images that Rekognition answered with an error of their own.
    IMAGES_REFUSED = "ImagesRefused"
    #: Calls that were too many for the account's rate.
    CALLS_THROTTLED = "CallsThrottled"
    #: Calls that failed otherwise, and say nothing about the image.
    CALLS_FAILED = "CallsFailed"
    #: Chunks that were sent into the queue again, for a later run to finish.
    CHUNKS_PUT_BACK = "ChunksPutBack"
    #: Chunks that the workflow goes on without.
    CHUNKS_GIVEN_UP = "ChunksGivenUp"
    #: Messages that are no chunk of the workflow, and were dropped.
    MESSAGES_MALFORMED = "MessagesMalformed"


class ResultsMetric(StrEnum):
    """What Results counts with every batch that it settles. What a retry finds again is counted once."""

    #: Uploads that got their final status, whichever it is.
    UPLOADS_JUDGED = "UploadsJudged"
    UPLOADS_APPROVED = "UploadsApproved"
    #: Uploads in REVIEW or BLOCKED.
    UPLOADS_FLAGGED = "UploadsFlagged"
    #: Of these, the ones in BLOCKED.
    UPLOADS_BLOCKED = "UploadsBlocked"
    UPLOADS_UNSUPPORTED = "UploadsUnsupported"
    UPLOADS_FAILED = "UploadsFailed"
    #: Uploads that the engine gave neither a result nor an error for.
    VERDICTS_MISSING = "VerdictsMissing"
    #: Analyses without the adapter that the lane asked for.
    ADAPTER_IGNORED = "AdapterIgnored"
    #: Analyses by another model than the policies were written for.
    OTHER_MODEL_ANSWERS = "OtherModelAnswers"
    #: Labels that the taxonomy has no name for, each once a batch.
    UNKNOWN_LABELS = "UnknownLabels"
    #: Analyses of images that are not in the batch, and result lines that name none.
    UNMATCHED_RESULT_LINES = "UnmatchedResultLines"
    #: Uploads that a bulk job's results say nothing of.
    UPLOADS_UNANSWERED = "UploadsUnanswered"
    #: Uploads that came back from bulk without an analysis of their own bytes, and go to the image engine.
    LEFTOVERS = "Leftovers"
    #: Uploads that only failed calls came back for, when they are first asked about again.
    STRAGGLERS = "Stragglers"
    #: Images that a bulk job is paid for, at most: it does not say which of the leftovers it looked at.
    IMAGES_ANALYZED_IN_BULK = "ImagesAnalyzedInBulk"
    #: Batches that Rekognition would start no job for, and the image engine took over.
    BULK_REFUSED = "BulkRefused"
    #: Batches whose jobs failed, and the image engine took over.
    BULK_FAILED = "BulkFailed"
    #: Milliseconds from an upload to its final status; a value for each upload.
    UPLOAD_TO_VERDICT = "UploadToVerdict"


class SweeperMetric(StrEnum):
    """What the sweeper counts with every sweep."""

    #: Batches that have been open for half an hour or longer.
    BATCHES_OLD = "BatchesOld"
    #: Batches that are still being analyzed after far longer than one takes.
    BATCHES_OVERDUE = "BatchesOverdue"
    #: Executions that had stopped, and go on where they did.
    BATCHES_REDRIVEN = "BatchesRedriven"
    #: Uploads whose events went back into their lane's queue.
    UPLOADS_READMITTED = "UploadsReadmitted"
    #: Uploads that are PENDING, and that sweeping does not get going.
    UPLOADS_STUCK = "UploadsStuck"
