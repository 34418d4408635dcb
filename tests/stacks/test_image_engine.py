"""The image engine in the analysis workflow: when it is taken, that it leaves no upload out, and what it hands on."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gatehouse.configuration.call_rate import LEAST_CHUNK, CallRate
from gatehouse.moderation.chunk import CHUNK_FAILED, Chunk, ChunkMessage
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.image_pass import ImagePass
from lambdas.results.bulk_run import BulkRun
from lambdas.results.image_run import ImageRun
from lambdas.results.request import Request
from tests.stacks.conftest import Assembly
from tests.stacks.conftest import workflow as workflow_of
from tests.stacks.test_workflow import HISTORY, events
from tests.stacks.workflow import (
    ADAPTER,
    ID,
    JOB,
    QUEUE_URL,
    Workflow,
    answering,
    batch_document,
    failed_job,
    failing_chunks,
    patience,
    retrier_of,
    settled,
    tries_again,
    waiting,
)
from tests.stacks.workflow_run import Run, TaskError, render

#: What the image engine does in a minute, by the fixture: 60 seconds of 5 and of 50 calls.
A_MINUTE = {"live": 300, "live_in_large_region": 3000}

#: So many uploads are no work for the image engine, so `auto` asks for a job.
MANY = 10_000

#: A step gives up an Analyzer that gave up its chunk.
GIVEN_UP = TaskError(CHUNK_FAILED, "5 runs of the Analyzer ended without a result; its log says why")


def messages(run: Run) -> list[ChunkMessage]:
    """What the Analyzer was sent, in order."""
    return [ChunkMessage.parse(json.dumps(call["MessageBody"])) for call in run.calls.get("Analyze chunk", ())]


def requests(run: Run) -> list[Request]:
    """What Results was told, in order."""
    return [Request.parse(call["Payload"]) for call in run.calls["Write verdicts"]]


def image_run(run: Run) -> ImageRun:
    """What Results was told of the one pass there was."""
    (request,) = requests(run)
    assert isinstance(request.analysis, ImageRun)
    return request.analysis


def assert_each_upload_once(chunks: list[Chunk], uploads: int) -> None:
    covered = [n for chunk in chunks for n in range(chunk.first, min(chunk.first + chunk.size, uploads))]
    assert covered == list(range(uploads))
    assert all(chunk.first < uploads for chunk in chunks)


# Which engine


@pytest.mark.parametrize("priority", A_MINUTE)
def test_auto_takes_the_image_engine_for_what_it_can_do_in_a_minute(
    request: pytest.FixtureRequest, priority: str
) -> None:
    workflow: Workflow = request.getfixturevalue(priority)

    done = workflow.run(batch_document("auto", A_MINUTE[priority]))

    assert done.states == [
        *("Read batch", "Which engine?", "Look at chunk queue", "How soon?", "Analyze images"),
        *("Write verdicts", "Analyzed?", "Done"),
    ]
    assert requests(done)[0].fallback is None
    assert done.output == settled()["Payload"]


@pytest.mark.parametrize("priority", A_MINUTE)
def test_auto_takes_bulk_for_more(request: pytest.FixtureRequest, priority: str) -> None:
    workflow: Workflow = request.getfixturevalue(priority)

    done = workflow.run(batch_document("auto", A_MINUTE[priority] + 1))

    assert done.states[4:6] == ["Try to start job", "Wait for job"]
    assert isinstance(requests(done)[0].analysis, BulkRun)
    assert messages(done) == []


@pytest.mark.parametrize(("chunks", "taken"), [(2, 0), (1, 1), (0, 2)])
def test_auto_counts_what_waits_before_a_batch_and_what_is_being_analyzed(
    live: Workflow, chunks: int, taken: int
) -> None:
    """150 uploads are two chunks of 75. So are two that wait, by the estimate: 60 seconds of 5 calls together."""
    look = waiting(chunks, taken)

    soon = live.run(batch_document("auto", 150), Look_at_chunk_queue=answering(look))
    late = live.run(batch_document("auto", 151), Look_at_chunk_queue=answering(look))

    assert "Try to start job" not in soon.calls
    assert "Analyze images" not in late.states


@given(uploads=st.integers(1, 10_000), chunks=st.integers(0, 300))
@hypothesis_settings(max_examples=60)
def test_auto_takes_the_chunks_that_wait_to_be_as_large_as_the_batchs_own(
    live: Workflow, uploads: int, chunks: int
) -> None:
    """Small batches have small chunks: counted as the largest, a few of them would send every batch to bulk."""
    own = min(100, max(3, math.ceil(uploads / 2)))

    done = live.run(batch_document("auto", uploads), Look_at_chunk_queue=answering(waiting(chunks)))

    assert ("Try to start job" not in done.states) is ((chunks * own + uploads) / 5 <= 60)
    assert {message.chunk.size for message in messages(done)} <= {own}


@given(uploads=st.integers(1, 10_000))
@hypothesis_settings(max_examples=30)
def test_room_is_reckoned_by_the_largest_chunks_whatever_the_batchs_own(live: Workflow, uploads: int) -> None:
    for chunks, looks in ((FULL, 1), (FULL + 1, 2)):
        queue = answering(waiting(chunks), waiting(0))

        done = live.run(batch_document("image", uploads), Look_at_chunk_queue=queue)

        assert done.states.count("Look at chunk queue") == looks


def test_a_batch_that_bulk_refused_is_not_offered_to_it_again(live: Workflow, backfill: Workflow) -> None:
    for workflow in (live, backfill):
        done = workflow.run(
            batch_document("auto", MANY),
            Try_to_start_job=answering(TaskError("Rekognition.AccessDeniedException", "closed")),
            Look_at_chunk_queue=answering(waiting(100)),
        )

        assert len(done.calls["Try to start job"]) == 1
        assert done.states.count("Look at chunk queue") == 2
        assert image_run(done).failures == {}
        assert done.states[-1] == "Done"


@pytest.mark.parametrize("uploads", [1, MANY])
@pytest.mark.parametrize("priority", ["live", "backfill"])
def test_a_forced_image_engine_never_asks_for_a_job(
    request: pytest.FixtureRequest, priority: str, uploads: int
) -> None:
    workflow: Workflow = request.getfixturevalue(priority)

    done = workflow.run(batch_document("image", uploads), Look_at_chunk_queue=answering(waiting(30)))

    assert not {"Start job", "Try to start job", "Get job"} & set(done.states)
    assert_each_upload_once([message.chunk for message in messages(done)], uploads)


@pytest.mark.parametrize("uploads", [1, MANY])
def test_a_forced_bulk_engine_has_no_business_with_the_chunk_queue(live: Workflow, uploads: int) -> None:
    done = live.run(batch_document("bulk", uploads))

    assert not {"Look at chunk queue", "Analyze images"} & set(done.states)


def test_a_fast_lane_has_its_images_analyzed_at_once(fast: Workflow) -> None:
    done = fast.run(batch_document("image", 10))

    assert done.states == [
        *("Read batch", "Which engine?", "Analyze images", "Write verdicts", "Analyzed?", "Done"),
    ]
    assert done.waits == []


def test_a_fast_workflow_knows_neither_bulk_nor_waiting_for_a_first_answer(fast: Workflow, live: Workflow) -> None:
    assert {state["Type"] for state in fast.states.values()} == {
        "Task",
        "Choice",
        "Map",
        "Pass",
        "Wait",
        "Succeed",
        "Fail",
    }
    assert [name for name, state in fast.states.items() if state["Type"] == "Wait"] == ["Before next pass"]
    assert not any("rekognition" in json.dumps(state) for state in fast.states.values())
    assert {"Start job", "Try to start job", "Get job", "Look at chunk queue"} < set(live.states) - set(fast.states)


@pytest.mark.parametrize("priority", ["Live", "Backfill"])
@pytest.mark.parametrize("uploads", [1, MANY])
def test_where_no_lane_of_a_priority_may_use_bulk_its_workflow_knows_only_the_image_engine(
    image_only: Assembly, priority: str, uploads: int
) -> None:
    workflow = workflow_of(image_only, priority)

    assert "rekognition" not in json.dumps(workflow.definition).lower()
    assert not {"Start job", "Try to start job", "Wait for job", "Get job", "Next attempt"} & set(workflow.states)
    queue = answering(waiting(1000), waiting(0))
    done = workflow.run(batch_document("image", uploads), Look_at_chunk_queue=queue)
    assert done.states.count("Wait for room") == 1  # it looks for room all the same
    assert_each_upload_once([message.chunk for message in messages(done)], uploads)
    assert done.states[-1] == "Done"


@pytest.mark.parametrize("engine", ["auto", "bulk"])
def test_one_lane_that_may_use_bulk_is_enough_for_its_priority_to_know_it(
    synthesized: Callable[[str], Assembly], engine: str
) -> None:
    lanes = f"lanes: {{default: {{engine: image}}, other: {{prefixes: [other/], engine: {engine}}}}}\n"

    known = workflow_of(synthesized(lanes), "Live")

    assert {"Start job", "Try to start job", "Get job"} < set(known.states)


# Room


#: An hour of 5 calls a second, in chunks of 100.
FULL = 180


@pytest.mark.parametrize("engine", ["image", "auto"])
def test_a_batch_that_there_is_no_room_for_waits_and_looks_again(live: Workflow, engine: str) -> None:
    refusal = TaskError("Rekognition.AccessDeniedException", "closed")
    full = waiting(FULL, 1)

    done = live.run(
        batch_document(engine, MANY),
        Try_to_start_job=answering(refusal),
        Look_at_chunk_queue=answering(full, full, full, waiting(FULL)),
    )

    assert done.states.count("Look at chunk queue") == 4
    assert done.states.count("Wait for room") == (3 if engine == "image" else 2)
    assert done.states.count("Analyze images") == 1
    assert done.states[-1] == "Done"


def test_room_is_looked_for_every_ten_to_thirty_minutes_at_random_however_often_it_was(
    live: Workflow, backfill: Workflow
) -> None:
    """Less than the hour's work that waits meanwhile, so the queue never runs dry; and not all at the same time."""
    looks = [waiting(1000)] * 100

    for workflow in (live, backfill):
        queue = answering(*looks, waiting(0))
        waits = workflow.run(batch_document("image", MANY), Look_at_chunk_queue=queue).waits

        assert len(waits) == len(looks)
        assert all(isinstance(wait, int) and 600 <= wait <= 1800 for wait in waits)
        assert len(set(waits)) > 50
        first, last = waits[:50], waits[50:]
        assert 900 < sum(first) / 50 < 1500
        assert 900 < sum(last) / 50 < 1500


