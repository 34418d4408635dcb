import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation import rendition
from gatehouse.moderation.analysis import ImageError, answer_line, error_line
from gatehouse.moderation.batch import Batch
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.matching import Answers, BulkAnswers, ImageAnswers, is_leftover, judge, withdraw
from gatehouse.moderation.png_animation import ANIMATED
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_item
from tests.unit.builders import (
    ADAPTER,
    a_batch,
    a_claim,
    a_lane,
    a_policy,
    a_verdict,
    an_answer,
    an_upload,
    result_line,
    terms_and_index,
)
from tests.unit.moderation.test_upload import JSON

CAT, DOG = an_upload("cat.jpg"), an_upload("dog.jpg")
DECIDED_AT = "2026-11-22T12:05:00.000Z"

#: No format is rendered.
NOTHING: frozenset[ImageFormat] = frozenset()


def _verdicts(answers: Answers, batch: Batch | None = None) -> dict[str, Verdict]:
    settings, index = terms_and_index(batch or a_batch([a_claim(CAT), a_claim(DOG)]))
    return {verdict.upload.key: verdict for verdict in judge(settings, index, answers, DECIDED_AT)}


def _answers(*lines: str | bytes, summary: object = None, job_failure: Failure | None = None) -> BulkAnswers:
    answers = BulkAnswers("job-1", job_failure)
    answers.add_results(lines)
    if summary is not None:
        answers.add_summary(json.dumps(summary))
    return answers


def _image_answers(*lines: str | bytes) -> ImageAnswers:
    answers = ImageAnswers()
    answers.add_results(lines)
    return answers


def _errors(*errors: dict[str, Any]) -> dict[str, Any]:
    return {"version": "1.0", "statistics": {}, "errors": list(errors)}


def test_each_upload_is_judged_on_its_own_line() -> None:
    verdicts = _verdicts(_answers(result_line(DOG.object, {"Violence": 95}), result_line(CAT.object)))

    assert verdicts["cat.jpg"].status is Status.APPROVED
    assert verdicts["dog.jpg"].status is Status.BLOCKED
    assert verdicts["dog.jpg"].reasons[0].label == "Violence"


def test_each_upload_is_judged_by_the_policy_of_its_prefix() -> None:
    kid, kidding = an_upload("kids/cat.jpg"), an_upload("kidding/cat.jpg")
    claims = [a_claim(kid), a_claim(kidding)]
    policies = {"standard": a_policy({}, default="allow"), "strict": a_policy({}, default={"block": 10})}
    lane = a_lane(policy_overrides=(("kids/", "strict"),))
    batch = Batch.of("batch-1", lane, policies, claims[0].claimed_at, claims)

    verdicts = _verdicts(_answers(*(result_line(upload.object, {"Violence": 95}) for upload in (kid, kidding))), batch)

    assert verdicts["kids/cat.jpg"].status is Status.BLOCKED
    assert verdicts["kids/cat.jpg"].policy == policies["strict"].reference
    assert verdicts["kidding/cat.jpg"].status is Status.APPROVED
    assert verdicts["kidding/cat.jpg"].policy == policies["standard"].reference


def test_a_judged_verdict_says_how_it_came_about() -> None:
    verdict = _verdicts(_answers(result_line(CAT.object)))["cat.jpg"]
    policy = a_policy()

    assert (verdict.decided_at, verdict.engine, verdict.job_id) == (DECIDED_AT, Engine.BULK, "job-1")
    assert (verdict.min_confidence, verdict.adapter_asked) == (30.0, None)
    assert verdict.policy is not None
    assert (verdict.policy.name, verdict.policy.version, verdict.policy.hash) == ("test", "1", policy.hash)
    assert verdict.analysis is not None
    assert verdict.failure is None


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["", "  \n"],
        ["not json"],
        [json.dumps({"source-ref": CAT.object})],
        [json.dumps({"source-ref": CAT.object, "detect-moderation-labels": {}})],
        [result_line("s3://uploads/cat%2Ejpg")],
        [result_line("s3://other/cat.jpg")],
        [result_line(CAT.object), json.dumps({"source-ref": CAT.object})],
        [json.dumps({"source-ref": CAT.object}), result_line(CAT.object)],
        [result_line(CAT.object), json.dumps({"source-ref": CAT.object, "detect-moderation-labels": []})],
        [result_line(CAT.object), result_line(CAT.object, {"Alcohol": 50})],
        [result_line(CAT.object), result_line(CAT.object, {"Alcohol": 50}), result_line(CAT.object)],
    ],
)
def test_an_upload_without_one_trustworthy_result_fails(lines: list[str]) -> None:
    verdict = _verdicts(_answers(*lines))["cat.jpg"]

    assert verdict.status is Status.FAILED
    assert verdict.failure is not None
    assert verdict.analysis is None
    assert verdict.policy is None


