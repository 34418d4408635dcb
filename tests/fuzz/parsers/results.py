"""What an engine wrote: result lines, summaries, chunks' result files. None of them may approve by accident."""

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from gatehouse.moderation.adapter_comparison import AdapterComparison
from gatehouse.moderation.analysis import MAX_LINE_BYTES, ResultLineError, parse_result_line
from gatehouse.moderation.chunk import chunk_lines
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.matching import BulkAnswers, ImageAnswers, judge
from gatehouse.moderation.moment import iso
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.status import Status
from gatehouse.moderation.training_manifest import parse_tested_image
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_item
from tests.fuzz.limits import assert_publishable, assert_storable
from tests.fuzz.mutation import encoded, mutated_document, mutated_text, written
from tests.fuzz.parser import Case, Parser
from tests.unit.builders import ADAPTER, NOON, a_batch, a_claim, a_lane, a_policy, an_answer, an_upload, terms_and_index

#: Under this policy every known label is flagged, whatever its confidence, and an unknown one from 50 on.
_POLICY = a_policy(rules={}, default={"review": 0})
_UPLOADS = (an_upload("clean.jpg"), an_upload("b ü\n%41.jpg", version_id="v1"), an_upload("old.jpg"))
_BATCH = a_batch([a_claim(upload) for upload in (*_UPLOADS, an_upload("old.jpg", sequencer="00"))], policy=_POLICY)
_SETTINGS, _INDEX = terms_and_index(_BATCH)
_ADAPTED, _ = terms_and_index(a_batch([a_claim(_UPLOADS[0])], a_lane(adapter=ADAPTER), _POLICY))
_SOURCES = tuple(upload.object for upload in _UPLOADS)
_ANSWERS: tuple[dict[str, Any], ...] = (
    an_answer(),
    an_answer(adapter=ADAPTER),
    an_answer({"Violence": 97.3, "Graphic Violence": 97.3, "Blood & Gore": 97.3}),
    {**an_answer({"Alcohol": 50.1}), "ContentTypes": [{"Name": "Illustrated", "Confidence": 93.9}]},
    {"ModerationLabels": [{"Name": "Strange", "ParentName": "", "Confidence": 40.0}]},
)
_WORDS = (
    *(
        *_SOURCES,
        ADAPTER,
        "Violence",
        "Weapons",
        "Strange",
        "source-ref",
        "detect-moderation-labels",
        "ModerationLabels",
    ),
    *("Name", "ParentName", "Confidence", "TaxonomyLevel", "ContentTypes", "ProjectVersion", "n", "error", 99.9, 2, []),
)
_SUMMARY = b"\n== summary ==\n"


def _line(random: Random) -> dict[str, Any]:
    return {"source-ref": random.choice(_SOURCES), "detect-moderation-labels": random.choice(_ANSWERS)}


def _image_line(random: Random) -> dict[str, Any]:
    n = random.randrange(len(_INDEX))
    line = {"source-ref": _INDEX[n].claim.upload.object, "n": n}
    if random.random() < 0.2:
        return {**line, "error": {"code": "InvalidImageFormatException", "message": "Request has invalid image format"}}
    return {**line, "detect-moderation-labels": random.choice(_ANSWERS)}


def _written_line(random: Random, document: dict[str, Any]) -> bytes:
    changed = random.random() < 0.6
    text = written(random, mutated_document(random, document, _WORDS) if changed else document)
    return encoded(random, mutated_text(random, text) if random.random() < 0.15 else text)


def _draw_line(random: Random) -> Case:
    line = _written_line(random, random.choice((_line, _image_line))(random))
    return line.decode("utf-8", "replace") if random.random() < 0.3 else line


def _check_line(case: Case) -> bool:
    try:
        line = parse_result_line(case)
    except ResultLineError as error:
        assert error.source is None or isinstance(error.source, str)
        return False
    assert len(case) <= MAX_LINE_BYTES
    assert line.n is None or type(line.n) is int
    analysis = line.analysis
    if analysis is not None:
        assert all(0 <= label.confidence <= 100 for label in analysis.labels)
        decision = _POLICY.judge(analysis)
        assert decision.status is not Status.APPROVED or _is_clean(_members(case))
    return True


def _draw_bulk(random: Random) -> Case:
    lines = [_written_line(random, _line(random)) for _ in range(random.randint(0, 4))]
    summary: dict[str, Any] = {
        "version": "1.0",
        "statistics": {"total-json-lines": 4, "valid-json-lines": 3, "invalid-json-lines": 1},
        "errors": [
            {"line-number": 1, "source-ref": random.choice(_SOURCES), "code": "ERROR_X", "message": "m"}
            for _ in range(random.randint(0, 2))
        ],
    }
    words = (*_WORDS, "errors", "code", "message", "InvalidImageFormatException")
    text = written(random, mutated_document(random, summary, words))
    return b"\n".join(lines) + _SUMMARY + encoded(random, mutated_text(random, text) if random.random() < 0.2 else text)


