"""Without a gate there is nothing of it; with one the bucket's policy names roles that the pipeline's really have."""

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

import pytest

from gatehouse.contracts.texts import read_gate
from gatehouse.moderation.gate import GateMode
from localcloud.patches.stream_filters import compiled
from tests.permissions.needed import needs
from tests.stacks.conftest import Assembly, only, resources
from tests.stacks.test_permissions import OUTCOMES, permissions

GATED = """
name: shop
gate: {mode: tag, mark_blocked: true, readers: {roles: ["arn:aws:iam::111122223333:role/thumbnails"]}}
lanes: {default: {}}
"""
GATE = {
    ("dynamodb:BatchGetItem", "<VerdictsTable>"),
    ("dynamodb:Query", "<VerdictsTable>"),
    ("s3:GetBucketVersioning", "<UploadsBucket>"),
    ("s3:ListBucketVersions", "<UploadsBucket>"),
    ("s3:DeleteObjectVersionTagging", "<UploadsBucket>/*"),
    ("s3:GetObjectVersionTagging", "<UploadsBucket>/*"),
    ("s3:PutObjectVersionTagging", "<UploadsBucket>/*"),
}


@pytest.fixture(scope="module")
def gated(synthesized: Callable[[str], Assembly]) -> Assembly:
    return synthesized(GATED)


def statements(assembly: Assembly) -> dict[str, Any]:
    policy = only(assembly.storage, "AWS::S3::BucketPolicy", "Uploads")["Properties"]["PolicyDocument"]
    return {str(each.get("Sid")): each for each in policy["Statement"] if "GatehouseGate" in str(each.get("Sid"))}


def paths(assembly: Assembly) -> dict[str, str]:
    return {
        name: role["Properties"]["Path"]
        for template in assembly.templates
        for name, role in resources(template, "AWS::IAM::Role").items()
    }


def test_the_policy_of_the_bucket_has_the_gates_statements_and_tls(gated: Assembly, shipped: Assembly) -> None:
    assert len(statements(gated)) == 8
    assert statements(shipped) == {}
    policy = only(gated.storage, "AWS::S3::BucketPolicy", "Uploads")["Properties"]["PolicyDocument"]
    assert "aws:SecureTransport" in json.dumps(policy)


def test_an_existing_buckets_policy_is_an_output_and_not_set(synthesized: Callable[[str], Assembly]) -> None:
    assembly = synthesized(GATED.replace("name: shop", "name: shop\nupload_bucket: somebody-elses-bucket"))

    assert not [name for name in resources(assembly.storage, "AWS::S3::BucketPolicy") if name.startswith("Uploads")]
    assert "GatehouseGateClosed" in json.dumps(assembly.storage["Outputs"]["GateStatements"])


def test_every_role_has_the_path_that_the_policy_lets_through(gated: Assembly, elaborate: Assembly) -> None:
    for assembly, name in ((gated, "shop"), (elaborate, "images")):
        found = paths(assembly)
        assert len(found) >= 7
        assert all(fnmatchcase(f"role{path}X", f"role/gatehouse/{name}/*") for path in found.values()), found
        tagger = {role for role, path in found.items() if path == f"/gatehouse/{name}/tagger/"}
        assert tagger == {role for role in found if role.startswith("OutcomesRole")} != set()


def test_outcomes_may_tag_and_read_nothing(gated: Assembly, shipped: Assembly) -> None:
    assert permissions(gated, "OutcomesRole") == OUTCOMES | GATE
    assert permissions(shipped, "OutcomesRole") == OUTCOMES


def test_every_permission_of_outcomes_allows_a_call_that_is_made(gated: Assembly) -> None:
    (role,) = [name for name in resources(gated.pipeline, "AWS::IAM::Role") if name.startswith("OutcomesRole")]

    assert {action for action, _ in needs(gated.pipeline, role)} == {
        action for action, _ in permissions(gated, "OutcomesRole")
    }


def test_outcomes_is_invoked_for_what_opens_and_closes(gated: Assembly, shipped: Assembly) -> None:
    approved = {"eventName": "MODIFY", "dynamodb": {"NewImage": {"status": {"S": "APPROVED"}}}}

    def is_passed_on(assembly: Assembly) -> bool:
        mapping = only(assembly.pipeline, "AWS::Lambda::EventSourceMapping", "Outcomes")["Properties"]
        return any(compiled(entry["Pattern"])(approved) for entry in mapping["FilterCriteria"]["Filters"])

    assert is_passed_on(gated)
    assert not is_passed_on(shipped)


def test_its_alarms_ring_for_late_revocations_and_for_what_stays_closed(gated: Assembly, shipped: Assembly) -> None:
    def watched(assembly: Assembly) -> set[str]:
        found = resources(assembly.monitoring, "AWS::CloudWatch::Alarm").values()
        return {str(alarm["Properties"].get("MetricName")) for alarm in found}

    assert watched(gated) - watched(shipped) == {"ChangeToClosed", "TagsRefused", "VersionsUnopened"}


def test_commands_read_the_gate_from_the_outputs(gated: Assembly, shipped: Assembly) -> None:
    gate = read_gate(gated.storage["Outputs"]["Gate"]["Value"])

    assert (gate.mode, gate.mark_blocked, gate.reader_roles) == (
        GateMode.TAG,
        True,
        ("arn:aws:iam::111122223333:role/thumbnails",),
    )
    assert read_gate(shipped.storage["Outputs"]["Gate"]["Value"]).mode is GateMode.NONE
    assert "GateStatements" not in shipped.storage["Outputs"]