def test_a_repeated_line_that_agrees_is_one_answer() -> None:
    assert _verdicts(_answers(*[result_line(CAT.object)] * 2))["cat.jpg"].status is Status.APPROVED


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], "NotAnalyzed"),
        ([json.dumps({"source-ref": CAT.object})], "NotAnalyzed"),
        ([json.dumps({"source-ref": CAT.object, "detect-moderation-labels": {}})], "UnreadableResult"),
        ([result_line(CAT.object), result_line(CAT.object, {"Alcohol": 1})], "ContradictoryResults"),
    ],
)
def test_a_failure_says_what_was_wrong_with_the_result(lines: list[str], code: str) -> None:
    failure = _verdicts(_answers(*lines))["cat.jpg"].failure

    assert failure is not None
    assert failure.code == code


@pytest.mark.parametrize("code", ["InvalidImageFormatException", "ImageTooLargeException"])
def test_an_image_rekognition_cannot_read_is_unsupported(code: str) -> None:
    summary = _errors({"line-number": 1, "source-ref": CAT.object, "code": code, "message": "no image"})

    verdict = _verdicts(_answers(summary=summary))["cat.jpg"]

    assert verdict.status is Status.UNSUPPORTED
    assert verdict.failure == Failure(code, "no image")


def test_an_error_code_nobody_documents_is_a_failure() -> None:
    summary = _errors({"line-numer": 1, "source-ref": CAT.object, "code": "ERROR_X", "message": "odd"})

    verdict = _verdicts(_answers(summary=summary))["cat.jpg"]

    assert verdict.status is Status.FAILED
    assert verdict.failure == Failure("ERROR_X", "odd")


def test_an_error_in_the_summary_outweighs_a_result_line() -> None:
    summary = _errors({"source-ref": CAT.object, "code": "ERROR_X", "message": "odd"})

    assert _verdicts(_answers(result_line(CAT.object), summary=summary))["cat.jpg"].status is Status.FAILED


def test_an_error_without_words_is_still_an_error() -> None:
    verdict = _verdicts(_answers(result_line(CAT.object), summary=_errors({"source-ref": CAT.object})))["cat.jpg"]

    assert verdict.status is Status.FAILED
    assert verdict.failure is not None
    assert verdict.failure.code == "NotAnalyzed"


def test_an_endless_error_message_is_cut() -> None:
    error = {"source-ref": CAT.object, "code": "C" * 10_000, "message": "\ud800" * 400_000}

    failure = _verdicts(_answers(summary=_errors(error)))["cat.jpg"].failure

    assert failure == Failure("C" * 128, "?" * 1024)


def test_an_error_named_by_line_leaves_its_upload_without_an_analysis() -> None:
    verdict = _verdicts(_answers(summary=_errors({"line-numer": 0, "code": "ERROR_X", "message": "odd"})))["cat.jpg"]

    assert verdict.failure is not None
    assert verdict.failure.code == "NotAnalyzed"


@given(text=JSON.map(json.dumps) | JSON.map(lambda errors: json.dumps({"errors": errors})) | st.text() | st.binary())
def test_no_summary_raises_or_takes_an_analysis_away_by_accident(text: str | bytes) -> None:
    answers = _answers(result_line(CAT.object))
    answers.add_summary(text)

    assert _verdicts(answers)["cat.jpg"].status is Status.APPROVED