def _check_bulk(case: Case) -> bool:
    assert isinstance(case, bytes)
    results, _, summary = case.partition(_SUMMARY)
    lines = results.splitlines()
    answers = BulkAnswers("job-1")
    answers.add_results(lines)
    answers.add_summary(summary)
    assert 0 <= answers.unmatched(_INDEX) <= len(lines)
    approved = False
    for settings in (_SETTINGS, _ADAPTED):
        for verdict in _judged(settings, answers):
            source = verdict.upload.object
            if verdict.status is Status.APPROVED:
                own = _lines_of(source, lines)
                assert own, f"{source} is approved without a line"
                assert all(map(_is_clean, own)), f"{source} is approved though a line is not clean"
                assert source not in _sources_of_errors(summary), f"{source} is approved in spite of an error"
                assert verdict.claim is not _INDEX[3].claim, "an older upload is approved by the newer one's analysis"
                assert settings.adapter is None or any(_adapter(line) == settings.adapter for line in own)
                approved = True
    return approved


def _draw_image(random: Random) -> Case:
    return b"\n".join(_written_line(random, _image_line(random)) for _ in range(random.randint(0, 5)))


def _check_image(case: Case) -> bool:
    assert isinstance(case, bytes)
    lines = case.splitlines()
    answers = ImageAnswers()
    answers.add_results(lines)
    assert answers.unreadable_lines <= len(lines)
    approved = False
    for n, verdict in enumerate(_judged(_SETTINGS, answers)):
        if verdict.status is Status.APPROVED:
            own = [line for line in _lines_of(verdict.upload.object, lines) if line.get("n") == n]
            assert any(map(_is_clean, own)), f"number {n} is approved without a clean analysis of its own"
            approved = True
    return approved


def _check_chunk(case: Case) -> bool:
    assert isinstance(case, bytes)
    kept = chunk_lines(case.splitlines())
    for n, line in kept.items():
        assert line.text.encode() in case.splitlines(), "a kept line is not what was written"
        result = parse_result_line(line.text)
        assert (result.n, result.failed_calls) == (n, line.failed_calls)
        assert result.analysis is not None or result.error is not None
    return bool(kept)


def _judged(settings: Any, answers: BulkAnswers | ImageAnswers) -> list[Verdict]:
    """The verdicts, one an upload, each of which the table and the topic take."""
    verdicts = list(judge(settings, _INDEX, answers, iso(NOON)))
    assert [verdict.claim for verdict in verdicts] == [entry.claim for entry in _INDEX]
    for verdict in verdicts:
        assert verdict.status is not Status.PENDING
        assert_storable(verdict_item(verdict, 1))
        assert_publishable(Flag.of(verdict))
    return verdicts


# --- The same files read again by other, stricter rules ---


def _strictly(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a member twice")
    return dict(pairs)


def _members(line: str | bytes) -> dict[str, Any]:
    """A line's members; none if there is any doubt about them."""
    try:
        document = json.loads(line, object_pairs_hook=_strictly)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _lines_of(source: str, lines: Sequence[bytes]) -> list[dict[str, Any]]:
    return [members for line in lines if (members := _members(line)).get("source-ref") == source]


def _is_clean(line: dict[str, Any]) -> bool:
    """Whether Rekognition says, beyond doubt, that it found nothing which the policy above minds."""
    answer = line.get("detect-moderation-labels")
    labels = answer.get("ModerationLabels") if isinstance(answer, dict) else None
    return isinstance(labels, list) and all(map(_is_harmless, labels))


def _is_harmless(label: Any) -> bool:
    if not isinstance(label, dict):
        return False
    name, confidence = label.get("Name"), label.get("Confidence")
    return (
        isinstance(name, str)
        and name not in taxonomy.PARENTS
        and isinstance(confidence, int | float)
        and not isinstance(confidence, bool)
        and 0 <= confidence < 50
        and label.get("ParentName") not in tuple(taxonomy.PARENTS)
    )


def _adapter(line: dict[str, Any]) -> Any:
    return line["detect-moderation-labels"].get("ProjectVersion")


def _sources_of_errors(summary: bytes) -> Iterator[str]:
    errors = _members(summary).get("errors")
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict) and isinstance(error.get("source-ref"), str):
            yield error["source-ref"]


def _draw_tested(random: Random) -> Case:
    truth = {"ModerationLabels": [{"Name": "Violence"}][: random.randint(0, 1)]}
    line = {
        **_line(random),
        "content-moderation-groundtruth": truth,
        "detect-moderation-labels-base-model": random.choice(_ANSWERS),
    }
    return written(random, mutated_document(random, line, (*_WORDS, *line)))


def _check_tested(case: Case) -> bool:
    try:
        image = parse_tested_image(case)
    except ValueError:
        return False
    if image is None:
        return False
    comparison = AdapterComparison(a_policy())
    comparison.add(image)
    assert comparison.base.safe + comparison.base.unsafe == 1
    return True


PARSERS = (
    Parser("training_manifest.parse_tested_image", _draw_tested, _check_tested, 5),
    Parser("analysis.parse_result_line", _draw_line, _check_line, 20),
    Parser("matching.BulkAnswers", _draw_bulk, _check_bulk, 20),
    Parser("matching.ImageAnswers", _draw_image, _check_image, 15),
    Parser("chunk.chunk_lines", _draw_image, _check_chunk),
)
