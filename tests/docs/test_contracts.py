"""The schemas of docs/contracts say what the code writes, no less and no more."""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gatehouse.moderation.analysis import Analysis, ContentType, Label
from gatehouse.moderation.change import Cause, Change
from gatehouse.moderation.decision import (
    DEFAULT_REASONS,
    Decision,
    ReviewClaim,
    acted,
    appeal,
    confirm,
    decide,
    report,
)
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.moment import iso
from gatehouse.moderation.person import Person
from gatehouse.moderation.reason import PolicyReference, Reason
from gatehouse.moderation.rendition import Rendition
from gatehouse.moderation.status import FINAL, Status
from gatehouse.moderation.verdict import BY_POLICY, Verdict
from gatehouse.moderation.verdict_item import claim_item, verdict_item
from tests import contracts
from tests.contracts import EVENT, FLAG, FOLDER, ITEM, NAMES, plain, problems, schema
from tests.unit.builders import NOON, a_claim, an_upload

#: The machine may be busy: no example has to be fast.
_UNHURRIED = settings(deadline=None)

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
_CONFIDENCE = st.floats(0, 100)
_MOMENT = st.integers(0, 10**9).map(lambda seconds: iso(NOON + timedelta(seconds=seconds)))
_LABELS = st.builds(
    Label, name=_TEXT, parent=st.just("") | _TEXT, confidence=_CONFIDENCE, level=st.none() | st.integers(1, 3)
)
_ANALYSES = st.builds(
    Analysis,
    labels=st.lists(_LABELS, max_size=3).map(tuple),
    content_types=st.lists(st.builds(ContentType, _TEXT, _CONFIDENCE), max_size=2).map(tuple),
    model_version=st.none() | _TEXT,
    adapter=st.none() | _TEXT,
    rendition=st.none()
    | st.builds(
        lambda judged, unseen, **shape: Rendition(frames=judged + unseen, judged=judged, **shape),
        judged=st.integers(1, 100),
        unseen=st.integers(0, 900),
        format=st.sampled_from(ImageFormat),
        width=st.integers(1, 10**4),
        height=st.integers(1, 10**4),
        orientation=st.integers(1, 8),
    ),
)
_REASONS = st.builds(
    Reason,
    rule=_TEXT,
    label=_TEXT,
    confidence=_CONFIDENCE,
    outcome=st.sampled_from(["review", "block"]),
    threshold=_CONFIDENCE,
    content_type=st.none() | _TEXT,
)
_UPLOADS = st.builds(
    an_upload,
    key=_TEXT,
    sequencer=st.text("0123456789abcdefABCDEF", min_size=1, max_size=40),
    version_id=st.none() | _TEXT,
    etag=_TEXT,
    size=st.integers(0, 2**40),
    uploaded_at=_MOMENT,
)
_CLAIMS = st.builds(a_claim, _UPLOADS, batch_id=_TEXT, lane=_TEXT, attempt=st.integers(1, 4), claimed_at=_MOMENT)
_DECISIONS = st.builds(
    Decision, st.sampled_from(DEFAULT_REASONS), st.text(min_size=1, max_size=30).filter(str.isprintable)
)
_PEOPLE = st.builds(Person, _TEXT, st.none() | _TEXT)


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    """Final verdicts: first ones, replayed ones, and those that people acted on, again and again."""
    status = draw(st.sampled_from(sorted(FINAL)))
    claim, moment = draw(_CLAIMS), draw(_MOMENT)
    if status in (Status.UNSUPPORTED, Status.FAILED):
        verdict = Verdict(
            claim, status, moment, failure=Failure(draw(_TEXT), draw(st.text(max_size=9).filter(str.isprintable)))
        )
    else:
        verdict = Verdict(
            claim,
            status,
            moment,
            reasons=tuple(draw(st.lists(_REASONS, max_size=2))),
            analysis=draw(_ANALYSES),
            policy=PolicyReference(draw(_TEXT), draw(_TEXT), "0123456789abcdef" * 4),
            min_confidence=draw(st.none() | _CONFIDENCE),
            adapter_asked=draw(st.none() | _TEXT),
            job_id=draw(st.none() | _TEXT),
            decided_by=BY_POLICY,
        )
        verdict = replace(verdict, is_sample=status is Status.APPROVED and draw(st.booleans()))
    for _ in range(draw(st.integers(0, 3))):
        verdict = draw(_changed(verdict))
    return verdict


@st.composite
def _changed(draw: st.DrawFn, verdict: Verdict) -> Verdict:
    person, decision, moment = draw(_PEOPLE), draw(_DECISIONS), draw(_MOMENT)
    acts = [decide(status, person, decision, moment) for status in (Status.APPROVED, Status.BLOCKED)]
    if verdict.status is Status.BLOCKED:
        acts.append(appeal(person, decision, moment))
    if verdict.status is Status.APPROVED:
        acts.append(report(person, decision, moment))
    if verdict.is_sample:
        acts.append(confirm(person, decision.note, moment))
    if verdict.change is None and verdict.policy and draw(st.booleans()):
        change = Change(Cause.POLICY, announce=draw(st.booleans()))
        return replace(verdict, revision=verdict.revision + 1, change=change, decided_at=moment, is_sample=False)
    claimed = replace(verdict, recused=None, review_claim=draw(st.none() | st.just(ReviewClaim("person:a", moment))))
    if claimed.review_claim and draw(st.booleans()):
        return claimed
    return acted(replace(claimed, review_claim=None), draw(st.sampled_from(acts)))


