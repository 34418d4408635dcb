"""I1, I4 and I5 where a function dies: killed by the local cloud after each of its steps took effect."""

from collections.abc import Iterator

import pytest

from demo.pipeline import DemoUpload
from gatehouse.moderation.status import Status
from tests.e2e.conftest import BULK, Deploy
from tests.e2e.images import BLOCKED, CLEAN
from tests.e2e.pipeline import Pipeline

UPLOADS = 24

BATCHER_STEPS = {
    "claim": ("dynamodb:TransactWriteItems", 1),
    "register": ("s3:PutObject", 1),
    "policy": ("s3:PutObject", 2),  # recorded by the first batch of all
    "manifest": ("s3:PutObject", 2),
    "index": ("s3:PutObject", 3),
    "settings": ("s3:PutObject", 4),
    "start": ("states:StartExecution", 1),
}
RESULTS_STEPS = {
    "read": ("dynamodb:BatchGetItem", 1),
    "first flags": ("sns:Publish", 1),
    "last flags": ("sns:Publish", 2),
    "finalize": ("dynamodb:TransactWriteItems", 1),
    "close": ("s3:DeleteObject", 1),
}


@pytest.fixture(scope="module")
def pipeline(deployed: Deploy) -> Iterator[Pipeline]:
    """Bulk only: an Analyzer that dies has its own module.

    On a slower clock than other modules: a message must not use up its deliveries before a dead batcher's claims, which
    age in real time, can be taken over.
    """
    with deployed(BULK, time_scale=0.01) as pipeline:
        yield pipeline


def crash(caller: str, call: str, nth: int, when: str) -> dict[str, object]:
    return {"caller": caller, "call": call, "when": when, "nth": nth, "times": 1, "action": "kill"}


def upload(pipeline: Pipeline, prefix: str) -> None:
    """Half the uploads are flagged: two PublishBatch calls' worth."""
    pipeline.upload_many(DemoUpload(f"{prefix}{n}.jpg", BLOCKED if n % 2 else CLEAN) for n in range(UPLOADS))


def assert_settled(pipeline: Pipeline, prefix: str, deadline: float) -> None:
    verdicts = {
        item["key"].removeprefix(prefix): item for item in pipeline.wait_for_verdicts(UPLOADS, prefix, deadline)
    }
    expected = {f"{n}.jpg": Status.BLOCKED if n % 2 else Status.APPROVED for n in range(UPLOADS)}
    assert {name: item["status"] for name, item in verdicts.items()} == expected
    flags = pipeline.wait_for_flags(UPLOADS // 2, prefix)
    assert {flag["object"]["key"] for flag in flags} == {f"{prefix}{n}.jpg" for n in range(1, UPLOADS, 2)}
    assert len({flag["id"] for flag in flags}) == UPLOADS // 2, "a flag was sent again under another id"
    analyzed = pipeline.cloud.rekognition_counters()["images_analyzed"]
    counts = [analyzed[f"s3://{pipeline.upload_bucket}/{prefix}{n}.jpg"] for n in range(UPLOADS)]
    assert counts == [1] * UPLOADS, "an upload was paid for twice"


def test_a_batcher_that_dies_at_any_step_loses_nothing_and_pays_once(pipeline: Pipeline) -> None:
    """A dead batcher's claims are taken over once the function's timeout has passed: all steps wait for it together."""
    pipeline.let_run("Batcher", seconds=8)
    prefixes = []
    for step, (call, nth) in BATCHER_STEPS.items():
        for when in ("before", "after"):
            prefix = f"{step} {when}/"
            pipeline.cloud.faults(crash("Batcher", call, nth, when))
            upload(pipeline, prefix)
            pipeline.wait_until(lambda: not pipeline.cloud.armed_faults(), why=f"the batcher to die {when} {step}")
            pipeline.cloud.clear_faults()
            prefixes.append(prefix)
    for prefix in prefixes:
        assert_settled(pipeline, prefix, deadline=150)
    assert pipeline.dead_letters() == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", RESULTS_STEPS)
def test_results_that_dies_at_a_step_loses_nothing_and_publishes_all(
    pipeline: Pipeline, prefix: str, step: str, when: str
) -> None:
    pipeline.cloud.faults(crash("Results", *RESULTS_STEPS[step], when))
    upload(pipeline, prefix)
    assert_settled(pipeline, prefix, deadline=60)
    assert not pipeline.cloud.armed_faults(), "nothing was killed"
    pipeline.cloud.clear_faults()