@given(lines=st.lists(JSON.map(json.dumps) | st.text() | st.binary()))
def test_no_result_file_raises_or_approves_by_accident(lines: list[str | bytes]) -> None:
    assert {verdict.status for verdict in _verdicts(_answers(*lines)).values()} == {Status.FAILED}


def test_a_failed_job_fails_every_upload_it_was_to_analyze() -> None:
    batch = a_batch([a_claim(CAT), a_claim(an_upload("empty.jpg", size=0))])
    failure = Failure("INTERNAL_ERROR", "try later")

    verdicts = _verdicts(_answers(result_line(CAT.object), job_failure=failure), batch)

    assert (verdicts["cat.jpg"].status, verdicts["cat.jpg"].failure) == (Status.FAILED, failure)
    assert verdicts["empty.jpg"].status is Status.UNSUPPORTED


def test_a_refused_upload_keeps_its_refusal_whatever_came_back() -> None:
    empty = an_upload("empty.jpg", size=0)

    verdict = _verdicts(_answers(result_line(empty.object)), a_batch([a_claim(empty)]))["empty.jpg"]

    assert verdict.status is Status.UNSUPPORTED
    assert verdict.failure is not None
    assert verdict.failure.code == "EmptyObject"
    assert verdict.engine is None


def test_an_older_version_of_an_object_does_not_get_the_newer_ones_answer() -> None:
    older, newer = (an_upload(sequencer=f"{n}", version_id=f"version-{n}") for n in range(2))
    settings, index = terms_and_index(a_batch([a_claim(older), a_claim(newer)]))

    verdicts = list(judge(settings, index, _answers(result_line(newer.object)), DECIDED_AT))

    assert [verdict.status for verdict in verdicts] == [Status.FAILED, Status.APPROVED]
    assert verdicts[0].failure is not None
    assert "newer upload" in verdicts[0].failure.message


@pytest.mark.parametrize("confidences", [{}, {"Violence": 95}])
@pytest.mark.parametrize("engine", [Engine.BULK, Engine.IMAGE])
def test_an_overwritten_upload_is_superseded_whatever_either_engine_says(
    engine: Engine, confidences: dict[str, float]
) -> None:
    older, newer = (an_upload(sequencer=sequencer) for sequencer in ("1", "2"))
    settings, index = terms_and_index(a_batch([a_claim(older), a_claim(newer)]))
    answers: Answers = (
        _answers(result_line(CAT.object, confidences))
        if engine is Engine.BULK
        else _image_answers(*(answer_line(CAT.object, n, an_answer(confidences)) for n in range(2)))
    )

    first, second = (entry for entry in judge(settings, index, answers, DECIDED_AT))

    assert first.failure is not None
    assert (first.status, first.failure.code, first.engine) == (Status.FAILED, "Superseded", engine)
    assert (first.analysis, first.policy, first.reasons) == (None, None, ())
    assert second.status is (Status.BLOCKED if confidences else Status.APPROVED)
    assert not is_leftover(first, NOTHING)


def test_an_overwritten_upload_is_superseded_even_if_the_job_failed() -> None:
    found = [a_claim(an_upload(sequencer=sequencer)) for sequencer in ("1", "2")]
    settings, index = terms_and_index(a_batch(found))
    failure = Failure("INTERNAL_ERROR", "try later")

    verdicts = list(judge(settings, index, _answers(job_failure=failure), DECIDED_AT))

    assert [verdict.failure.code for verdict in verdicts if verdict.failure] == ["Superseded", "INTERNAL_ERROR"]
    assert [is_leftover(verdict, NOTHING) for verdict in verdicts] == [False, True]


