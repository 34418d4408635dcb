"""The fault table: every call that a role makes, times everything that can go wrong at a call, and what else can.

To extend it, add a `Step` with its calls, or a row to one of the lists below.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gatehouse.aws.executions import MAX_REDRIVES
from gatehouse.moderation.image_pass import ImagePass
from lambdas.analyzer.chunk_analysis import MAX_DELIVERIES
from localcloud.rekognition.job import FailureCode
from localcloud.rekognition.refusal import BulkRefusal
from tests.chaos import acts, situations
from tests.chaos.cloud import BATCHER_SECONDS, BULK_LANES, LARGE
from tests.chaos.row import ANY_ERROR, Row
from tests.chaos.situations import PAID, UPLOADS, Situation
from tests.chaos.strikes import (
    ANALYZER,
    BATCHER,
    FOR_EVER,
    OUTCOMES,
    RENDERER,
    RESULTS,
    SWEEPER,
    WORKFLOW,
    Call,
    Document,
    Strike,
    strikes_at,
)

BULK, IMAGE, AUTO, FAST, BACKFILL, RENDERED = BULK_LANES[0], "image", "auto", "fast", "backfill", "rendered"

#: The workflow's own, which `tests/chaos/test_table.py` compares: the CDK takes seconds to load.
MAX_JOBS = 3
TRANSIENT_FAILURES = ("INTERNAL_ERROR", "THROTTLED", "RESOURCE_NOT_READY")

#: Starts of a job while Rekognition throttles, where its lane has no other engine and where it has; and what the batch
#: fails with then where it has none.
PATIENT_STARTS, MAX_STARTS = 201, 21
THROTTLED_START = "Rekognition.ThrottlingException"

_AGAIN = "analyzed again"

#: Longer than a function waits for a bus; and how often it calls one that does not answer.
_IMPATIENCE = 6.0
_BUS_TRIES = 3


@dataclass(frozen=True, slots=True)
class Step:
    """A call of the pipeline.

    Attributes:
        name: who does what.
        lane: whose uploads come by.
        situation: in which it is made.
        beside: faults without which it is not made.
        paid_again: analyses beyond one for each upload that the step costs, whatever strikes at it.
        outcome: why.
        hold_jobs: whether the situation needs jobs that wait.
    """

    name: str
    call: Call
    lane: str = BULK
    situation: Situation = situations.uploaded
    beside: tuple[Document, ...] = ()
    paid_again: int = 0
    outcome: str = ""
    hold_jobs: bool = False
    switches: tuple[tuple[str, object], ...] = ()

    def rows(self) -> Iterator[Row]:
        """One for everything that can go wrong."""
        for strike in strikes_at(self.call):
            again, why = _again(self.call, strike)
            yield Row(
                step=self.name,
                fault=strike.name,
                lane=self.lane,
                faults=(*self.beside, strike.document),
                switches=({"hold_jobs": True} if self.hold_jobs else {}) | dict(self.switches),
                situation=situations.and_swept(self.situation) if strike.stops else self.situation,
                paid_again=self.paid_again + again,
                outcome="; ".join(filter(None, (self.outcome, why))),
            )


def _again(call: Call, strike: Strike) -> tuple[int, str]:
    """Analyses that a strike costs, at most, and why."""
    if call.caller == ANALYZER and strike.kills and (call.matching == _WEBP or call.service == "lambda"):
        return situations.RENDERED, f"{_AGAIN}: what a killed Analyzer had not written down, a chunk at most"
    if call.call == "rekognition:DetectModerationLabels":
        if strike.kills:
            return PAID, f"{_AGAIN}: what a killed Analyzer had not written down, a chunk at most"
        if strike.loses_answer:
            return 1, f"{_AGAIN}: the image whose answer was lost"
    if (call.caller, call.call) == (ANALYZER, "s3:PutObject") and strike.name in ("refused", "caller killed before"):
        return PAID, f"{_AGAIN}: a chunk whose answers could not be written down"
    if call.call == "sqs:SendMessage" and strike.loses_answer:
        return PAID, f"{_AGAIN}: a chunk that is sent twice, and that two Analyzers may have at once"
    return 0, ""


def costs(call: Call, strike: Strike) -> bool:
    """Whether a strike may cost analyses."""
    return _again(call, strike)[0] > 0


def _batcher(call: str, matching: str = "", nth: int = 1) -> Call:
    return Call(BATCHER, call, matching, nth)


_NOT_REDRIVABLE = _batcher("states:RedriveExecution").struck(
    "error", when="before", code="ExecutionNotRedrivable", status=400
)
_ITEM_NOT_TOLD = _batcher("dynamodb:TransactWriteItems").struck("cancel", reasons=["ConditionalCheckFailed"])
_ANOTHER_JOB = f"{_AGAIN}: an execution that can't be redriven leaves its job behind"

BATCHER_STEPS = (
    Step(
        "Batcher: read policy pointers", _batcher("ssm:GetParameters"), situation=situations.uploaded_to_a_new_batcher
    ),
    Step(
        "Batcher: look for recorded policy",
        _batcher("s3:HeadObject", "policies/"),
        situation=situations.uploaded_to_a_new_batcher,
    ),
    Step(
        "Batcher: record policy", _batcher("s3:PutObject", "policies/"), situation=situations.uploaded_to_a_new_batcher
    ),
    Step("Batcher: register", _batcher("s3:PutObject", "open/")),
    Step("Batcher: close what holds nothing", _batcher("s3:DeleteObject", "open/"), situation=situations.sent_again),
    Step("Batcher: claim", _batcher("dynamodb:TransactWriteItems")),
    Step("Batcher: write manifest", _batcher("s3:PutObject", "manifest.jsonl")),
    Step("Batcher: write index", _batcher("s3:PutObject", "uploads.jsonl")),
    Step("Batcher: write what the workflow reads", _batcher("s3:PutObject", "execution.json")),
    Step("Batcher: write terms", _batcher("s3:PutObject", "batch.json")),
    Step("Batcher: start execution", _batcher("states:StartExecution")),
    Step(
        "Batcher: read what stands in a claim's way",
        _batcher("dynamodb:GetItem"),
        situation=situations.sent_again,
        beside=(_ITEM_NOT_TOLD,),
    ),
)
LISTED_STEPS = tuple(
    Step(name, _batcher(call, matching), IMAGE, situations.listed)
    for name, call, matching in (
        ("Batcher: look a listed object up", "dynamodb:Query", ""),
        ("Batcher: ask which version is older", "s3:ListBucketVersions", ""),
        ("Batcher: claim what is listed", "dynamodb:TransactWriteItems", ""),
        ("Batcher: start the backfill's execution", "states:StartExecution", ""),
    )
)
REPAIR_STEPS = tuple(
    Step(name, call, situation=situations.stopped_by_hand, hold_jobs=True, beside=beside, paid_again=again, outcome=why)
    for name, call, beside, again, why in (
        ("Batcher: look for an earlier batch", _batcher("s3:HeadObject", "batch.json"), (), 0, ""),
        ("Batcher: start an earlier batch again", _batcher("states:StartExecution"), (), 0, ""),
        ("Batcher: look at an earlier batch", _batcher("states:DescribeExecution"), (), 0, ""),
        ("Batcher: redrive", _batcher("states:RedriveExecution"), (), 0, ""),
        ("Batcher: take over", _batcher("dynamodb:TransactWriteItems", nth=2), (_NOT_REDRIVABLE,), PAID, _ANOTHER_JOB),
    )
)
WORKFLOW_STEPS = (
    Step("Workflow: count batches ahead", Call(WORKFLOW, "states:ListExecutions"), BACKFILL),
    Step("Workflow: read batch", Call(WORKFLOW, "s3:GetObject")),
    Step("Workflow: start job", Call(WORKFLOW, "rekognition:StartMediaAnalysisJob")),
    Step(
        "Workflow: try to start job",
        Call(WORKFLOW, "rekognition:StartMediaAnalysisJob"),
        AUTO,
        situations.uploaded_many,
    ),
    Step("Workflow: get job", Call(WORKFLOW, "rekognition:GetMediaAnalysisJob")),
    Step("Workflow: look at chunk queue", Call(WORKFLOW, "sqs:GetQueueAttributes"), IMAGE),
    Step("Workflow: send chunk", Call(WORKFLOW, "sqs:SendMessage"), IMAGE),
    Step("Workflow: send chunk", Call(WORKFLOW, "sqs:SendMessage"), FAST, situations.uploaded_one_by_one),
    Step("Workflow: invoke Results", Call(WORKFLOW, "lambda:InvokeFunction")),
)
_WEBP = ".webp"

RENDERING_STEPS = tuple(
    Step(name, call, RENDERED, situations.uploaded_to_be_rendered)
    for name, call in (
        ("Results: look at what a job refused", Call(RESULTS, "s3:GetObject", _WEBP, nth=3)),
        ("Analyzer: look at first bytes", Call(ANALYZER, "s3:GetObjectVersion", _WEBP, nth=3)),
        ("Analyzer: have a picture rendered", Call(ANALYZER, "lambda:InvokeFunction", nth=3)),
        ("Renderer: fetch the picture", Call(RENDERER, "s3:GetObjectVersion", _WEBP, nth=3)),
        ("Analyzer: ask about a rendition", Call(ANALYZER, "rekognition:DetectModerationLabels", nth=3)),
    )
)

#: Calls that fail until each image of a row is a straggler.
_ALL_STRAGGLE = (
    (
        "fail_next_calls",
        [
            {
                "operation": "DetectModerationLabels",
                "error": "InternalServerError",
                "times": PAID * ImagePass.FIRST.tries,
            }
        ],
    ),
)

ANALYZER_STEPS = (
    Step("Analyzer: heartbeat", Call(ANALYZER, "states:SendTaskHeartbeat"), IMAGE),
    Step("Analyzer: find its lines", Call(ANALYZER, "s3:HeadObject", "uploads.jsonl"), IMAGE),
    Step("Analyzer: read index", Call(ANALYZER, "s3:GetObject", "uploads.jsonl"), IMAGE),
    Step("Analyzer: read what is known", Call(ANALYZER, "s3:GetObject", "analysis/image"), IMAGE),
    Step("Analyzer: ask Rekognition", Call(ANALYZER, "rekognition:DetectModerationLabels", nth=7), IMAGE),
    Step(
        "Analyzer: read stragglers", Call(ANALYZER, "s3:GetObject", "stragglers-1.jsonl"), IMAGE, switches=_ALL_STRAGGLE
    ),
    Step("Analyzer: write answers", Call(ANALYZER, "s3:PutObject"), IMAGE),
    Step("Analyzer: give token back", Call(ANALYZER, "states:SendTaskSuccess"), IMAGE),
    Step(
        "Analyzer: put back",
        Call(ANALYZER, "sqs:SendMessage"),
        IMAGE,
        switches=(("requests_per_second", {"DetectModerationLabels": 4}),),
    ),
    Step(
        "Analyzer: ask Rekognition",
        Call(ANALYZER, "rekognition:DetectModerationLabels"),
        FAST,
        situations.uploaded_one_by_one,
    ),
)
_SEND_EVENTS = Call(RESULTS, "events:PutEvents")
_NO_EVENT_IS_TAKEN = _SEND_EVENTS.struck("error", when="before", code="AccessDeniedException", status=400)

RESULTS_STEPS = (
    Step("Results: read terms", Call(RESULTS, "s3:GetObject", "batch.json")),
    Step("Results: read index", Call(RESULTS, "s3:GetObject", "uploads.jsonl")),
    Step("Results: read claims", Call(RESULTS, "dynamodb:BatchGetItem")),
    Step("Results: read job's results", Call(RESULTS, "s3:GetObject", "-results.jsonl")),
    Step("Results: read job's summary", Call(RESULTS, "s3:GetObject", "manifest-summary.json")),
    Step("Results: read chunk's results", Call(RESULTS, "s3:GetObject", "analysis/image"), IMAGE),
    Step("Results: confirm an approval", Call(RESULTS, "s3:GetObject", ".jpg", nth=3)),
    Step("Results: look for an animation", Call(RESULTS, "s3:GetObjectVersion", ".jpg", nth=3), IMAGE),
    Step("Results: publish flags", Call(RESULTS, "sns:PublishBatch")),
    Step("Results: publish last flags", Call(RESULTS, "sns:PublishBatch", nth=2)),
    Step("Results: look for the bus", Call(RESULTS, "events:DescribeEventBus")),
    Step("Results: send events", Call(RESULTS, "events:PutEvents")),
    Step("Results: send last events", Call(RESULTS, "events:PutEvents", nth=3)),
    Step("Results: keep events", Call(RESULTS, "sqs:SendMessage"), beside=(_NO_EVENT_IS_TAKEN,)),
    Step("Results: finalize", Call(RESULTS, "dynamodb:TransactWriteItems")),
    Step("Results: close", Call(RESULTS, "s3:DeleteObject", "open/")),
    Step("Results: write stragglers", Call(RESULTS, "s3:PutObject", "stragglers-1"), IMAGE, switches=_ALL_STRAGGLE),
    Step("Results: read stragglers", Call(RESULTS, "s3:GetObject", "stragglers-1"), IMAGE, switches=_ALL_STRAGGLE),
    Step(
        "Results: write leftovers",
        Call(RESULTS, "s3:PutObject", "leftovers.jsonl"),
        switches=(("drop_result_lines", 5),),
        paid_again=5,
        outcome=f"{_AGAIN}: the lines that the job left out",
    ),
    Step(
        "Results: read leftovers",
        Call(RESULTS, "s3:GetObject", "leftovers.jsonl"),
        switches=(("drop_result_lines", 5),),
        paid_again=5,
        outcome=f"{_AGAIN}: the lines that the job left out",
    ),
    Step(
        "Analyzer: read leftovers",
        Call(ANALYZER, "s3:GetObject", "leftovers.jsonl"),
        switches=(("drop_result_lines", 5),),
        paid_again=5,
        outcome=f"{_AGAIN}: the lines that the job left out",
    ),
)
SWEEPER_STEPS = (
    *(
        Step(name, Call(SWEEPER, call, matching), situation=situations.forgotten_and_swept)
        for name, call, matching in (
            ("Sweeper: list open batches", "s3:ListBucket", ""),
            ("Sweeper: list what runs", "states:ListExecutions", ""),
            ("Sweeper: look at an execution", "states:DescribeExecution", ""),
            ("Sweeper: read an entry", "s3:GetObject", "open/"),
            ("Sweeper: read claims", "dynamodb:BatchGetItem", ""),
            ("Sweeper: put back", "sqs:SendMessage", ""),
        )
    ),
    Step(
        "Sweeper: redrive",
        Call(SWEEPER, "states:RedriveExecution"),
        situation=situations.stopped_and_swept,
        hold_jobs=True,
    ),
)

OUTCOMES_STEPS = (
    Step("Outcomes: publish changes", Call(OUTCOMES, "sns:PublishBatch"), IMAGE, acts.acted_on),
    Step("Outcomes: publish last changes", Call(OUTCOMES, "sns:PublishBatch", nth=2), IMAGE, acts.acted_on),
    Step("Outcomes: read verdicts", Call(OUTCOMES, "dynamodb:BatchGetItem"), IMAGE),
    Step("Outcomes: read tags", Call(OUTCOMES, "s3:GetObjectVersionTagging"), IMAGE),
    Step("Outcomes: open", Call(OUTCOMES, "s3:PutObjectVersionTagging"), IMAGE),
    Step("Outcomes: read verdicts again", Call(OUTCOMES, "dynamodb:BatchGetItem", nth=2), IMAGE),
    Step("Outcomes: close", Call(OUTCOMES, "s3:DeleteObjectVersionTagging"), IMAGE, acts.acted_on),
)

#: Situations that do not come about by uploading alone.
RARE = acts.SITUATIONS | frozenset(
    {
        situations.stopped_by_hand,
        situations.sent_again,
        situations.stopped_and_swept,
        situations.forgotten_and_swept,
        situations.listed,
    }
)


def steps() -> Iterator[Step]:
    """All steps."""
    yield from BATCHER_STEPS
    yield from LISTED_STEPS
    yield from REPAIR_STEPS
    yield from WORKFLOW_STEPS
    yield from ANALYZER_STEPS
    yield from RENDERING_STEPS
    yield from RESULTS_STEPS
    yield from SWEEPER_STEPS
    yield from OUTCOMES_STEPS


def calls_of_any_size() -> list[Call]:
    """The calls of tasks that can be answered with more than an execution carries."""
    return [step.call for step in WORKFLOW_STEPS if any(strike.stops for strike in strikes_at(step.call))]


def rows() -> Iterator[Row]:
    """The whole table."""
    for step in steps():
        yield from step.rows()
    yield from _slow_batchers()
    yield from _partial_answers()
    yield from _large_answers()
    yield from _jobs()
    yield from _files()
    yield from _events()
    yield from _buses()
    yield from _rekognition()
    yield from _objects()
    yield from _changes()
    yield from _reviewers()


def _slow_batchers() -> Iterator[Row]:
    """Answers later than the function's timeout: the batcher is ended in the middle."""
    for when in ("before", "after"):
        claim = _batcher("dynamodb:TransactWriteItems").struck("delay", when=when, seconds=BATCHER_SECONDS + 2)
        yield Row("Batcher: claim", f"runs out of time {when}", faults=(claim,))


