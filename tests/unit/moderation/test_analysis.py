import json
from contextlib import suppress
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.aws.flag_topic import MAX_BYTES, message_size
from gatehouse.moderation.analysis import (
    MAX_LINE_BYTES,
    Analysis,
    ContentType,
    ImageError,
    Label,
    ResultLine,
    ResultLineError,
    answer_line,
    error_line,
    parse_answer,
    parse_result_line,
)
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.policy.taxonomy import PARENTS
from gatehouse.moderation.verdict_item import verdict_item
from tests.unit.builders import a_claim, a_policy, a_verdict, an_answer, an_upload, labels
from tests.unit.moderation.test_upload import JSON, KEYS

SOURCE = "s3://uploads/cat.jpg"


def _line(answer: object) -> str:
    return json.dumps({"source-ref": SOURCE, "detect-moderation-labels": answer})


def _with_label(**fields: Any) -> str:
    label = {"Name": "Weapons", "ParentName": "Violence", "Confidence": 80.0, "TaxonomyLevel": 2}
    return _line({"ModerationLabels": [label | fields]})


def test_a_result_line_is_read() -> None:
    answer = an_answer({"Weapons": 80.25}, adapter="arn") | {
        "ContentTypes": [{"Name": "Animated", "Confidence": 72.7}],
    }

    result = parse_result_line(_line(answer))

    assert result.source == SOURCE
    assert result.analysis == Analysis(
        (Label("Weapons", "Violence", 80.25, 2),), (ContentType("Animated", 72.7),), "7.0", "arn"
    )


def test_an_image_without_findings_has_an_analysis_without_labels() -> None:
    assert parse_result_line(_line({"ModerationLabels": []})).analysis == Analysis()


@pytest.mark.parametrize("line", [json.dumps({"source-ref": SOURCE}), _line(None)])
def test_a_line_without_an_answer_has_no_analysis(line: str) -> None:
    assert parse_result_line(line).analysis is None


@pytest.mark.parametrize("level", [None, 0, 4, 10**400, True, 2.0, "2", [], {}])
def test_a_level_that_says_nothing_is_left_open(level: object) -> None:
    analysis = parse_result_line(_with_label(TaxonomyLevel=level)).analysis

    assert analysis is not None
    assert analysis.labels[0].level is None


@pytest.mark.parametrize("parent", [None, ""])
def test_a_label_of_level_1_has_no_parent(parent: object) -> None:
    analysis = parse_result_line(_with_label(Name="Violence", ParentName=parent)).analysis

    assert analysis is not None
    assert analysis.labels[0].parent == ""


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        "text",
        0,
        False,
        {"ModerationLabels": None},
        {"ModerationLabels": {}},
        {"ModerationLabels": ""},
        {"ContentTypes": []},
        {"ModerationLabels": [], "ContentTypes": "Animated"},
        {"ModerationLabels": [], "ContentTypes": [{}]},
        {"ModerationLabels": [], "ModerationModelVersion": 7},
        {"ModerationLabels": [], "ProjectVersion": {}},
        {"ModerationLabels": [], "ModerationModelVersion": "\ud800"},
        {"ModerationLabels": ["Violence"]},
    ],
)
def test_missing_or_malformed_labels_never_count_as_no_labels(answer: object) -> None:
    with pytest.raises(ResultLineError) as caught:
        parse_result_line(_line(answer))

    assert caught.value.source == SOURCE


@pytest.mark.parametrize("confidence", [None, "90", True, -0.1, 100.1, float("nan"), float("inf"), 10**400, [90]])
def test_a_confidence_that_is_none_is_refused(confidence: object) -> None:
    with pytest.raises(ResultLineError, match="Confidence"):
        parse_result_line(_with_label(Confidence=confidence))


