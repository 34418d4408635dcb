"""Items of the verdict table, as DynamoDB's client gives them: numbers are decimals."""

import json
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from gatehouse.cli.policy.recent_verdicts import RecentVerdicts
from gatehouse.cli.policy.stored_verdict import governing_policy, judged_verdict
from gatehouse.moderation.change import MAX_HISTORY, Cause, HistoryEntry
from gatehouse.moderation.decision import (
    Decision,
    DecisionRefusedError,
    ReviewClaim,
    acted,
    appeal,
    confirm,
    decide,
    report,
)
from gatehouse.moderation.flag import Flag, flag_id
from gatehouse.moderation.opinion import opinion_on
from gatehouse.moderation.person import Person
from gatehouse.moderation.policy.threshold_advice import ThresholdAdvice
from gatehouse.moderation.quality import Quality
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import (
    claim_from_item,
    claim_item,
    decision_item,
    history_document,
    verdict_from_item,
    verdict_item,
)
from tests.fuzz.mutation import mutated_document, written
from tests.fuzz.parser import Case, Parser
from tests.unit.builders import a_claim, a_policy, a_verdict, an_analysis, an_upload

_POLICY = a_policy()
_PERSON, _WHY, _AT = Person("r/ada", "Ada"), Decision("other", "why"), "2026-11-23T08:00:00.000Z"
_DECIDED = acted(a_verdict(), decide(Status.BLOCKED, _PERSON, _WHY, _AT))
_APPEALED = replace(acted(_DECIDED, appeal(_PERSON, _WHY, _AT)), review_claim=ReviewClaim("person:b", _AT))
_FULL = replace(_DECIDED, history=_DECIDED.history * MAX_HISTORY, revision=MAX_HISTORY)

_ITEMS: tuple[dict[str, Any], ...] = (
    *(verdict_item(a_verdict(status), 1) for status in Status if status is not Status.PENDING),
    verdict_item(a_verdict(analysis=an_analysis({"Violence": 92.5}, adapter="a"), adapter_asked="a")),
    claim_item(a_claim(an_upload(version_id="v1"))),
)
#: Of uploads that people acted on.
_SAMPLE = replace(a_verdict(Status.APPROVED), is_sample=True)
_ACTED_ON = tuple(verdict_item(verdict, 1) for verdict in (_DECIDED, _APPEALED, _FULL, _SAMPLE))
_WORDS = (
    *_ITEMS[1],
    *(status.value for status in Status),
    "bulk",
    "image",
    "policy",
    "answered",
    "asked",
    "null",
    "name",
    "level",
    *_ACTED_ON[1],
    *_ACTED_ON[1]["history"][0],
    *Cause,
    *(_ACTED_ON[1][name] for name in ("change", "decision", "review_claim", "history")),
    "by",
    "until",
    "announce",
    _PERSON.decided_by,
    _AT,
)


def _draw(random: Random) -> Case:
    document = json.loads(json.dumps(random.choice(_ITEMS), default=float))
    return written(random, mutated_document(random, document, _WORDS))


def _draw_acted_on(random: Random) -> Case:
    document = json.loads(json.dumps(random.choice(_ACTED_ON), default=float))
    return written(random, mutated_document(random, document, _WORDS))


def _item(case: Case) -> dict[str, Any] | None:
    """The item, or None if it is none that DynamoDB could hold."""
    try:
        item = json.loads(case, parse_float=Decimal, parse_int=Decimal, parse_constant=_refused)
    except (ValueError, RecursionError):
        return None
    return item if isinstance(item, dict) and _is_holdable(item, 0) else None


def _refused(name: str) -> Any:
    raise ValueError(name)


def _is_holdable(value: Any, depth: int) -> bool:
    if isinstance(value, Decimal):
        return len(value.as_tuple().digits) <= 38 and -130 <= value.adjusted() < 126
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return depth <= 32 and all(_is_holdable(one, depth + 1) for one in inner)


def _check_verdict(case: Case) -> bool:
    item = _item(case)
    if item is None:
        return False
    try:
        verdict = verdict_from_item(item)
    except (KeyError, TypeError, ValueError):
        return False
    assert verdict.status is not Status.PENDING
    assert verdict.status is Status(item["status"])
    return True


def _check_acted_on(case: Case) -> bool:
    """Whatever can be read can be acted on or is refused in a sentence, and what comes of it can be stored and read."""
    item = _item(case)
    if item is None:
        return False
    try:
        verdict = verdict_from_item(item)
    except (KeyError, TypeError, ValueError):
        return False
    assert type(verdict.revision) is int
    assert verdict.revision >= 0
    acts = (
        decide(Status.APPROVED, _PERSON, _WHY, _AT),
        appeal(_PERSON, _WHY, _AT),
        report(_PERSON, _WHY, _AT),
        confirm(_PERSON, None, _AT),
    )
    for act in acts:
        try:
            after = acted(verdict, act)
        except DecisionRefusedError:
            continue
        assert after.revision == verdict.revision + 1
        assert 0 < len(after.history) <= MAX_HISTORY
        assert after.history[:-1] == verdict.history
        stored = TypeDeserializer().deserialize(
            TypeSerializer().serialize({"history": history_document(after.history)})
        )
        assert tuple(map(HistoryEntry.from_document, stored["history"])) == after.history
        decided = decision_item(after, 1)
        assert ("expires_at" in decided) is (after.status is not Status.REVIEW)
        assert json.loads(Flag.of(after).body)["id"] == flag_id(after)
        assert not after.is_sample
        try:
            opinion = opinion_on(after)
        except (TypeError, ValueError):
            continue
        if opinion is not None:
            quality, advice = Quality(), ThresholdAdvice(_POLICY, 0)
            quality.add(opinion)
            if opinion.is_about_a_judgment:
                advice.add(opinion)
            assert json.dumps([quality.to_document(), [one.to_document() for one in advice.suggestions()]])
    return True


def _check_claim(case: Case) -> bool:
    item = _item(case)
    if item is None:
        return False
    try:
        claim = claim_from_item(item)
    except (KeyError, TypeError, ValueError):
        return False
    assert type(claim.attempt) is int
    assert claim.upload.version_id not in ("", "null"), "another way to have no version"
    return True


def _check_judged(case: Case) -> bool:
    item = _item(case)
    if item is None:
        return False
    assert RecentVerdicts.of([item], _policy_name_for).looked_at <= 1
    try:
        governing_policy(item, _policy_name_for)
        verdict = judged_verdict(item)
    except (KeyError, TypeError, ValueError):
        return False
    assert verdict.analysis is not None
    return True


def _policy_name_for(lane: str, key: str) -> str | None:
    return "test" if lane == "default" else None


PARSERS = (
    Parser("verdict.verdict_from_item", _draw, _check_verdict),
    Parser("verdict.claim_from_item", _draw, _check_claim, 5),
    Parser("decision.acted", _draw_acted_on, _check_acted_on),
    Parser("gatehouse.cli.policy.stored_verdict", _draw, _check_judged, 5),
)
