"""Findings of cdk-nag and Checkov that were reviewed and accepted, each with its reason next to the code it is about.

The library's own `Validations.acknowledge` matches a finding's exact text, which contains generated names of other
stacks. So findings are recorded here by how they end. tests/stacks/test_findings.py runs cdk-nag, and `make scan` runs
Checkov; both fail on a finding that was not accepted, and on an acceptance that is not needed.
"""

from constructs import Construct

#: Metadata key that an acceptance is stored under.
ACCEPTED_FINDING = "gatehouse:accepted-finding"


def accept_finding(construct: Construct, rule: str, reason: str, *, ending: str = "") -> None:
    """Record that a finding on a construct, or on anything below it, is accepted.

    Args:
        rule: of cdk-nag's pack AwsSolutions, such as `S1`, or of Checkov, such as `CKV_AWS_18`.
        reason: why the finding is acceptable here.
        ending: how the finding's detail ends, for rules that have one: `/batches/*/*` for a resource in a policy.
    """
    construct.node.add_metadata(ACCEPTED_FINDING, {"rule": rule, "ending": ending, "reason": reason})
