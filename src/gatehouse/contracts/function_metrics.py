"""The metrics that our functions write, by function: handlers count them, and alarms and dashboards use them.

A metric is identified by its name and all of its dimensions. Each function writes the dimension `service`; the batcher
and Results also write `lane`, and the Analyzer `priority`.
"""

from enum import StrEnum
from typing import Final

#: Namespace of all of them.
METRICS_NAMESPACE: Final = "Gatehouse"


class Service(StrEnum):
    """The functions, by their name in logs, metrics and traces, which is also their folder in `lambdas`."""

    ANALYZER = "analyzer"
    BATCHER = "batcher"
    OUTCOMES = "outcomes"
    RENDERER = "renderer"
    RESULTS = "results"
    SWEEPER = "sweeper"


class Dimension(StrEnum):
    """The dimensions of metrics."""

    SERVICE = "service"
    LANE = "lane"
    PRIORITY = "priority"


class BatcherMetric(StrEnum):
    """The batcher's metrics, written by every run."""

    #: Uploads that the run put into batches, including those refused at once.
    UPLOADS_BATCHED = "UploadsBatched"
    #: Those of them refused at once as UNSUPPORTED.
    UPLOADS_UNSUPPORTED = "UploadsUnsupported"
    #: Messages with nothing to moderate: test events, deletes, another lane's uploads.
    UPLOADS_IGNORED = "UploadsIgnored"
    #: Listed objects that have an item already, and late events of listed objects; where objects from before are
    #: moderated, as the next.
    UPLOADS_KNOWN = "UploadsKnown"
    #: Listed objects that are not moderated, because they are gone, or older or newer than an upload without S3 saying
    #: which.
    UPLOADS_WITHOUT_PLACE = "UploadsWithoutPlace"
    #: Uploads taken over from a batch that failed.
    UPLOADS_RECLAIMED = "UploadsReclaimed"
    #: Uploads that the command asked to be moderated again.
    UPLOADS_RESUBMITTED = "UploadsResubmitted"
    #: Messages that are not an upload's event, and end in the dead-letter queue.
    MESSAGES_MALFORMED = "MessagesMalformed"
    BATCHES_STARTED = "BatchesStarted"
    #: Stopped executions of other batches that were redriven.
    BATCHES_REDRIVEN = "BatchesRedriven"
    #: Uploads taken over from a batch whose execution succeeded without a verdict for them.
    STUCK_AFTER_SUCCESS = "StuckAfterSuccess"
    #: Policies whose active version the run could not read, so that it used the shipped one.
    POLICIES_UNKNOWN = "PoliciesUnknown"


class AnalyzerMetric(StrEnum):
    """The Analyzer's metrics, written by every run; for a malformed message, only that one."""

    #: Images that Rekognition analyzed as they are stored, and charges for.
    IMAGES_ANALYZED = "ImagesAnalyzed"
    #: Images of which Rekognition analyzed renditions instead.
    IMAGES_RENDERED = "ImagesRendered"
    #: Frames of rendered images that Rekognition analyzed, each over each background, and charges for.
    FRAMES_ANALYZED = "FramesAnalyzed"
    #: Images for which Rekognition returned an error about the image, or that the renderer could make nothing of.
    IMAGES_REFUSED = "ImagesRefused"
    #: Calls over the account's rate.
    CALLS_THROTTLED = "CallsThrottled"
    #: Calls that failed for another reason that is not the image.
    CALLS_FAILED = "CallsFailed"
    #: Chunks put back into the queue for a later run.
    CHUNKS_PUT_BACK = "ChunksPutBack"
    #: Chunks given up; the workflow continues without them.
    CHUNKS_GIVEN_UP = "ChunksGivenUp"
    #: Dropped messages that are not a chunk of the workflow.
    MESSAGES_MALFORMED = "MessagesMalformed"


class RendererMetric(StrEnum):
    """What the renderer counts with every call."""

    #: Pictures that were described.
    PICTURES_DESCRIBED = "PicturesDescribed"
    #: JPEGs that were made, those of described pictures included.
    FRAMES_RENDERED = "FramesRendered"
    #: Calls that a picture is the reason of that nothing came of.
    PICTURES_REFUSED = "PicturesRefused"
    #: Of these, the ones whose decoder died, or used up its time or its memory.
    DECODERS_STOPPED = "DecodersStopped"
    #: Calls that nothing came of for another reason: what they were asked, or S3.
    CALLS_REFUSED = "CallsRefused"