@pytest.mark.parametrize(
    ("asked", "answered", "confidences", "status"),
    [
        (ADAPTER, ADAPTER, {}, Status.APPROVED),
        (ADAPTER, None, {}, Status.FAILED),
        (ADAPTER, "another", {}, Status.FAILED),
        (ADAPTER, None, {"Violence": 95}, Status.BLOCKED),
        (None, None, {}, Status.APPROVED),
    ],
)
def test_an_answer_without_the_adapter_that_was_asked_for_approves_nothing(
    asked: str | None, answered: str | None, confidences: dict[str, float], status: Status
) -> None:
    batch = a_batch([a_claim(CAT)], lane=a_lane(adapter=asked))

    verdict = _verdicts(_answers(result_line(CAT.object, confidences, adapter=answered)), batch)["cat.jpg"]

    assert verdict.status is status
    assert verdict.failure is None or verdict.failure.code == "AdapterIgnored"
    assert verdict.adapter_asked == asked


def test_a_failure_remembers_the_adapter_that_was_asked_for() -> None:
    verdict = _verdicts(_answers(), a_batch([a_claim(CAT)], lane=a_lane(adapter=ADAPTER)))["cat.jpg"]

    assert verdict.status is Status.FAILED
    assert verdict_item(verdict)["adapter"] == {"asked": ADAPTER, "answered": None}


def test_lines_about_nobody_are_counted() -> None:
    older, empty = an_upload(sequencer="1"), an_upload("empty.jpg", size=0)
    _, index = terms_and_index(a_batch([a_claim(older), a_claim(an_upload(sequencer="2")), a_claim(empty)]))
    answers = _answers(
        result_line(older.object), result_line(empty.object), result_line("s3://uploads/other.jpg"), "{", b"\xff", ""
    )

    assert answers.unmatched(index) == 2
    assert answers.unreadable_lines == 2


@pytest.mark.parametrize("again", [{}, {"Alcohol": 50.0}])
def test_a_second_line_for_an_image_has_no_upload_of_its_own(again: dict[str, float]) -> None:
    _, index = terms_and_index(a_batch([a_claim(CAT), a_claim(DOG)]))
    answers = _answers(result_line(CAT.object), result_line(DOG.object), result_line(CAT.object, again))

    assert answers.unmatched(index) == 1


def test_a_line_that_names_its_image_and_is_unreadable_otherwise_is_counted() -> None:
    answers = _answers(json.dumps({"source-ref": CAT.object, "detect-moderation-labels": {}}))

    assert answers.unreadable_lines == 1


def test_a_doubt_takes_an_approvals_place() -> None:
    approval = a_verdict(Status.APPROVED)
    failure = Failure("Superseded", "overwritten")

    withdrawn = withdraw(approval, failure)

    assert (withdrawn.status, withdrawn.failure, withdrawn.claim) == (Status.FAILED, failure, approval.claim)
    assert (withdrawn.analysis, withdrawn.policy, withdrawn.reasons) == (None, None, ())
    assert (withdrawn.engine, withdrawn.job_id) == (approval.engine, approval.job_id)


def test_without_a_doubt_a_verdict_stays_as_it_is() -> None:
    assert withdraw(a_verdict(Status.APPROVED), None) == a_verdict(Status.APPROVED)


def test_each_version_of_an_object_gets_the_image_engines_own_answer() -> None:
    versions = [an_upload(sequencer=f"{n}", version_id=f"v{n}") for n in range(3)]
    settings, index = terms_and_index(a_batch([*map(a_claim, versions)]))
    answers = _image_answers(
        answer_line(CAT.object, 1, an_answer({"Violence": 60})),
        answer_line(CAT.object, 0, an_answer({"Violence": 95})),
        answer_line(CAT.object, 2, an_answer()),
    )

    verdicts = list(judge(settings, index, answers, DECIDED_AT))

    assert [verdict.status for verdict in verdicts] == [Status.BLOCKED, Status.REVIEW, Status.APPROVED]
    assert all((verdict.engine, verdict.job_id) == (Engine.IMAGE, None) for verdict in verdicts)
    assert all(verdict.is_pinned for verdict in verdicts)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["not json"],
        [result_line(CAT.object)],  # bulk's line: it has no number
        [answer_line(CAT.object, 1, an_answer())],
        [answer_line(CAT.object, -1, an_answer())],
        [answer_line(DOG.object, 0, an_answer())],
        [answer_line("s3://other/cat.jpg", 0, an_answer())],
        [answer_line(CAT.object, 0, {})],
        [json.dumps({"source-ref": CAT.object, "n": "0", "detect-moderation-labels": an_answer()})],
        [json.dumps({"source-ref": CAT.object, "n": False, "detect-moderation-labels": an_answer()})],
        [json.dumps({"source-ref": CAT.object, "n": 0.0, "detect-moderation-labels": an_answer()})],
        [json.dumps({"source-ref": CAT.object, "n": 0, "detect-moderation-labels": an_answer() | {"ContentTypes": 1}})],
    ],
)
def test_the_image_engine_approves_nothing_without_a_line_of_the_upload_itself(lines: list[str]) -> None:
    verdict = _verdicts(_image_answers(*lines))["cat.jpg"]

    assert verdict.status is Status.FAILED
    assert verdict.failure is not None
    assert verdict.failure.code == "NotAnalyzed"
    assert (verdict.analysis, verdict.policy) == (None, None)