def _partial_answers() -> Iterator[Row]:
    claim, finalize = _batcher("dynamodb:TransactWriteItems"), Call(RESULTS, "dynamodb:TransactWriteItems")
    for name, reasons in (
        ("conflict for all", ["TransactionConflict"]),
        ("conflict for some", ["None", "TransactionConflict", "None"]),
        ("throttling for some", ["ThrottlingError", "None"]),
        ("throughput used up for one of three", ["ProvisionedThroughputExceeded", "None", "None"]),
    ):
        for step, call in (("Batcher: claim", claim), ("Results: finalize", finalize)):
            yield Row(step, f"canceled, {name}", faults=(call.struck("cancel", reasons=reasons, times=2),))
    for step, call in (("Batcher: claim", claim), ("Results: finalize", finalize)):
        broken = call.struck("cancel", reasons=["ValidationError", "None"])
        yield Row(step, "canceled, invalid for some", faults=(broken,))
        busy = call.struck("cancel", reasons=["TransactionConflict"], times=8)
        yield Row(step, "canceled, conflict for longer than it is tried", faults=(busy,))
    publish = Call(RESULTS, "sns:PublishBatch")
    for name, entries, times in (
        ("some refused", [0, 3, 9], 1),
        ("some refused three times", [1, 2], 3),
        ("all refused", list(range(10)), 1),
        ("all refused for longer than it is tried", list(range(10)), 7),
    ):
        yield Row("Results: publish flags", name, faults=(publish.struck("partial", entries=entries, times=times),))
    for name, entries, times in (
        ("some refused", [0, 3, 9], 1),
        ("some refused for longer than they are tried", [1, 2], 3),
        ("all refused for longer than it is tried", list(range(10)), 3),
    ):
        struck = _SEND_EVENTS.struck("partial", entries=entries, times=times, code="ThrottlingException")
        yield Row("Results: send events", name, faults=(struck,))
    keep = Call(RESULTS, "sqs:SendMessage").struck("partial", entries=[0, 2])
    yield Row("Results: keep events", "some refused", faults=(_NO_EVENT_IS_TAKEN, keep))
    read = Call(RESULTS, "dynamodb:BatchGetItem")
    for name, entries, times in (("some", [0, 5, 23], 1), ("all", list(range(UPLOADS)), 3)):
        strike = read.struck("partial", entries=entries, times=times)
        yield Row("Results: read claims", f"{name} unprocessed", faults=(strike,))