@pytest.mark.parametrize(("sent", "kept"), [(0, 0.0), (100, 100.0), (1e-300, 0.0), (99.99999237060547, 99.999992)])
def test_a_confidence_keeps_six_decimals(sent: float, kept: float) -> None:
    analysis = parse_result_line(_with_label(Confidence=sent)).analysis

    assert analysis is not None
    assert analysis.labels[0].confidence == kept


@pytest.mark.parametrize(
    "fields",
    [{"Name": None}, {"Name": ""}, {"Name": 1}, {"Name": "\ud800"}, {"ParentName": 1}, {"ParentName": "\ud8ff"}],
)
def test_a_name_that_is_none_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ResultLineError, match="Name"):
        parse_result_line(_with_label(**fields))


@pytest.mark.parametrize("line", ["", "{", "[]", "null", '"text"', "{}", '{"source-ref": 1}', b"\xff", "[" * 100_000])
def test_a_line_that_names_no_image_says_so(line: str | bytes) -> None:
    with pytest.raises(ResultLineError) as caught:
        parse_result_line(line)

    assert caught.value.source is None


def test_a_line_as_long_as_no_answer_can_be_is_refused() -> None:
    fits = _line({"ModerationLabels": []}).encode()

    assert parse_result_line(fits + b" " * (MAX_LINE_BYTES - len(fits))).analysis == Analysis()
    with pytest.raises(ResultLineError, match="bytes") as caught:
        parse_result_line(fits + b" " * (MAX_LINE_BYTES + 1 - len(fits)))
    assert caught.value.source == SOURCE


def test_the_largest_answer_fits_a_line_a_transaction_and_a_flag() -> None:
    sure = 99.99999237060547
    answer = an_answer(dict.fromkeys(PARENTS, sure))
    answer["ContentTypes"] = [{"Name": f"Sports and Leisure Illustrated {n}", "Confidence": sure} for n in range(50)]
    upload = an_upload("😀" * 256)
    analysis = parse_result_line(json.dumps({"source-ref": upload.object, "detect-moderation-labels": answer})).analysis
    assert analysis is not None
    decision = a_policy(rules={}, default={"review": 0}).judge(analysis)
    verdict = a_verdict(claim=a_claim(upload), analysis=analysis, reasons=decision.reasons)

    assert message_size(Flag.of(verdict)) < MAX_BYTES
    assert 100 * len(json.dumps(verdict_item(verdict), default=str).encode()) < 4 * 1024 * 1024


@given(answer=JSON)
def test_no_answer_raises_anything_but_a_result_line_error(answer: object) -> None:
    with suppress(ResultLineError):
        parse_answer(answer)


@given(line=st.text() | st.binary() | JSON.map(json.dumps) | JSON.map(_line))
def test_no_line_raises_anything_but_a_result_line_error(line: str | bytes) -> None:
    with suppress(ResultLineError):
        parse_result_line(line)


@given(
    field=st.sampled_from(["Name", "ParentName", "Confidence", "TaxonomyLevel"]), value=JSON | st.text(st.characters())
)
def test_what_is_read_can_be_stored(field: str, value: object) -> None:
    try:
        result = parse_result_line(_with_label(**{field: value}))
    except ResultLineError:
        return
    item = verdict_item(a_verdict(analysis=result.analysis))
    assert json.dumps(TypeSerializer().serialize(item), ensure_ascii=False).encode()


def test_labels_of_the_builders_are_those_of_the_parser() -> None:
    assert parse_answer(an_answer({"Violence": 70.0, "Weapons": 60.0})).labels == labels(
        {"Violence": 70.0, "Weapons": 60.0}
    )


@given(
    key=KEYS, n=st.integers(0, 9_999), confidences=st.dictionaries(st.sampled_from(sorted(PARENTS)), st.floats(0, 100))
)
def test_an_answer_survives_its_line(key: str, n: int, confidences: dict[str, float]) -> None:
    answer, source = an_answer(confidences, adapter="arn"), an_upload(key).object

    line = answer_line(source, n, answer)

    assert line.encode().splitlines() == [line.encode()]
    assert parse_result_line(line.encode()) == ResultLine(source, parse_answer(answer), n)