@given(lines=st.lists(JSON.map(json.dumps) | st.text() | st.binary()))
def test_no_chunk_file_raises_or_approves_by_accident(lines: list[str | bytes]) -> None:
    assert {verdict.status for verdict in _verdicts(_image_answers(*lines)).values()} == {Status.FAILED}


@pytest.mark.parametrize(
    ("code", "message", "status"),
    [
        ("InvalidImageFormatException", "no image", Status.UNSUPPORTED),
        ("ImageTooLargeException", "too large", Status.UNSUPPORTED),
        ("InvalidParameterException", "Input image dimensions 10800 x 5400 exceed the maximum", Status.UNSUPPORTED),
        ("InvalidParameterException", "Invalid ProjectVersion", Status.FAILED),
        ("InvalidS3ObjectException", "Unable to get object metadata from S3", Status.FAILED),
        ("InternalServerError", "five times", Status.FAILED),
    ],
)
def test_an_error_of_an_image_is_its_uploads_end(code: str, message: str, status: Status) -> None:
    verdict = _verdicts(_image_answers(error_line(CAT.object, 0, ImageError(code, message))))["cat.jpg"]

    assert (verdict.status, verdict.failure, verdict.engine) == (status, Failure(code, message), Engine.IMAGE)


@pytest.mark.parametrize(("adapter", "status"), [(None, Status.UNSUPPORTED), (ADAPTER, Status.FAILED)])
@pytest.mark.parametrize("engine", [Engine.BULK, Engine.IMAGE])
def test_an_invalid_parameter_is_the_images_only_if_no_adapter_was_asked_for(
    engine: Engine, adapter: str | None, status: Status
) -> None:
    code, message = "InvalidParameterException", "Request has invalid parameters"
    answers: Answers = (
        _answers(summary=_errors({"source-ref": CAT.object, "code": code, "message": message}))
        if engine is Engine.BULK
        else _image_answers(error_line(CAT.object, 0, ImageError(code, message)))
    )

    verdict = _verdicts(answers, a_batch([a_claim(CAT)], lane=a_lane(adapter=adapter)))["cat.jpg"]

    assert (verdict.status, verdict.failure, verdict.adapter_asked) == (status, Failure(code, message), adapter)
    assert is_leftover(verdict, NOTHING) is (engine is Engine.BULK and adapter is not None)


def test_a_chunk_that_was_given_up_fails_what_it_had_not_analyzed() -> None:
    _, index = terms_and_index(a_batch([a_claim(CAT), a_claim(DOG), a_claim(an_upload("bird.jpg"))]))
    answers = _image_answers(
        answer_line(CAT.object, 0, an_answer()),
        error_line(DOG.object, 1, ImageError("InvalidImageFormatException", "no")),
    )
    answers.add_failure(index, Failure("ChunkFailed", "five runs"))

    verdicts = _verdicts(answers, a_batch([a_claim(CAT), a_claim(DOG), a_claim(an_upload("bird.jpg"))]))

    assert verdicts["cat.jpg"].status is Status.APPROVED
    assert verdicts["dog.jpg"].status is Status.UNSUPPORTED
    assert verdicts["bird.jpg"].failure == Failure("ChunkFailed", "five runs")


