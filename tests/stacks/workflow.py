"""A synthesized workflow, to be run with tasks that answer as a test says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse.moderation.batch import bulk_output_prefix, manifest_key
from gatehouse.moderation.image_format import DEFAULT_FORMATS
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.rendition import DEFAULT_FRAMES
from lambdas.results.settlement import Again
from tests.stacks.workflow_run import Run, Task, TaskError, matching, run_workflow

ID = "5f1c3a9e"
JOB = "ab" * 32
ADAPTER = "arn:aws:rekognition:eu-west-1:111122223333:project/p/version/v/1700000000000"
QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/111122223333/chunks"
SUCCEEDED = {
    "JobId": JOB,
    "Status": "SUCCEEDED",
    "Results": {"S3Object": {"Bucket": "work", "Name": "results.jsonl"}, "ModelVersions": {"Moderation": "7.0"}},
    "ManifestSummary": {"S3Object": {"Bucket": "work", "Name": "summary.json"}},
}
IN_PROGRESS = {"JobId": JOB, "Status": "IN_PROGRESS"}


@dataclass(frozen=True, slots=True)
class Workflow:
    """The definition of a state machine, with everything filled in that a deployment knows."""

    definition: Mapping[str, Any]

    @classmethod
    def of(cls, machine: Mapping[str, Any], *, is_large_region: bool) -> "Workflow":
        """Read a template's resource as CloudFormation would in a Region."""
        parts = machine["Properties"]["DefinitionString"]["Fn::Join"][1]
        return cls(json.loads("".join(_filled_in(part, is_large_region=is_large_region) for part in parts)))

    @property
    def states(self) -> Mapping[str, Any]:
        """The states by name, those inside a Map included."""
        outer: dict[str, Any] = self.definition["States"]
        maps = (state for state in outer.values() if state["Type"] == "Map")
        return outer | {name: inner for state in maps for name, inner in state["ItemProcessor"]["States"].items()}

    def run(self, batch: Mapping[str, Any], **tasks: Task) -> Run:
        """Run it for a batch. By default no chunk waits, no other batch runs, and every task ends well at once.

        Args:
            tasks: what does instead, by the name of the state with underscores for blanks.
        """
        by_default = {
            "Read_batch": answering({"Body": json.dumps(batch), "ETag": '"e"'}),
            "Count_batches_ahead": answering({"Executions": [{"Name": ID}]}),
            "Look_at_chunk_queue": answering(waiting(0)),
            "Start_job": answering({"JobId": JOB}),
            "Try_to_start_job": answering({"JobId": JOB}),
            "Get_job": answering(SUCCEEDED),
            "Analyze_chunk": answering({}),
            "Write_verdicts": answering(settled()),
        }
        unknown = set(tasks) - set(by_default)
        assert not unknown, f"no state is called {unknown}"
        named = {name.replace("_", " "): task for name, task in (by_default | tasks).items()}
        return run_workflow(self.definition, named, {"batch_id": ID})


def _filled_in(part: Any, *, is_large_region: bool) -> str:
    match part:
        case str():
            return part
        case {"Ref": "AWS::Partition"}:
            return "aws"
        case {"Fn::If": ["IsLargeRegion", large, other]}:
            return str(large if is_large_region else other)
    if "ChunkQueue" in json.dumps(part):
        return QUEUE_URL
    return "work" if "WorkBucket" in json.dumps(part) else "results-function"


def batch_document(engine: str, uploads: int = 3, **changes: Any) -> dict[str, Any]:
    """What the workflow reads of a batch: its execution.json."""
    document = {
        "uploads": uploads,
        "analyzable": uploads,
        "min_confidence": 30.0,
        "engine": engine,
        "adapter": None,
        "formats": list(DEFAULT_FORMATS),
        "max_frames": DEFAULT_FRAMES,
        "job_deadline_seconds": 86_400,
        "manifest": {"bucket": "work", "key": manifest_key(ID)},
        "output": {"bucket": "work", "prefix": bulk_output_prefix(ID)},
    }
    assert set(changes) <= set(document)
    return document | changes


def answering(*answers: Any) -> Task:
    """A task that gives these answers one after the other, and then the last one forever."""
    remaining = list(answers)

    def answer(_: Mapping[str, Any]) -> Any:
        given = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        if isinstance(given, Exception):
            raise given
        return given

    return answer


def waiting(chunks: int, taken: int = 0) -> dict[str, Any]:
    """What SQS says of a queue with so many messages, as the API has it: numbers as text."""
    return {
        "Attributes": {
            "ApproximateNumberOfMessages": str(chunks),
            "ApproximateNumberOfMessagesNotVisible": str(taken),
        }
    }


def settled(uploads: int = 0, image_pass: ImagePass = ImagePass.LEFTOVERS) -> dict[str, Any]:
    """What Lambda gives back for Results: done, or so many uploads to ask about again in a pass."""
    again = Again(image_pass, uploads).to_document() if uploads else None
    return {"Payload": {"batch_id": ID, "uploads": 3, "again": again}, "StatusCode": 200}


def failed_job(code: str, message: str = "oops") -> dict[str, Any]:
    """A media analysis job that has failed."""
    return {"JobId": JOB, "Status": "FAILED", "FailureDetails": {"Code": code, "Message": message}}


def failing_chunks(errors: Mapping[int, TaskError]) -> Task:
    """An Analyzer that fails for the chunks that begin with these uploads."""

    def analyze(arguments: Mapping[str, Any]) -> Any:
        if error := errors.get(arguments["MessageBody"]["first"]):
            raise error
        return {"first": arguments["MessageBody"]["first"]}

    return analyze


def retrier_of(state: Mapping[str, Any], error: str) -> Mapping[str, Any]:
    """What a state does about an error: its first retrier that names it."""
    found: Mapping[str, Any] = next(retrier for retrier in state["Retry"] if error in retrier["ErrorEquals"])
    return found


def tries_again(state: Mapping[str, Any], error: str) -> int:
    """How often a state that always ends with an error is tried again: by the first retrier that takes the error."""
    names = matching(error)
    attempts = (retrier["MaxAttempts"] for retrier in state["Retry"] if names & set(retrier["ErrorEquals"]))
    return int(next(attempts, 0))


def patience(state: Mapping[str, Any], error: str) -> float:
    """Seconds until an error is no longer tried again, on average: full jitter waits half of each delay."""
    retrier = retrier_of(state, error)
    delays = (
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n, retrier["MaxDelaySeconds"])
        for n in range(retrier["MaxAttempts"])
    )
    return float(sum(delays)) / 2
