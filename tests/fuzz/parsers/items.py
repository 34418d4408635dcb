"""Items of the verdict table, as DynamoDB's client gives them: numbers are decimals."""

import json
from decimal import Decimal
from random import Random
from typing import Any

from gatehouse.cli.policy.recent_verdicts import RecentVerdicts
from gatehouse.cli.policy.stored_verdict import governing_policy, judged_verdict
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import claim_from_item, claim_item, verdict_from_item, verdict_item
from tests.fuzz.mutation import mutated_document, written
from tests.fuzz.parser import Case, Parser
from tests.unit.builders import a_claim, a_verdict, an_analysis, an_upload

_ITEMS: tuple[dict[str, Any], ...] = (
    *(verdict_item(a_verdict(status), 1) for status in Status if status is not Status.PENDING),
    verdict_item(a_verdict(analysis=an_analysis({"Violence": 92.5}, adapter="a"), adapter_asked="a")),
    claim_item(a_claim(an_upload(version_id="v1"))),
)
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
)


def _draw(random: Random) -> Case:
    document = json.loads(json.dumps(random.choice(_ITEMS), default=float))
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
    Parser("gatehouse.cli.policy.stored_verdict", _draw, _check_judged, 5),
)