@_UNHURRIED
@given(verdict=verdicts())
def test_every_flag_keeps_to_its_schema(verdict: Verdict) -> None:
    assume(verdict.change is None or verdict.change.cause is not Cause.CONFIRMATION)  # nobody is notified of these
    assert problems(FLAG, json.loads(Flag.of(verdict).body)) == []


@_UNHURRIED
@given(verdict=verdicts(), expires_at=st.none() | st.integers(0, 10**10))
def test_every_item_keeps_to_its_schema(verdict: Verdict, expires_at: int | None) -> None:
    assert problems(ITEM, plain(verdict_item(verdict, expires_at))) == []
    assert problems(ITEM, plain(claim_item(verdict.claim))) == []


@_UNHURRIED
@given(verdict=verdicts(), data=st.data())
def test_a_flag_that_lacks_something_or_has_it_in_another_form_does_not(verdict: Verdict, data: st.DataObject) -> None:
    document = json.loads(Flag.of(verdict).body)
    holder, name = data.draw(st.sampled_from(list(_members(document))))
    if data.draw(st.booleans()) and name in _required(holder, document):
        del holder[name]
    else:
        holder[name] = data.draw(st.sampled_from([[None], {"": 1}, True, -1.5]))

    assert problems(FLAG, document) != []


@_UNHURRIED
@given(verdict=verdicts(), data=st.data())
def test_an_item_with_a_value_in_another_form_does_not(verdict: Verdict, data: st.DataObject) -> None:
    document = plain(verdict_item(verdict))
    holder, name = data.draw(st.sampled_from(list(_members(document))))
    holder[name] = data.draw(st.sampled_from([[None], {"": 1}, None, -1.5]))

    nullable = {"level", "answered"}
    assert (problems(ITEM, document) != []) is not (name in nullable and holder[name] is None)


@pytest.mark.parametrize(
    "odd",
    [
        *("2026-11-23T09:00:00Z", "2026-11-23T09:00:00.000000Z", "2026-11-23T09:00:00.000+00:00"),
        *("2026-11-23 09:00:00.000Z", "2026-11-23T09:00:00.000z", "2026-11-23T09:00:00.000Z\n", "2026-11-23", ""),
    ],
)
def test_a_time_has_one_form_wherever_an_item_has_one(odd: str) -> None:
    time = "2026-11-23T09:00:00.000Z"
    document = example(ITEM) | {"status": "REVIEW", "status_day": "REVIEW#2026-11-23#2"}
    document["review_claim"] = {"by": "person:a", "until": time}
    assert problems(ITEM, document) == []
    times = [(holder, name) for holder, name in _members(document) if _is_time(holder[name])]
    assert {name for _, name in times} == {"claimed_at", "uploaded_at", "decided_at", "at", "since", "until"}

    for holder, name in times:
        before, holder[name] = holder[name], odd
        assert problems(ITEM, document) != [], name
        holder[name] = before
    assert problems(ITEM, document | {"decided_order": f"{odd}#{document['version']}"}) != []


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 24 and value.endswith("Z")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_emitted_that_a_schema_does_not_describe(name: str) -> None:
    document = example(name)
    for holder, _ in list(_members(document)):
        holder["unheard_of"] = 1
        assert problems(name, document) != []
        assert contracts.validator(name, is_closed=False).is_valid(document), "readers ignore what they do not know"
        del holder["unheard_of"]


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_and_says_of_each_member_what_it_is(name: str) -> None:
    found = schema(name)
    Draft202012Validator.check_schema(found)

    assert found["$id"] == f"urn:gatehouse:{name}:1"
    assert found["description"]
    undescribed = [
        member for member, part in found["properties"].items() if not {"description", "$ref", "const"} & set(part)
    ]
    assert undescribed == []


@pytest.mark.parametrize("name", NAMES)
def test_an_example_keeps_to_its_schema(name: str) -> None:
    assert problems(name, example(name)) == []


def test_the_examples_speak_of_one_verdict() -> None:
    flag, event, item = example(FLAG), example(EVENT), example(ITEM)

    assert event["detail"] == flag
    assert datetime.fromisoformat(event["time"]) == datetime.fromisoformat(flag["decided_at"]).replace(microsecond=0)
    assert (item["version"], item["status"], item["revision"]) == (flag["version"], flag["status"], flag["revision"])
    assert item["object"] == f"s3://{flag['object']['bucket']}/{flag['object']['key']}"


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.example.json").read_text("utf-8"))
    return copy.deepcopy(found)


def _members(document: Any) -> Iterator[tuple[dict[str, Any], str]]:
    """Each member of a document, however deep, with the object that has it."""
    if isinstance(document, list):
        for entry in document:
            yield from _members(entry)
    elif isinstance(document, dict):
        for name, value in document.items():
            yield document, name
            yield from _members(value)


def _required(holder: dict[str, Any], document: dict[str, Any]) -> set[str]:
    """The members that an object of a flag can't do without: all but two, of a reason and of a decision."""
    return set(holder) - ({"content_type", "note"} if holder is not document else set())