def test_waiting_for_room_for_a_month_stays_within_an_executions_history(live: Workflow) -> None:
    def run(looks: int) -> Run:
        queue = answering(*[waiting(FULL + 1)] * looks, waiting(0))
        return live.run(batch_document("image", MANY), Look_at_chunk_queue=queue)

    a_look = events(run(2)) - events(run(1))
    typical = render(_replaced(live.states["Wait for room"]["Seconds"], "$random()", "0.5"), {}, {})

    assert events(run(0)) + a_look * 30 * 24 * 3600 / typical < HISTORY


def test_auto_rather_asks_for_a_job_than_to_wait_for_room(live: Workflow) -> None:
    done = live.run(batch_document("auto", 1), Look_at_chunk_queue=answering(waiting(FULL + 1)))

    assert "Wait for room" not in done.states
    assert isinstance(requests(done)[0].analysis, BulkRun)


def test_what_is_let_in_is_done_long_before_its_heartbeat_is_missed(live: Workflow, backfill: Workflow) -> None:
    for workflow in (live, backfill):
        heartbeat = workflow.states["Analyze chunk"]["HeartbeatSeconds"]

        assert heartbeat > 10 * 3600


# Chunks


@pytest.mark.parametrize("priority", ["live", "live_in_large_region", "fast", "backfill"])
@given(uploads=st.integers(1, 10_000))
@hypothesis_settings(max_examples=60)
def test_chunks_hold_each_upload_once_and_results_reads_what_was_written(
    request: pytest.FixtureRequest, priority: str, uploads: int
) -> None:
    workflow: Workflow = request.getfixturevalue(priority)

    done = workflow.run(batch_document("image", uploads))

    sent = [message.chunk for message in messages(done)]
    assert_each_upload_once(sent, uploads)
    assert image_run(done).chunks == tuple(sent)
    assert {chunk.image_pass for chunk in sent} == {ImagePass.FIRST}
    assert max(chunk.size for chunk in sent) <= (500 if priority == "live_in_large_region" else 100)


