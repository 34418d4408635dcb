"""What both engines run: a workflow, a batch, and how its tasks answer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gatehouse.moderation.chunk import CHUNK_FAILED
from gatehouse.moderation.image_pass import ImagePass
from tests.second_engine.played_tasks import CHUNK_ACTION
from tests.stacks.workflow import (
    ADAPTER,
    ID,
    IN_PROGRESS,
    JOB,
    SUCCEEDED,
    Workflow,
    batch_document,
    failed_job,
    settled,
    waiting,
)

#: So many uploads are no work for the image engine, so `auto` asks for a job.
MANY = 10_000

Answer = Mapping[str, Any]


def result(value: Any) -> Answer:
    """A call that ends well."""
    return {"result": value}


def refused(code: str, status: int = 400) -> Answer:
    """A call that ends with an error of the API."""
    return {"refused": code, "status": status}


def raised(name: str) -> Answer:
    """A function that ends with an exception."""
    return {"raised": name}


def executions(*names: str, more: str | None = None) -> Answer:
    """A page of ListExecutions."""
    page = {"Executions": [{"Name": name, "Status": "RUNNING"} for name in names]}
    return result(page | ({"NextToken": more} if more else {}))


def batch(engine: str, uploads: int = MANY, **changes: Any) -> Answer:
    """What S3 has of a batch."""
    return result({"Body": json.dumps(batch_document(engine, uploads, **changes)), "ETag": '"e"'})


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run of a workflow.

    Attributes:
        workflow: its name among those that the engines are given.
        read: what "Read batch" finds, in order; the last forever, as with all answers.
        chunks: first upload -> what becomes of the chunk's token; the others succeed.
    """

    name: str
    workflow: str
    read: Sequence[Answer]
    ahead: Sequence[Answer] = (executions(ID),)
    look: Sequence[Answer] = (result(waiting(0)),)
    start: Sequence[Answer] = (result({"JobId": JOB}),)
    get: Sequence[Answer] = (result(SUCCEEDED),)
    send: Sequence[Answer] = (result({"MessageId": "m"}),)
    write: Sequence[Answer] = (result(settled()),)
    chunks: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    def to_document(self, workflow: Workflow) -> dict[str, Any]:
        """As both engines take it."""
        answers = {
            "getObject": self.read,
            "listExecutions": self.ahead,
            "getQueueAttributes": self.look,
            "startMediaAnalysisJob": self.start,
            "getMediaAnalysisJob": self.get,
            CHUNK_ACTION: self.send,
            "invoke": self.write,
        }
        return {
            "name": self.name,
            "definition": workflow.definition,
            "input": {"batch_id": ID},
            "answers": {action: list(given) for action, given in answers.items()},
            "chunks": {str(first): end for first, end in self.chunks.items()},
        }


_AUTO, _BULK, _IMAGE = ((batch(engine),) for engine in ("auto", "bulk", "image"))
_STILL, _DONE = result(IN_PROGRESS), result(SUCCEEDED)
_LOST = {"error": CHUNK_FAILED, "cause": '10 runs "quoted"\n' + "é" * 900}
_CHUNK = 100

