"""The statements of the gate's policy, and how they are compared with a bucket's."""

import json
from dataclasses import replace

import pytest

from gatehouse.cli.aws.bucket_policy import gate_differences, with_gate
from gatehouse.contracts.gate_policy import READS, SID_PREFIX, Statement, gate_statements
from gatehouse.moderation.gate import Gate, GateMode

READER = "arn:aws:iam::123456789012:role/thumbnails"
OTHER = {"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}


def statements(gate: Gate) -> dict[str, Statement]:
    found = gate_statements(
        gate, name="shop", bucket_arn="arn:aws:s3:::uploads", partition="aws", account="123456789012"
    )
    return {statement["Sid"].removeprefix(SID_PREFIX): statement for statement in found}


def test_without_a_gate_there_are_none() -> None:
    assert statements(Gate()) == {}


def test_a_prepared_gate_differs_only_in_the_keys_that_it_closes() -> None:
    gate = Gate(reader_roles=(READER,), open_prefixes=("public/",), trusted_replicators=(READER,))
    prepared, closed = (statements(replace(gate, mode=mode)) for mode in (GateMode.PREPARE, GateMode.TAG))

    assert prepared["Closed"]["Resource"] == "arn:aws:s3:::uploads/*gatehouse-gate-check*"
    assert prepared["Closed"]["Condition"] == closed["Closed"]["Condition"]
    assert {sid for sid in closed if prepared[sid] != closed[sid]} == {"Closed"}
    refusing = {sid for sid, each in prepared.items() if set(READS) & set(each["Action"])}
    assert refusing == {"Closed"}


def test_all_deny_and_none_allows() -> None:
    assert {statement["Effect"] for statement in statements(Gate(mode=GateMode.TAG)).values()} == {"Deny"}


def test_readers_are_exempt_from_the_closed_gate_and_from_nothing_else() -> None:
    gate = Gate(
        mode=GateMode.TAG, reader_roles=(READER,), reader_endpoints=("vpce-12345678",), open_prefixes=("public/",)
    )
    found = statements(gate)

    assert found["Closed"]["Condition"] == {
        "StringNotEquals": {"s3:ExistingObjectTag/gatehouse-status": "APPROVED", "aws:SourceVpce": ["vpce-12345678"]},
        "ArnNotLike": {"aws:PrincipalArn": ["arn:aws:iam::123456789012:role/gatehouse/shop/*", READER]},
    }
    assert found["Closed"]["NotResource"] == ["arn:aws:s3:::uploads/public/*"]
    rest = json.dumps([statement for sid, statement in found.items() if sid != "Closed"])
    assert READER not in rest
    assert "vpce" not in rest
    assert "public/" not in rest


def test_only_trusted_replicators_may_copy_and_replicate() -> None:
    found = statements(Gate(mode=GateMode.TAG, trusted_replicators=(READER,)))

    assert {sid for sid, statement in found.items() if READER in json.dumps(statement)} == {"Copied", "Replicated"}
    assert "Condition" not in statements(Gate(mode=GateMode.TAG))["Replicated"]


def test_a_policy_is_compared_whatever_the_order_and_form_of_its_parts() -> None:
    wanted = list(statements(Gate(mode=GateMode.TAG)).values())
    policy = with_gate({"Version": "2012-10-17", "Statement": [OTHER]}, wanted)
    (closed,) = [each for each in policy["Statement"] if each["Sid"] == "GatehouseGateClosed"]
    turned = closed | {"Principal": {"AWS": "*"}, "Action": list(reversed(closed["Action"]))}
    stored = {"Statement": [turned, *(each for each in policy["Statement"] if each is not closed)]}

    assert gate_differences(stored, wanted) == []
    assert with_gate(stored, ()) == {"Statement": [OTHER]}


@pytest.mark.parametrize(
    "change",
    [
        {"Effect": "Allow"},
        {"Action": "s3:GetObject"},
        {"Resource": "arn:aws:s3:::uploads/pictures/*"},
        {"Condition": {}},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
    ],
)
def test_a_statement_that_was_changed_is_named(change: Statement) -> None:
    wanted = list(statements(Gate(mode=GateMode.TAG)).values())
    policy = {"Statement": [wanted[0] | change, *wanted[1:]]}

    assert gate_differences(policy, wanted) == [wanted[0]["Sid"]]


def test_a_statement_that_is_missing_or_too_much_is_named() -> None:
    wanted = list(statements(Gate(mode=GateMode.TAG)).values())

    assert gate_differences({"Statement": wanted[1:]}, wanted) == [wanted[0]["Sid"]]
    assert gate_differences({"Statement": wanted}, wanted[1:]) == [wanted[0]["Sid"]]