@given(uploads=st.integers(1, 10_000), workers=st.integers(2, 40), chunk_size=st.integers(1, 500))
def test_chunks_hold_each_upload_once_at_every_rate(
    live: Workflow, fast: Workflow, uploads: int, workers: int, chunk_size: int
) -> None:
    for workflow, rendered_workers, rendered_size in ((live, 2, 100), (fast, 2, 100)):
        items: str = workflow.states["Analyze images"]["Items"]
        items = _replaced(items, f": {rendered_size}, $max(", f": {chunk_size}, $max(")
        items = _replaced(items, f"$passSize / {rendered_workers})", f"$passSize / {workers})")

        chunks = [
            Chunk(ID, ImagePass.FIRST, **item) for item in render(items, {"pass": "first", "passSize": uploads}, {})
        ]

        assert_each_upload_once(chunks, uploads)
        assert len({chunk.size for chunk in chunks}) == 1
        assert chunks[0].size <= chunk_size


def _replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{old} is not once in {text}"
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        ("live", {2: 3, 10: 5, 50: 25, 1000: 100}),
        ("live_in_large_region", {2: 25, 10: 25, 50: 25, 1000: 500}),
        ("fast", {2: 1, 10: 5, 50: 25, 1000: 100}),
    ],
)
def test_a_small_batch_is_split_among_the_workers_but_not_into_less_than_a_second_of_one_where_nobody_waits(
    request: pytest.FixtureRequest, priority: str, expected: Mapping[int, int]
) -> None:
    workflow: Workflow = request.getfixturevalue(priority)

    sizes = {uploads: messages(workflow.run(batch_document("image", uploads)))[0].chunk.size for uploads in expected}

    assert sizes == expected


