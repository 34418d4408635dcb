import pytest

from gatehouse.moderation.engine import Engine


def _facts(engine: Engine) -> tuple[bool, bool, bool]:
    return engine.names_versions, engine.reads_manifest, engine.leaves_leftovers


def test_bulk_reads_a_manifest_that_names_no_versions_and_leaves_what_it_is_unsure_of() -> None:
    assert _facts(Engine.BULK) == (False, True, True)


def test_the_image_engine_is_given_the_key_and_its_version_and_its_answer_is_final() -> None:
    assert _facts(Engine.IMAGE) == (True, False, False)


def test_auto_needs_the_care_that_either_of_its_engines_needs() -> None:
    assert set(Engine.AUTO.candidates) == {Engine.BULK, Engine.IMAGE}
    assert _facts(Engine.AUTO) == (False, True, True)


@pytest.mark.parametrize("engine", Engine)
def test_what_answers_in_the_end_is_its_own_only_candidate(engine: Engine) -> None:
    assert all(candidate.candidates == (candidate,) for candidate in engine.candidates)
