"""An item stays within the 400 KB that DynamoDB takes, whatever people write."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from gatehouse.moderation.analysis import Analysis, ContentType, Label
from gatehouse.moderation.change import MAX_HISTORY
from gatehouse.moderation.decision import MAX_ID, MAX_NAME, MAX_NOTE, MAX_REASON, Decision, ReviewClaim, acted, decide
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.person import Person
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.policy.policy_document import MAX_CONTENT_TYPE, MAX_VERSION
from gatehouse.moderation.policy.policy_document import MAX_NAME as MAX_POLICY_NAME
from gatehouse.moderation.reason import PolicyReference, Reason
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import MAX_TEXT_BYTES
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_item
from tests.unit.builders import ADAPTER, a_claim, a_verdict, an_upload

#: Of an item (DynamoDB Developer Guide, Constraints.html).
MOST_BYTES = 400 * 1024

#: Four bytes in UTF-8, as no character has more.
WIDE = "\U0001f4f7"
CONFIDENCE = 99.999999


def the_largest() -> Verdict:
    """All 52 labels, a rule that fired on each, and a history of the longest entries that people can make."""
    bucket = "b" * 63
    upload = an_upload(
        "k" * MAX_TEXT_BYTES, bucket=bucket, version_id="v" * MAX_TEXT_BYTES, etag="e" * MAX_TEXT_BYTES, size=2**40
    )
    labels = tuple(Label(name, parent, CONFIDENCE, taxonomy.level(name)) for name, parent in taxonomy.PARENTS.items())
    kinds = ContentType("c" * MAX_CONTENT_TYPE, CONFIDENCE)
    verdict = a_verdict(
        claim=a_claim(upload, lane="l" * 64, batch_id="b" * 64),
        analysis=Analysis(labels, (kinds,) * 20, "7.0", ADAPTER),
        reasons=tuple(Reason(label.name, label.name, CONFIDENCE, "review", CONFIDENCE, kinds.name) for label in labels),
        policy=PolicyReference("p" * MAX_POLICY_NAME, WIDE * MAX_VERSION, "0" * 64),
        engine=Engine.BULK,
        adapter_asked=ADAPTER,
    )
    person = Person(WIDE * MAX_ID, WIDE * MAX_NAME)
    for _ in range(MAX_HISTORY):
        decision = Decision("r" * MAX_REASON, WIDE * MAX_NOTE)
        verdict = acted(verdict, decide(Status.BLOCKED, person, decision, "2026-11-23T09:00:00.000Z"))
    claim = ReviewClaim(person.decided_by, "2026-11-23T09:00:00.000Z")
    return replace(verdict, recused=person.decided_by, review_claim=claim)


def size(value: Any) -> int:
    """Bytes of a value (DynamoDB Developer Guide, CapacityUnitCalculations.html)."""
    match value:
        case str():
            return len(value.encode())
        case None | bool():
            return 1
        case int() | Decimal():
            return (len(Decimal(value).as_tuple().digits) + 1) // 2 + 2
        case list():
            return 3 + sum(1 + size(entry) for entry in value)
        case dict():
            return 3 + sum(1 + size(name) + size(entry) for name, entry in value.items())
    raise TypeError(value)


def test_the_largest_item_fits() -> None:
    verdict = the_largest()
    item = verdict_item(verdict, 4_000_000_000)

    assert (len(item["labels"]), len(item["reasons"]), len(item["history"])) == (52, 52, MAX_HISTORY)
    assert size(item["history"]) // 10_000 == 32, "`MAX_HISTORY` says 320 KB"
    assert size(item) // 10_000 == 34, "`MAX_HISTORY` says 350 KB"
    assert size(item) < MOST_BYTES