@pytest.mark.parametrize("adapter", [None, ADAPTER])
@pytest.mark.parametrize("priority", ["live", "fast", "backfill"])
def test_the_analyzer_is_told_what_to_ask(request: pytest.FixtureRequest, priority: str, adapter: str | None) -> None:
    workflow: Workflow = request.getfixturevalue(priority)

    formats = [ImageFormat.WEBP]
    done = workflow.run(
        batch_document("image", 300, adapter=adapter, min_confidence=12.5, formats=formats, max_frames=3)
    )

    told = messages(done)
    assert {(message.formats, message.max_frames) for message in told} == {(frozenset(formats), 3)}
    assert {(message.chunk.batch_id, message.min_confidence, message.adapter) for message in told} == {
        (ID, 12.5, adapter)
    }
    assert len({message.token for message in told}) == len(told)  # each step has its own
    assert {call["QueueUrl"] for call in done.calls["Analyze chunk"]} == {QUEUE_URL}


def test_a_batch_from_before_there_was_a_renderer_has_nothing_rendered(live: Workflow) -> None:
    document = batch_document("image", 3)
    del document["formats"], document["max_frames"]

    assert {message.formats for message in messages(live.run(document))} == {frozenset()}
    assert {message.formats for message in messages(live.run(batch_document("image", 3, formats=[])))} == {frozenset()}


@pytest.mark.parametrize("priority", ["live", "fast", "backfill"])
def test_a_chunk_that_was_given_up_fails_its_uploads_and_the_execution_after_the_verdicts_are_written(
    request: pytest.FixtureRequest, priority: str
) -> None:
    workflow: Workflow = request.getfixturevalue(priority)
    errors = {200: GIVEN_UP, 100: TaskError("States.HeartbeatTimeout")}

    done = workflow.run(batch_document("image", 450), Analyze_chunk=failing_chunks(errors))

    assert [states[-1] == "Chunk given up" for states in done.iterations] == [False, True, True, False, False]
    failures = image_run(done).failures
    assert {first: failure.code for first, failure in failures.items()} == {
        100: "HeartbeatTimeout",
        200: CHUNK_FAILED,
    }
    assert failures[100].message == "States.HeartbeatTimeout"  # there is no cause
    assert failures[200].message == GIVEN_UP.cause
    assert done.states[-3:] == ["Write verdicts", "Analyzed?", "Analysis failed"]
    # The first in order. No Fail state may use a name of Step Functions' own.
    assert done.failure == ("HeartbeatTimeout", "States.HeartbeatTimeout")