def _large_answers() -> Iterator[Row]:
    """Beside the steps' own: answers that are too large more than once, and one that asks for another pass."""
    swept = situations.and_swept(situations.uploaded)
    yield Row(
        "Workflow: get job",
        "answer too large three times",
        faults=(Call(WORKFLOW, "rekognition:GetMediaAnalysisJob").struck("enlarge", times=3),),
        situation=swept,
    )
    yield Row(
        "Workflow: read batch",
        "answer too large until it is redriven no more",
        faults=(Call(WORKFLOW, "s3:GetObject").struck("enlarge", times=1 + MAX_REDRIVES),),
        situation=swept,
        outcome="as usual: by another batch",
    )
    yield Row(
        "Workflow: invoke Results",
        "answer too large, with leftovers",
        faults=(Call(WORKFLOW, "lambda:InvokeFunction").struck("enlarge"),),
        switches={"drop_result_lines": 5},
        situation=swept,
        paid_again=5,
        outcome=f"{_AGAIN}: the lines that the job left out",
    )


def _jobs() -> Iterator[Row]:
    for code in FailureCode:
        failure = {"code": code.value, "message": "Told to fail."}
        is_passing = code in TRANSIENT_FAILURES
        usual = "as usual: another job is started" if is_passing else "FAILED: the lane has no other engine"
        legitimate = frozenset() if is_passing else frozenset({code.value})
        yield Row(
            "Bulk: job", f"fails, {code}", switches={"fail_next_jobs": [failure]}, outcome=usual, fails_with=legitimate
        )
        jobs = [failure] * MAX_JOBS if is_passing else [failure]
        often = f" {MAX_JOBS} times" if is_passing else ""
        yield Row(
            "Auto: job",
            f"fails{often}, {code}",
            AUTO,
            switches={"fail_next_jobs": jobs},
            situation=situations.uploaded_many,
            outcome="as usual: by the image engine",
        )
        if is_passing:
            yield Row(
                "Bulk: job",
                f"fails{often}, {code}",
                switches={"fail_next_jobs": jobs},
                outcome="FAILED: the lane has no other engine",
                fails_with=frozenset({code.value}),
            )
    no_slot = ("StartMediaAnalysisJob", "LimitExceededException")
    for step, lane, situation in (
        ("Bulk: start job", BULK, situations.uploaded),
        ("Auto: start job", AUTO, situations.uploaded_many),
        ("Backfill: start job", BACKFILL, situations.uploaded),
    ):
        yield Row(
            step, "job quota used up", lane, switches={"concurrent_jobs": 0}, answers=(no_slot,), situation=situation
        )
    for reading in BulkRefusal:
        refused = {"refuse_bulk": reading.value}
        answers = (("StartMediaAnalysisJob", ANY_ERROR),)
        yield Row(
            "Auto: start job",
            f"bulk refused, {reading}",
            AUTO,
            switches=refused,
            answers=answers,
            situation=situations.uploaded_many,
            outcome="as usual: by the image engine",
        )
        yield Row(
            "Bulk: start job",
            f"bulk refused, {reading}",
            switches=refused,
            answers=answers,
            situation=situations.uploaded_and_decided,
            outcome="FAILED: the lane has no other engine",
            fails_with=frozenset({"Rekognition.AccessDeniedException", "Rekognition.RekognitionException"}),
        )


