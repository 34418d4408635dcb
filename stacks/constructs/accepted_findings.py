"""Findings of cdk-nag and Checkov that were looked at and accepted, each with its reason next to the code it speaks of.

The library's own way, `Validations.acknowledge`, wants a finding to the letter, and the letters hold generated names of
other stacks. So findings are recorded here by how they end. tests/stacks/test_findings.py runs cdk-nag and `make scan`
runs Checkov; both fail on a finding nobody accepted, and on an acceptance nobody needs.
"""

from constructs import Construct

#: Key of the metadata that an acceptance is kept under.
ACCEPTED_FINDING = "gatehouse:accepted-finding"


def accept_finding(construct: Construct, rule: str, reason: str, *, ending: str = "") -> None:
    """Record that a finding on a construct, or on anything below it, is accepted.

    Args:
        rule: of cdk-nag's pack AwsSolutions, such as `S1`, or of Checkov, such as `CKV_AWS_18`.
        reason: why it is right here.
        ending: how the finding's detail ends, for rules that have one: `/batches/*/*` for a resource in a policy.
    """
    construct.node.add_metadata(ACCEPTED_FINDING, {"rule": rule, "ending": ending, "reason": reason})