def test_a_pass_whose_every_chunk_failed_fits_an_execution(live: Workflow) -> None:
    long = TaskError(CHUNK_FAILED, "x" * 32_768)  # the longest cause (Step Functions API reference, SendTaskFailure)

    done = live.run(batch_document("image", MANY), Analyze_chunk=answering(long))

    assert len(image_run(done).failures) == len(done.iterations) == 100
    assert len(json.dumps(done.variables["images"])) < 200_000  # of 262,144
    assert len(json.dumps(done.calls["Write verdicts"])) < 200_000


@pytest.mark.parametrize("character", ["x", "\x01", "漢", "😀"])
def test_the_failures_of_as_many_chunks_as_a_batch_can_have_fit_a_maps_result(live: Workflow, character: str) -> None:
    """With whatever characters: JSON takes six bytes for some. The limit is one of UTF-8 (Step Functions quotas)."""
    done = live.run(batch_document("image", 100), Analyze_chunk=answering(TaskError(CHUNK_FAILED, character * 8_000)))

    failure = max(
        len(json.dumps(failure, ensure_ascii=False).encode()) for failure in done.variables["images"]["failures"]
    )

    assert (failure + 30) * MANY / LEAST_CHUNK < 262_144  # with what goes around it, and a larger number


def test_an_analyzers_answer_is_not_gathered(live: Workflow) -> None:
    """A batch's answers together could be more than an execution carries."""
    done = live.run(batch_document("image", MANY), Analyze_chunk=answering({"whatever": "x" * 10_000}))

    assert len(json.dumps(done.variables)) < 5000
    assert "whatever" not in json.dumps(done.calls["Write verdicts"])


def test_a_chunk_that_was_given_up_is_not_sent_again_but_an_outage_is_waited_for(
    live: Workflow, fast: Workflow, backfill: Workflow
) -> None:
    for workflow in (live, fast, backfill):
        state = workflow.states["Analyze chunk"]

        assert retrier_of(state, CHUNK_FAILED)["MaxAttempts"] == 0
        assert state["Retry"].index(retrier_of(state, CHUNK_FAILED)) == 0
        assert patience(state, "States.TaskFailed") > 3600


@pytest.mark.parametrize("error", ["States.HeartbeatTimeout", "States.Timeout"])
def test_a_chunk_whose_heartbeat_was_missed_is_not_sent_again(
    live: Workflow, fast: Workflow, backfill: Workflow, error: str
) -> None:
    """Its message was there for a day. Another would wait for another day, behind all others."""
    for workflow in (live, fast, backfill):
        assert tries_again(workflow.states["Analyze chunk"], error) == 0
        assert tries_again(workflow.states["Analyze chunk"], "Sqs.SqsException") == 50

        done = workflow.run(batch_document("image", 10), Analyze_chunk=answering(TaskError(error)))

        assert all(states[-1] == "Chunk given up" for states in done.iterations)
        assert {failure.code for failure in image_run(done).failures.values()} == {error.removeprefix("States.")}


def test_a_queue_that_cannot_be_looked_at_is_waited_for(live: Workflow, backfill: Workflow) -> None:
    for workflow in (live, backfill):
        assert patience(workflow.states["Look at chunk queue"], "States.TaskFailed") > 3 * 3600


def test_chunks_under_way_keep_every_worker_busy_and_leave_the_queue_to_others(
    live: Workflow, live_in_large_region: Workflow
) -> None:
    for workflow, calls_per_second in ((live, 5), (live_in_large_region, 50)):
        rate = CallRate(calls_per_second)

        assert workflow.states["Analyze images"]["MaxConcurrency"] == rate.chunks_under_way
        assert rate.workers < rate.chunks_under_way <= 2 * rate.workers


# Leftovers


def leftover_run(workflow: Workflow, engine: str, leftovers: int, **tasks: Any) -> Run:
    """A bulk job that left so many uploads without an answer."""
    results = answering(settled(leftovers), settled())
    return workflow.run(batch_document(engine, MANY), Write_verdicts=results, **tasks)