@given(key=KEYS, n=st.integers(0, 9_999), code=st.text(), message=st.text())
def test_an_error_survives_its_line(key: str, n: int, code: str, message: str) -> None:
    error, source = ImageError(code, message), an_upload(key).object

    line = error_line(source, n, error)

    assert line.encode().splitlines() == [line.encode()]
    assert parse_result_line(line.encode()) == ResultLine(source, None, n, error)


def test_a_line_keeps_of_an_answer_what_bulks_line_would_have() -> None:
    answer = an_answer({"Violence": 70.0}, adapter="arn")
    metadata = {"ResponseMetadata": {"RequestId": "id", "HTTPHeaders": {}}, "HumanLoopActivationOutput": {}}

    line = json.loads(answer_line(SOURCE, 3, answer | metadata))

    assert line == {"source-ref": SOURCE, "n": 3, "detect-moderation-labels": answer}
    assert parse_result_line(json.dumps(line)).analysis == parse_result_line(_line(answer)).analysis


def test_a_line_of_an_answer_without_labels_is_no_clean_image() -> None:
    with pytest.raises(ResultLineError, match="ModerationLabels"):
        parse_result_line(answer_line(SOURCE, 0, {"ModerationModelVersion": "7.0"}))


def test_bulks_line_has_no_number_and_no_error() -> None:
    result = parse_result_line(_line(an_answer()))

    assert (result.n, result.error) == (None, None)


@pytest.mark.parametrize("n", [None, "1", 1.0, True, [], {}])
def test_a_number_that_is_none_is_left_open(n: object) -> None:
    assert parse_result_line(json.dumps({"source-ref": SOURCE, "n": n})).n is None


@pytest.mark.parametrize(
    "error",
    [None, "text", [], {}, {"code": "X"}, {"message": "m"}, {"code": 1, "message": "m"}, {"code": "X", "message": 1}],
)
def test_an_error_that_says_too_little_is_none(error: object) -> None:
    assert parse_result_line(json.dumps({"source-ref": SOURCE, "n": 0, "error": error})).error is None


@pytest.mark.parametrize(
    "line",
    [
        error_line(SOURCE, 0, ImageError("InternalServerError", "\ud800")),
        answer_line(SOURCE, 0, {"ModerationLabels": [{"Name": "\ud800", "Confidence": 50}]}),
    ],
)
def test_whatever_rekognition_says_can_be_written_down(line: str) -> None:
    """One answer that can't be written would cost those of the whole chunk, and again at each delivery."""
    assert line.encode()


def test_an_endless_error_is_still_one_of_its_upload() -> None:
    line = error_line(SOURCE, 0, ImageError("InvalidParameterException", "m" * MAX_LINE_BYTES))

    error = parse_result_line(line).error
    assert error is not None
    assert error.code == "InvalidParameterException"


@pytest.mark.parametrize(
    "line",
    [
        '{"source-ref": "s3://b/k", "source-ref": "s3://b/l", "detect-moderation-labels": {"ModerationLabels": []}}',
        '{"source-ref": "s3://b/k", "detect-moderation-labels": {"ModerationLabels": [1], "ModerationLabels": []}}',
    ],
)
def test_a_line_that_says_something_twice_is_not_believed(line: str) -> None:
    with pytest.raises(ResultLineError, match="twice"):
        parse_result_line(line)


@pytest.mark.parametrize("depth", range(900, 1000, 5))
def test_a_line_nested_as_deep_as_json_can_be_read_is_an_unreadable_line_and_no_crash(depth: int) -> None:
    labels = f'[{{"Name": "Violence", "Confidence": {"[" * depth}{"]" * depth}}}]'

    with pytest.raises(ResultLineError):
        parse_result_line(f'{{"source-ref": "s3://b/k", "detect-moderation-labels": {{"ModerationLabels": {labels}}}}}')