def _files() -> Iterator[Row]:
    for lane, situation, analyzed in ((BULK, situations.uploaded, PAID), (AUTO, situations.uploaded_many, LARGE - 2)):
        engine = "Bulk" if lane == BULK else "Auto"
        for name, switches, again in (
            ("lines left out", {"drop_result_lines": 5}, 5),
            ("all lines left out", {"drop_result_lines": analyzed}, analyzed),
            ("lines written twice", {"duplicate_result_lines": 5}, 0),
            ("lines in another order", {"shuffle_results": 1}, 0),
            ("lines garbled", {"garble_result_lines": 5}, 5),
            ("file ends in a line", {"truncate_results": 1}, analyzed),
            ("no summary", {"omit_summary": 1}, 0),
            ("no file", {"omit_results": 1}, analyzed),
        ):
            yield Row(
                f"{engine}: job's results",
                name,
                lane,
                switches=switches,
                situation=situation,
                paid_again=again,
                outcome=f"{_AGAIN}: what has no readable line" if again else "",
            )


def _events() -> Iterator[Row]:
    for lane in (BULK, IMAGE):
        for name, fault in (
            ("come twice", {"delivery": "duplicate", "times": UPLOADS, "copies": 1}),
            ("come thrice, the last ones late", {"delivery": "duplicate", "times": UPLOADS, "copies": 2, "seconds": 2}),
            ("in another order", {"delivery": "reorder", "times": UPLOADS, "seed": 5}),
            ("late", {"delivery": "delay", "times": UPLOADS // 2, "seconds": 1.5}),
        ):
            yield Row("Events", name, lane, faults=(fault,), situation=situations.uploaded_one_by_one)
    yield Row("Events", "come once more after the verdicts", situation=situations.sent_again)
    yield Row("Events", "of older uploads after newer ones' verdicts", situation=situations.out_of_order)
    yield Row("Events", "among malformed messages", situation=situations.with_malformed_messages, dead_letters=2)


def _buses() -> Iterator[Row]:
    yield Row("Results: send events", "to a bus that is deleted", situation=situations.uploaded_without_a_bus)
    slow = _SEND_EVENTS.struck("delay", when="before", seconds=_IMPATIENCE, times=_BUS_TRIES)
    yield Row("Results: send events", "to a bus that answers later than it is waited for", faults=(slow,))


def _rekognition() -> Iterator[Row]:
    detect, throttled = "DetectModerationLabels", "ThrottlingException"
    yield Row("Image: Rekognition", "throttles", IMAGE, switches={"throttle_calls": 40}, answers=((detect, throttled),))
    yield Row(
        "Image: Rekognition",
        "throttles for longer than a run",
        IMAGE,
        faults=(Call(ANALYZER, "sqs:SendMessage").struck("delay", when="after", seconds=0.1),),
        switches={"requests_per_second": {detect: 3}},
    )
    yield Row(
        "Image: Rekognition",
        "throttles for half an hour",
        IMAGE,
        switches={"throttle_calls": 2_000},
        situation=situations.uploaded_and_throttled,
    )
    yield Row(
        "Image: Rekognition",
        "has never an answer for one image",
        IMAGE,
        answers=((detect, "InternalServerError"),),
        situation=situations.uploaded_with_a_poisoned_one,
        outcome="FAILED: the one image, after all others have their verdicts",
        fails_with=frozenset({"InternalServerError"}),
    )
    for error, times in (("InternalServerError", 30), ("AccessDeniedException", 5), ("ResourceNotReadyException", 5)):
        failing = {"operation": detect, "error": error, "times": times}
        yield Row("Image: Rekognition", f"{error}, passing", IMAGE, switches={"fail_next_calls": [failing]})
    denied = {"operation": detect, "error": "AccessDeniedException", "times": 500}
    yield Row(
        "Image: Rekognition",
        "AccessDeniedException, lasting",
        IMAGE,
        switches={"fail_next_calls": [denied]},
        answers=((detect, "AccessDeniedException"),),
        situation=situations.uploaded_and_decided,
        outcome="FAILED: Rekognition refuses for good",
        fails_with=frozenset({"AccessDeniedException"}),
    )
    yield Row(
        "Bulk: Rekognition",
        "throttles",
        switches={"throttle_calls": 5},
        answers=(("StartMediaAnalysisJob", throttled),),
    )
    for engine, lane, starts, situation, outcome, code in (
        ("Bulk", BULK, PATIENT_STARTS, situations.uploaded, "FAILED: the lane has no other engine", {THROTTLED_START}),
        ("Auto", AUTO, MAX_STARTS, situations.uploaded_many, "as usual: by the image engine", set()),
    ):
        start = {"operation": "StartMediaAnalysisJob", "error": throttled, "times": starts}
        yield Row(
            f"{engine}: start job",
            "throttled for longer than it is tried",
            lane,
            switches={"fail_next_calls": [start]},
            situation=situation,
            outcome=outcome,
            fails_with=frozenset(code),
        )
    yield Row(
        "Analyzer: any run",
        "killed at every image, each time",
        IMAGE,
        faults=(Call(ANALYZER, "rekognition:DetectModerationLabels").struck("kill", when="before", times=FOR_EVER),),
        situation=situations.uploaded_and_decided,
        paid_again=MAX_DELIVERIES * PAID,
        outcome=f"FAILED: the chunk is given up; {_AGAIN}: what was answered as each Analyzer died",
        fails_with=frozenset({"ChunkFailed"}),
    )


def _objects() -> Iterator[Row]:
    held = {"hold_jobs": True}
    yield Row(
        "Bulk: objects",
        "overwritten before their job reads them",
        switches=held,
        situation=situations.overwritten,
        paid_again=8,
        outcome=f"{_AGAIN}: what the job approved the successor of; what it flagged the successor of is flagged",
    )
    yield Row(
        "Bulk: objects",
        "pictures over what holds none, before its job reads it",
        switches=held,
        situation=situations.texts_overwritten,
        outcome="what the job flagged the successor of is flagged",
    )
    yield Row("Bulk: objects", "several versions in a batch", situation=situations.overwritten_in_a_batch)
    yield Row("Image: objects", "several versions in a batch", IMAGE, situation=situations.overwritten_in_a_batch)
    yield Row(
        "Bulk: objects",
        "deleted, versions kept, before their job reads them",
        switches=held,
        situation=situations.hidden,
    )
    yield Row(
        "Bulk: objects",
        "versions deleted before their job reads them",
        switches=held,
        situation=situations.deleted,
        outcome="anything but APPROVED: the bytes are gone",
    )
    yield Row("Execution", "stopped by hand", switches=held, situation=situations.stopped_by_hand)


def _changes() -> Iterator[Row]:
    """Changes of verdicts, on their way from the table's stream to the topic."""
    publish = Call(OUTCOMES, "sns:PublishBatch")
    for name, entries, times in (
        ("some refused", [0, 3, 9], 1),
        ("some refused three times", [1, 2], 3),
        ("all refused for longer than it is tried", list(range(10)), 7),
    ):
        strike = publish.struck("partial", entries=entries, times=times)
        yield Row("Outcomes: publish changes", name, IMAGE, faults=(strike,), situation=acts.acted_on)
    killed_before, killed_after = (publish.struck("kill", when=when) for when in ("before", "after"))
    twice: Document = {"delivery": "duplicate", "of": "stream"}
    for name, faults in (
        ("comes twice", (twice,)),
        ("comes thrice, the last ones late", ({**twice, "copies": 2, "seconds": 1},)),
        ("comes late", ({"delivery": "delay", "of": "stream", "seconds": 2},)),
        ("comes twice, and kills Outcomes before", (twice, killed_before)),
        ("comes twice, and kills Outcomes after", (twice, killed_after)),
    ):
        yield Row("Changes: a delivery", name, IMAGE, faults=faults, situation=acts.acted_on)
    yield Row(
        "Changes: deliveries",
        "come twice, one by one",
        IMAGE,
        faults=({**twice, "times": 2},),
        situation=acts.acted_on_one_by_one,
    )
    for name, action, fields in (
        ("refused", "error", {"code": "AuthorizationError", "status": 403}),
        ("kills Outcomes after its effect", "kill", {}),
    ):
        when = "after" if action == "kill" else "before"
        strike = Call(OUTCOMES, "sns:PublishBatch", acts.POISONED).struck(action, when=when, times=FOR_EVER, **fields)
        yield Row(
            "Changes: one of them",
            f"{name}, for longer than it is delivered",
            IMAGE,
            faults=(strike,),
            situation=acts.acted_on_where_one_is_given_up,
            given_up=1,
            outcome="the failure queue names the change, and the others are announced",
        )


def _reviewers() -> Iterator[Row]:
    yield Row("Reviewer: write", "no answer after its effect", IMAGE, situation=acts.acted_on_where_answers_are_lost)
    yield Row("Reviewer: write", "two at the same moment", IMAGE, situation=acts.acted_on_by_two_at_once)
