"""An upload as the page shows it: what templates need to know, and no more."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import yaml

from gatehouse.aws.verdict_table import Item
from gatehouse.cli.ago import ago
from gatehouse.cli.review.verdict_report import DONE, why_words
from gatehouse.console import spelled_out
from gatehouse.moderation.analysis import Analysis, Label
from gatehouse.moderation.change import Cause
from gatehouse.moderation.person import PREFIX, is_person
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_document import rule_document
from gatehouse.moderation.reason import Reason
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import STATUS, VERSION

#: Finds the policy that a hash names; None if it can't be read.
FindPolicy = Callable[[str], Policy | None]


@dataclass(frozen=True, slots=True)
class Branch:
    """A label of the tree.

    Attributes:
        threshold: the confidence from which a rule made something of it, or None.
        outcome: what the rule made of it, or None.
    """

    name: str
    confidence: float
    threshold: float | None
    outcome: str | None
    children: tuple["Branch", ...]


@dataclass(frozen=True, slots=True)
class ShownReason:
    """A rule that fired. `lines` are those of the policy, or None if it can't be read."""

    reason: Reason
    lines: str | None


@dataclass(frozen=True, slots=True)
class ShownAct:
    """A line of the history."""

    at: str
    ago: str
    what: str
    by: str
    before: str
    after: str
    reason: str
    note: str | None


@dataclass(frozen=True, slots=True)
class ShownUpload:
    """An upload and its verdict.

    Attributes:
        key: with everything spelled out that does not print.
        folder, name: its parts, before and behind the last slash.
        why_here: why it waits, in a few words; None if there is nothing to say.
        picture: the address of its bytes.
    """

    verdict: Verdict
    key: str
    folder: str
    name: str
    picture: str
    since: str
    uploaded: str
    size: str
    why_here: str | None
    note: str | None
    reasons: tuple[ShownReason, ...]
    labels: tuple[Branch, ...]
    history: tuple[ShownAct, ...]

    @classmethod
    def of(cls, verdict: Verdict, now: datetime, policy: FindPolicy) -> "ShownUpload":
        """What to show of a verdict."""
        upload = verdict.upload
        key = spelled_out(upload.key)
        folder, slash, name = key.rpartition("/")
        change, decision = verdict.change, verdict.decision
        is_sent_back = change is not None and change.cause in (Cause.APPEAL, Cause.REPORT)
        return cls(
            verdict=verdict,
            key=key,
            folder=f"{folder}{slash}",
            name=name or key,
            picture=f"/picture?{urlencode({'object': upload.object, 'version': upload.version})}",
            since=ago(verdict.decided_at, now),
            uploaded=ago(upload.uploaded_at, now),
            size=_size(upload.size),
            why_here=DONE[change.cause] if change and is_sent_back else None,
            note=spelled_out(decision.note) if decision and decision.note else None,
            reasons=tuple(_shown_reasons(verdict, policy)),
            labels=_tree(verdict.analysis, verdict.reasons) if verdict.analysis else (),
            history=tuple(
                ShownAct(
                    entry.at,
                    ago(entry.at, now),
                    DONE[entry.cause],
                    name_of(entry.by, entry.name),
                    entry.before.value,
                    entry.after.value,
                    spelled_out(entry.reason),
                    spelled_out(entry.note) if entry.note else None,
                )
                for entry in reversed(verdict.history)
            ),
        )

    @property
    def why(self) -> str:
        """Why it has its status, in one line."""
        return spelled_out(why_words(self.verdict))


def name_of(by: str, name: str | None) -> str:
    """A person or the policy, as the page names them."""
    who = by.removeprefix(PREFIX) if is_person(by) else "the policy"
    return spelled_out(f"{name} ({who})" if name else who)


def others(items: Sequence[Item], now: datetime) -> list[dict[str, str]]:
    """Other uploads, from items that may be of any form."""
    found = []
    for item in items:
        moment = str(item.get("uploaded_at", ""))
        found.append(
            {
                "object": str(item.get("object", "")),
                "name": spelled_out(str(item.get("object", "")).rpartition("/")[2]),
                "version": str(item[VERSION]),
                "status": str(item.get(STATUS, "")),
                "uploaded": ago(moment, now) if moment else "",
                "by": name_of(str(item["decided_by"]), None) if item.get("decided_by") else "",
            }
        )
    return found


def _shown_reasons(verdict: Verdict, policy: FindPolicy) -> Iterator[ShownReason]:
    found = policy(verdict.policy.hash) if verdict.policy and verdict.reasons else None
    for reason in verdict.reasons:
        yield ShownReason(reason, _lines(found, reason.rule) if found else None)


def _lines(policy: Policy, name: str) -> str | None:
    """A rule as its policy file has it."""
    rule = policy.default if name == policy.default.name else policy.rules.get(name)
    if rule is None:
        return None
    dumped: str = yaml.safe_dump(
        {name: _plain(rule_document(rule))}, sort_keys=False, allow_unicode=True, default_flow_style=None
    )
    return dumped.rstrip("\n")


def _plain(value: Any) -> Any:
    """The value, with whole numbers as people write them."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _tree(analysis: Analysis, reasons: Sequence[Reason]) -> tuple[Branch, ...]:
    """The labels, each below its parent, the most certain first."""
    names = {label.name for label in analysis.labels}
    fired = {reason.label: reason for reason in reversed(reasons)}

    def branch(label: Label, above: frozenset[str]) -> Branch:
        reason = fired.get(label.name)
        within = above | {label.name}
        children = [each for each in analysis.labels if each.parent == label.name and each.name not in within]
        return Branch(
            name=spelled_out(label.name),
            confidence=label.confidence,
            threshold=reason.threshold if reason else None,
            outcome=reason.outcome if reason else None,
            children=tuple(branch(child, within) for child in _most_certain(children)),
        )

    roots = [label for label in analysis.labels if label.parent not in names or label.parent == label.name]
    return tuple(branch(root, frozenset()) for root in _most_certain(roots))


def _most_certain(labels: Sequence[Label]) -> list[Label]:
    return sorted(labels, key=lambda label: (-label.confidence, label.name))


def _size(size: int) -> str:
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:,.0f} KB" if size < 1_000_000 else f"{size / 1_000_000:,.1f} MB"