def test_lines_of_a_chunk_that_name_no_upload_are_counted() -> None:
    answers = _image_answers(answer_line(CAT.object, 0, an_answer()), result_line(DOG.object), "{", b"\xff")

    assert answers.unreadable_lines == 3


def _failed(failure: Failure, engine: Engine) -> Verdict:
    return withdraw(a_verdict(Status.APPROVED, engine=engine), failure)


@pytest.mark.parametrize(
    ("code", "message", "is_one"),
    [
        ("NotAnalyzed", "no result", True),
        ("UnreadableResult", "not JSON", True),
        ("ContradictoryResults", "two", True),
        ("ERROR_X", "odd", True),
        ("InvalidS3ObjectException", "Unable to get object metadata from S3", True),
        ("AdapterIgnored", "expired", False),
        ("Superseded", "overwritten", False),
        ("Unconfirmable", "multipart", False),
        ("InvalidImageFormatException", "no image", False),
        ("ImageTooLargeException", "too large", False),
        ("InvalidParameterException", "Request has invalid parameters", False),
    ],
)
def test_what_bulk_left_without_a_definite_answer_is_a_leftover(code: str, message: str, is_one: bool) -> None:
    assert is_leftover(_failed(Failure(code, message), Engine.BULK), NOTHING) is is_one


@pytest.mark.parametrize(
    ("failure", "formats", "is_one"),
    [
        (Failure("InvalidImageFormatException", "no image"), {ImageFormat.WEBP}, True),
        (Failure("ImageTooLargeException", "too large"), {ImageFormat.JPEG}, True),
        (ANIMATED, {ImageFormat.PNG}, True),
        (ANIMATED, {ImageFormat.WEBP}, False),
        (Failure("Superseded", "overwritten"), set(ImageFormat), False),
    ],
)
def test_what_bulk_does_not_read_is_a_leftover_where_such_images_are_rendered(
    failure: Failure, formats: set[ImageFormat], is_one: bool
) -> None:
    assert is_leftover(_failed(failure, Engine.BULK), formats) is is_one
    assert not is_leftover(_failed(failure, Engine.BULK), NOTHING)


@pytest.mark.parametrize("code", sorted(rendition.UNSUPPORTED_CODES))
def test_a_refusal_of_the_renderer_says_that_the_image_is_unsupported(code: str) -> None:
    answers = _image_answers(error_line(CAT.object, 0, ImageError(code, "a picture of ours it is not")))

    assert _verdicts(answers)["cat.jpg"].status is Status.UNSUPPORTED


@given(code=st.text(), message=st.text())
def test_the_image_engine_leaves_nothing_over(code: str, message: str) -> None:
    assert not is_leftover(_failed(Failure(code, message), Engine.IMAGE), frozenset(ImageFormat))


def test_a_judged_or_refused_upload_is_no_leftover() -> None:
    refused = _verdicts(_answers(), a_batch([a_claim(an_upload("empty.jpg", size=0)), a_claim(CAT, attempt=4)]))

    assert {verdict.status for verdict in refused.values()} == {Status.UNSUPPORTED, Status.FAILED}
    assert not any(is_leftover(verdict, frozenset(ImageFormat)) for verdict in refused.values())
    assert not any(
        is_leftover(a_verdict(status), frozenset(ImageFormat))
        for status in (Status.APPROVED, Status.REVIEW, Status.BLOCKED)
    )


def test_an_older_version_of_an_object_is_left_to_the_image_engine() -> None:
    older, newer = (an_upload(sequencer=f"{n}", version_id=f"version-{n}") for n in range(2))
    settings, index = terms_and_index(a_batch([a_claim(older), a_claim(newer)]))

    verdicts = list(judge(settings, index, _answers(result_line(newer.object)), DECIDED_AT))

    assert [is_leftover(verdict, NOTHING) for verdict in verdicts] == [True, False]