@pytest.mark.parametrize("engine", ["auto", "bulk"])
@pytest.mark.parametrize("leftovers", [1, 2500])
def test_leftovers_of_bulk_go_through_the_image_engine_once(
    live: Workflow, backfill: Workflow, engine: str, leftovers: int
) -> None:
    for workflow in (live, backfill):
        done = leftover_run(workflow, engine, leftovers)

        first, second = requests(done)
        assert isinstance(first.analysis, BulkRun)
        assert isinstance(second.analysis, ImageRun)
        assert second.fallback is None
        sent = [message.chunk for message in messages(done)]
        assert {chunk.image_pass for chunk in sent} == {ImagePass.LEFTOVERS}
        assert_each_upload_once(sent, leftovers)
        assert second.analysis.chunks == tuple(sent)
        assert second.analysis.image_pass is ImagePass.LEFTOVERS
        assert done.states[-3:] == ["Write verdicts", "Analyzed?", "Done"]
        assert done.states.count("Analyze images") == 1
        assert [call["JobId"] for call in done.calls["Get job"]] == [JOB]  # no second job


@pytest.mark.parametrize("image_pass", [each for each in ImagePass if each.is_of_stragglers])
def test_stragglers_are_asked_about_again_after_a_pause(
    live: Workflow, fast: Workflow, backfill: Workflow, image_pass: ImagePass
) -> None:
    for workflow in (live, fast, backfill):
        results = answering(settled(30, image_pass), settled())

        done = workflow.run(batch_document("image", 100), Write_verdicts=results)

        assert done.failure is None
        assert done.waits[-1] == image_pass.pause_seconds
        written = [call["Payload"]["images"] for call in done.calls["Write verdicts"]]
        assert [(images["pass"], images["uploads"]) for images in written] == [("first", 100), (image_pass, 30)]
        sent = [message.chunk for message in messages(done) if message.chunk.image_pass is image_pass]
        assert_each_upload_once(sent, 30)


def test_a_chunk_that_was_given_up_fails_the_execution_however_well_a_later_pass_ends(live: Workflow) -> None:
    results = answering(settled(5, ImagePass.STRAGGLERS_1), settled())
    failing = failing_chunks({0: TaskError(CHUNK_FAILED, "ten runs")})

    def analyze(arguments: Mapping[str, Any]) -> Any:
        return failing(arguments) if arguments["MessageBody"]["pass"] == "first" else {"first": 0}

    done = live.run(batch_document("image", 100), Write_verdicts=results, Analyze_chunk=analyze)

    assert done.failure == (CHUNK_FAILED, "ten runs")
    assert done.states.count("Write verdicts") == 2


def test_leftovers_wait_for_room_and_ask_for_no_job(live: Workflow) -> None:
    done = leftover_run(
        live,
        "auto",
        9000,
        Look_at_chunk_queue=answering(waiting(0), waiting(FULL + 1), waiting(FULL)),
    )

    assert len(done.calls["Try to start job"]) == 1
    assert done.states.count("Wait for room") == 1
    assert done.states[-1] == "Done"


def test_leftovers_that_the_image_engine_gave_up_fail_the_execution_after_the_verdicts_are_written(
    live: Workflow,
) -> None:
    done = leftover_run(live, "bulk", 60, Analyze_chunk=failing_chunks({30: GIVEN_UP}))

    _, second = requests(done)
    assert isinstance(second.analysis, ImageRun)
    assert set(second.analysis.failures) == {30}
    assert done.failure == (GIVEN_UP.error, GIVEN_UP.cause)


def test_a_job_without_leftovers_is_done(live: Workflow) -> None:
    done = leftover_run(live, "auto", 0)

    assert "Analyze images" not in done.states
    assert len(requests(done)) == 1


def test_a_batch_that_bulk_failed_is_told_so_to_results_once_its_images_are_analyzed(live: Workflow) -> None:
    done = live.run(
        batch_document("auto", MANY),
        Get_job=answering(failed_job("INVALID_MANIFEST", "line 3")),
        Analyze_chunk=failing_chunks({100: GIVEN_UP}),
    )

    (call,) = done.calls["Write verdicts"]
    told: Mapping[str, Any] = call["Payload"]
    assert told["fallback"] == {"code": "INVALID_MANIFEST", "message": "line 3", "is_refusal": False}
    assert [failure["first"] for failure in told["images"]["failures"]] == [100]
    assert done.failure == (GIVEN_UP.error, GIVEN_UP.cause)