class ResultsMetric(StrEnum):
    """Results' metrics, written for every batch that it settles. Retries do not count anything twice."""

    #: Uploads with a final status.
    UPLOADS_JUDGED = "UploadsJudged"
    UPLOADS_APPROVED = "UploadsApproved"
    #: Uploads in REVIEW or BLOCKED.
    UPLOADS_FLAGGED = "UploadsFlagged"
    #: Of these, the ones in BLOCKED.
    UPLOADS_BLOCKED = "UploadsBlocked"
    UPLOADS_UNSUPPORTED = "UploadsUnsupported"
    UPLOADS_FAILED = "UploadsFailed"
    #: Uploads for which the engine returned neither a result nor an error.
    VERDICTS_MISSING = "VerdictsMissing"
    #: Analyses without the lane's adapter.
    ADAPTER_IGNORED = "AdapterIgnored"
    #: Analyses by another model than the policies were written for.
    OTHER_MODEL_ANSWERS = "OtherModelAnswers"
    #: Labels that the taxonomy does not have, each counted once per batch.
    UNKNOWN_LABELS = "UnknownLabels"
    #: Analyses of images that are not in the batch, and result lines that name no image.
    UNMATCHED_RESULT_LINES = "UnmatchedResultLines"
    #: Uploads without a line in a bulk job's results.
    UPLOADS_UNANSWERED = "UploadsUnanswered"
    #: Uploads without an analysis of their own bytes after bulk, which go to the image engine.
    LEFTOVERS = "Leftovers"
    #: Uploads whose every call failed, counted before their first retry.
    STRAGGLERS = "Stragglers"
    #: Images that a bulk job charges for, at most: it does not report which of the leftovers it analyzed.
    IMAGES_ANALYZED_IN_BULK = "ImagesAnalyzedInBulk"
    #: Batches for which Rekognition refused to start a job, so that the image engine took over.
    BULK_REFUSED = "BulkRefused"
    #: Batches whose jobs failed, so that the image engine took over.
    BULK_FAILED = "BulkFailed"
    #: Events that the bus has taken, where the settings name one; so the next.
    EVENTS_SENT = "EventsSent"
    #: Events that it has not, and that are in the dead-letter queue.
    EVENTS_KEPT = "EventsKept"
    #: Milliseconds from an upload to its final status; a value for each upload.
    UPLOAD_TO_VERDICT = "UploadToVerdict"


class SweeperMetric(StrEnum):
    """The sweeper's metrics, written by every sweep."""

    #: Batches that have been open for half an hour or longer.
    BATCHES_OLD = "BatchesOld"
    #: Batches that are still being analyzed long after they should have finished.
    BATCHES_OVERDUE = "BatchesOverdue"
    #: Stopped executions that were redriven.
    BATCHES_REDRIVEN = "BatchesRedriven"
    #: Uploads whose events were put back into their lane's queue.
    UPLOADS_READMITTED = "UploadsReadmitted"
    #: PENDING uploads that sweeping could not restart.
    UPLOADS_STUCK = "UploadsStuck"


class OutcomesMetric(StrEnum):
    """What Outcomes counts with every run. What Lambda delivers again is counted again."""

    #: Changes whose flags were published.
    CHANGES_ANNOUNCED = "ChangesAnnounced"
    #: Changes whose flags were refused; Lambda is asked to deliver them again.
    CHANGES_REFUSED = "ChangesRefused"
    #: Changes that somebody wrote in another form than docs/contracts/decision.md has; nobody hears of them.
    CHANGES_UNREADABLE = "ChangesUnreadable"
    #: Events that the bus has taken, where the settings name one; so the next.
    EVENTS_SENT = "EventsSent"
    #: Events that it has not, and that are in the dead-letter queue.
    EVENTS_KEPT = "EventsKept"
    #: Milliseconds from a change to its flag; a value for each change.
    CHANGE_TO_FLAG = "ChangeToFlag"
    #: With a gate, versions that were tagged as approved, and so the next.
    VERSIONS_OPENED = "VersionsOpened"
    #: Versions that lost the tag, or got the one of blocked ones.
    VERSIONS_CLOSED = "VersionsClosed"
    #: Approved versions that can't be tagged.
    VERSIONS_UNOPENED = "VersionsUnopened"
    #: Records whose versions S3 did not let be tagged; Lambda is asked to deliver them again.
    TAGS_REFUSED = "TagsRefused"
    #: Milliseconds from a verdict to the tag that opens its version; a value for each.
    VERDICT_TO_OPEN = "VerdictToOpen"
    #: Milliseconds from a change to the closed gate; a value for each version that could be read.
    CHANGE_TO_CLOSED = "ChangeToClosed"