SCENARIOS = (
    # Bulk
    Scenario("a job that takes a while", "live", _AUTO, get=(_STILL, _STILL, _STILL, _DONE)),
    Scenario("a forced job", "live", _BULK),
    Scenario("a job with an adapter", "live", (batch("bulk", adapter=ADAPTER),)),
    Scenario("a job with a key of ours", "keyed", _BULK),
    Scenario("nothing to analyze", "live", (batch("auto", 3, analyzable=0),)),
    Scenario("closed to this account", "live", _AUTO, start=(refused("AccessDeniedException"),)),
    Scenario("closed, and forced", "live", _BULK, start=(refused("AccessDeniedException"),)),
    Scenario("an error that the API does not have", "live", _AUTO, start=(refused("UnknownOperationException"),)),
    Scenario("a manifest it can't read", "live", _AUTO, start=(refused("InvalidS3ObjectException"),)),
    Scenario("a manifest it does not take", "live", _BULK, start=(refused("InvalidManifestException"),)),
    Scenario(
        "a start that is throttled, and then not",
        "live",
        _AUTO,
        start=(
            refused("ThrottlingException"),
            refused("ProvisionedThroughputExceededException"),
            refused("InternalServerError", 500),
            result({"JobId": JOB}),
        ),
    ),
    Scenario(
        "no slot, and then one",
        "live",
        _AUTO,
        start=(*[refused("LimitExceededException")] * 5, result({"JobId": JOB})),
    ),
    Scenario("never a slot", "live", _AUTO, start=(refused("LimitExceededException"),)),
    Scenario("never a slot, and forced", "live", _BULK, start=(refused("LimitExceededException"),)),
    Scenario("jobs that fail for a passing reason", "live", _AUTO, get=(result(failed_job("INTERNAL_ERROR")),)),
    Scenario("the same, and forced", "live", _BULK, get=(result(failed_job("INTERNAL_ERROR")),)),
    Scenario("a job that fails, and one that does not", "live", _AUTO, get=(result(failed_job("THROTTLED")), _DONE)),
    Scenario("a job that fails for good", "live", _AUTO, get=(result(failed_job("ACCESS_DENIED")),)),
    Scenario("the same job, and forced", "live", _BULK, get=(result(failed_job("ACCESS_DENIED")),)),
    Scenario("a job that gives no reason", "live", _BULK, get=(result({"JobId": JOB, "Status": "FAILED"}),)),
    Scenario("a job without files", "live", _AUTO, get=(result({"JobId": JOB, "Status": "SUCCEEDED"}),)),
    Scenario("a job past its deadline", "live", (batch("auto", job_deadline_seconds=3600),), get=(_STILL,)),
    Scenario("the same, and forced ", "live", (batch("bulk", job_deadline_seconds=3600),), get=(_STILL,)),
    Scenario("a job that can't be found", "live", _AUTO, get=(refused("ResourceNotFoundException"),)),
    Scenario("the same job, and forced ", "live", _BULK, get=(refused("ResourceNotFoundException"),)),
    Scenario("a job that may not be looked at", "live", _AUTO, get=(refused("AccessDeniedException"),)),
    Scenario("looks that are throttled", "live", _AUTO, get=(*[refused("ThrottlingException")] * 10, _DONE)),
    # The image engine
    Scenario("one upload", "live", (batch("auto", 1),)),
    Scenario("a few uploads", "live", (batch("auto", 130),)),
    Scenario("as many as are done in a minute", "live", (batch("auto", 3000),)),
    Scenario("one more than that", "live", (batch("auto", 3001),)),
    Scenario("a full batch", "live", _IMAGE),
    Scenario("where no lane may use bulk", "image only", (batch("image", 1000),)),
    Scenario("a chunk that is given up", "live", (batch("image", 1000),), chunks={_CHUNK: _LOST}),
    Scenario("a chunk that gives no cause", "live", (batch("image", 1000),), chunks={_CHUNK: {"error": CHUNK_FAILED}}),
    Scenario("a chunk that nobody has any more", "live", (batch("image", 1000),), chunks={_CHUNK: {"silent": True}}),
    Scenario(
        "all chunks given up",
        "live",
        (batch("image", 300),),
        chunks=dict.fromkeys(range(0, 300, 25), _LOST),
    ),
    Scenario(
        "a queue that refuses",
        "live",
        (batch("image", 1),),
        send=(*[refused("OverLimit", 403)] * 3, result({"MessageId": "m"})),
    ),
    Scenario(
        "no room, and then some",
        "live",
        (batch("image", 500),),
        look=(result(waiting(1801)), result(waiting(1801)), result(waiting(1799, 1))),
    ),
    Scenario("a busy queue", "live", (batch("auto", 2000),), look=(result(waiting(20)),)),
    # Fast
    Scenario("a fast upload", "fast", (batch("image", 1),)),
    Scenario("ten fast uploads", "fast", (batch("image", 10),)),
    # Backfill
    Scenario("a backfill alone", "backfill", _BULK),
    Scenario("two backfills before it", "backfill", _BULK, ahead=(executions("n", ID, "o1", "o2"),)),
    Scenario(
        "three, and then one",
        "backfill",
        _AUTO,
        ahead=(executions(ID, "o1", "o2", "o3"), executions(ID, "o1")),
    ),
    Scenario(
        "a list of pages",
        "backfill",
        _BULK,
        ahead=(
            executions("n1", "n2", more="1"),
            executions("n3", ID, "o1", more="2"),
            executions("o2", more="3"),
            executions("o3"),
            executions(ID),
        ),
    ),
    Scenario("a list so old that it is not in it", "backfill", _BULK, ahead=(executions(), executions(ID))),
    Scenario(
        "a list that is throttled",
        "backfill",
        _BULK,
        ahead=(*[refused("ThrottlingException")] * 8, executions(ID)),
    ),
    # Passes
    Scenario("leftovers of a job", "live", _AUTO, write=(result(settled(37)), result(settled()))),
    Scenario("leftovers of a forced job", "live", _BULK, write=(result(settled(7)), result(settled()))),
    Scenario(
        "a chunk of the leftovers that is given up",
        "live",
        _AUTO,
        write=(result(settled(600)), result(settled())),
        chunks={25: _LOST},
    ),
    Scenario(
        "stragglers",
        "live",
        (batch("image", 1000),),
        write=(
            result(settled(30, ImagePass.STRAGGLERS_1)),
            result(settled(2, ImagePass.STRAGGLERS_2)),
            result(settled()),
        ),
    ),
    # Results, and the batch's file
    Scenario(
        "a function that raises, and then does not",
        "live",
        (batch("image", 10),),
        write=(*[raised("VerdictTableBusyError")] * 3, result(settled())),
    ),
    Scenario("a function that always raises", "live", (batch("image", 10),), write=(raised("ValueError"),)),
    Scenario(
        "too many functions",
        "live",
        (batch("image", 10),),
        write=(*[refused("TooManyRequestsException", 429)] * 3, result(settled())),
    ),
    Scenario(
        "a function that answers something else",
        "live",
        (batch("image", 10),),
        write=(result({"Payload": {}, "StatusCode": 200}),),
    ),
    Scenario("a file that appears late", "live", (*[refused("NoSuchKey", 404)] * 2, batch("image", 10))),
    Scenario("a file that may not be read", "live", (refused("AccessDenied", 403),)),
    Scenario("a file that is no JSON", "live", (result({"Body": "oops"}),)),
    Scenario("a file without what is needed", "live", (result({"Body": "{}"}),)),
    Scenario("a file that is too large", "live", (result({"Body": json.dumps({"x": "y" * 300_000})}),)),
)
