"""Findings of a scanner, and the acceptances that stand next to the code they speak of."""

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk

from stacks.constructs.accepted_findings import ACCEPTED_FINDING

#: How the rules of Checkov begin; all others are cdk-nag's.
CHECKOV = "CKV_"


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a construct, by its path, does not keep; `detail` says more where a rule has several findings."""

    rule: str
    path: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Findings of a rule on a construct and all below it, whose detail ends so."""

    rule: str
    path: str
    ending: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        is_below = finding.path == self.path or finding.path.startswith(self.path + "/")
        return finding.rule == self.rule and finding.detail.endswith(self.ending) and is_below


def acceptances(app: cdk.App, *, of_checkov: bool) -> list[Acceptance]:
    """What is accepted of one of the two scanners."""
    accepted = [
        Acceptance(entry.data["rule"], construct.node.path, entry.data["ending"], entry.data["reason"])
        for construct in app.node.find_all()
        for entry in construct.node.metadata
        if entry.type == ACCEPTED_FINDING
    ]
    return [acceptance for acceptance in accepted if acceptance.rule.startswith(CHECKOV) is of_checkov]


def unaccepted(findings: Sequence[Finding], accepted: Sequence[Acceptance]) -> list[Finding]:
    """Findings that nobody accepted."""
    return [finding for finding in findings if not any(acceptance.covers(finding) for acceptance in accepted)]


def unneeded(findings: Sequence[Finding], accepted: Sequence[Acceptance]) -> list[Acceptance]:
    """Acceptances of what nobody found."""
    return [acceptance for acceptance in accepted if not any(acceptance.covers(finding) for finding in findings)]
