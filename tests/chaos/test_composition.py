"""A seed is a run: the same uploads, and the same faults between the same uploads."""

from tests.chaos import table
from tests.chaos.composition import compose
from tests.chaos.ledger import Kind


def test_the_same_seed_composes_the_same_run() -> None:
    assert compose(7, 2_000) == compose(7, 2_000)
    assert compose(7, 2_000) != compose(8, 2_000)


def test_a_run_has_answers_that_are_too_large_at_each_task_whose_answer_can_grow() -> None:
    faults = [fault for stretch in compose(7, 10_000) for fault in stretch.faults]

    assert {fault["call"] for fault in faults if fault.get("action") == "enlarge"} == {
        call.call for call in table.calls_of_any_size()
    }


def test_a_run_throttles_for_a_moment_or_for_long() -> None:
    switches = [stretch.switches for stretch in compose(7, 10_000)]

    assert any("throttle_calls" in each for each in switches)
    assert {"DetectModerationLabels": 1} in [each.get("requests_per_second") for each in switches]
    assert None not in [each["requests_per_second"] for each in switches if "requests_per_second" in each], "lasts"


def test_a_poisoned_image_is_one_the_image_engine_asks_about_and_stays_poisoned() -> None:
    stretches = compose(7, 10_000)
    uploads: dict[str, set[Kind]] = {}
    before: tuple[str, ...] = ()
    for stretch in stretches:
        for key, kind in stretch.uploads:
            uploads.setdefault(key, set()).add(kind)
        assert stretch.poisoned[: len(before)] == before
        assert stretch.switches["fail_images"] == list(stretch.poisoned)
        assert set(stretch.poisoned[len(before) :]) <= dict(stretch.uploads).keys()
        before = stretch.poisoned

    assert 10 < len(before) < len(stretches)
    assert {key.partition("/")[0] for key in before} == {"image", "auto", "fast"}
    assert all(any(kind.is_paid for kind in uploads[key]) for key in before)


def test_a_run_has_as_many_uploads_as_were_asked_for() -> None:
    assert sum(len(stretch.uploads) for stretch in compose(7, 2_001)) == 2_001


def test_a_stretch_uploads_no_key_twice_and_a_run_overwrites_some() -> None:
    keys = [key for stretch in compose(7, 2_000) for key, _ in stretch.uploads]

    assert len(set(keys)) < len(keys)
    for stretch in compose(7, 2_000):
        assert len(dict(stretch.uploads)) == len(stretch.uploads)
