"""The one write that changes a final verdict: its expressions, as docs/contracts/decision.md has them for consoles."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse.aws.verdict_table import NOT_HELD
from gatehouse.moderation.change import MAX_HISTORY, Cause
from gatehouse.moderation.decision import DECIDING
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import (
    BATCH_ID,
    CLAIMED_AT,
    DECISION_ATTRIBUTES,
    HISTORY,
    RECUSED,
    REVIEW_CLAIM,
    REVISION,
    STATUS,
    decision_item,
    history_document,
)

#: What the machine judged. A person's act leaves it, and does not name it, so that IAM can keep people from writing it.
_JUDGED_BY_MACHINE = frozenset({"reasons", "policy"})
#: What may be newer than what a replay saw, and is none of its business.
_HELD_BY_PEOPLE = frozenset({REVIEW_CLAIM})


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """An UpdateItem without its table and key.

    Attributes:
        values: as Python has them.
    """

    update: str
    condition: str
    names: Mapping[str, str]
    values: Mapping[str, Any]

    @classmethod
    def of(cls, before: Verdict, after: Verdict, expires_at: int | None) -> "VerdictChange":
        """The write that makes one verdict another.

        Args:
            after: `before` as a replay or a person changed it: its revision is the next one.
            expires_at: see `decision_item`.
        """
        cause = after.change.cause if after.change else None
        is_persons = cause not in (None, Cause.POLICY)
        kept = _JUDGED_BY_MACHINE if is_persons else _HELD_BY_PEOPLE
        decided = decision_item(after, expires_at)
        item = {name: value for name, value in decided.items() if name not in kept}
        removed = [name for name in DECISION_ATTRIBUTES if name not in decided and name not in kept]
        names = {*item, *removed, STATUS, BATCH_ID, CLAIMED_AT, REVISION}
        values = {f":{name}": value for name, value in item.items()}

        assignments = [f"#{name} = :{name}" for name in item]
        if entries := history_document(after.history[len(before.history) :]):
            assignments.append(f"#{HISTORY} = list_append(if_not_exists(#{HISTORY}, :none), :entries)")
            names.add(HISTORY)
            values |= {":none": [], ":entries": entries}
        update = f"SET {', '.join(assignments)}"
        if removed:
            update += f" REMOVE {', '.join(f'#{name}' for name in removed)}"

        conditions = [f"#{name} = :seen_{name}" for name in (STATUS, BATCH_ID, CLAIMED_AT)]
        claim = before.claim
        values |= {
            f":seen_{STATUS}": before.status.value,
            f":seen_{BATCH_ID}": claim.batch_id,
            f":seen_{CLAIMED_AT}": claim.claimed_at,
        }
        if before.revision:
            conditions.append(f"#{REVISION} = :seen_{REVISION}")
            values[f":seen_{REVISION}"] = before.revision
        else:
            conditions.append(f"attribute_not_exists(#{REVISION})")
        if cause in DECIDING:
            person = ":decided_by" if cause is Cause.DECISION else ":person"
            conditions.append(f"({NOT_HELD} OR #{REVIEW_CLAIM}.#by = {person})")
            names |= {REVIEW_CLAIM, "until", "by"}
            values |= {":now": after.decided_at, person: after.history[-1].by}
        if cause is Cause.DECISION:
            conditions.append(f"(attribute_not_exists(#{RECUSED}) OR #{RECUSED} <> :decided_by)")
            names.add(RECUSED)
        if is_persons:
            conditions.append(f"(attribute_not_exists(#{HISTORY}) OR size(#{HISTORY}) < :full)")
            names.add(HISTORY)
            values[":full"] = MAX_HISTORY
        return cls(update, " AND ".join(conditions), {f"#{name}": name for name in sorted(names)}, values)
