"""I6 in operation, a small part of it: without a permission behind verdicts and flags, somebody notices.

`make permissions` takes away every permission there is.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.e2e.conftest import Deploy
from tests.permissions.bench import LIVE, SETTINGS, TIME_SCALE, hurry
from tests.permissions.granted_roles import DeployedPermission
from tests.permissions.proof import Proof, Walk
from tests.permissions.scenarios import SCENARIOS

RESULTS, ANALYZER = "ResultsWriterResultsRole", "LiveImagesAnalyzerRole"

#: Role, action -> what is noticed at least. A flag is out before its verdict is refused, or still on its way.
BEHIND_VERDICTS_AND_FLAGS = {
    (RESULTS, "sns:Publish"): "Results failed, no verdict, no flag",
    (RESULTS, "dynamodb:BatchGetItem"): "Results failed, no verdict, no flag",
    (RESULTS, "dynamodb:PutItem"): "Results failed, no verdict",
    (ANALYZER, "s3:GetObjectVersion"): "another verdict: InvalidS3ObjectException by image, no flag",
}


@pytest.fixture(scope="module")
def proof(deployed: Deploy) -> Iterator[Proof]:
    with deployed(SETTINGS, time_scale=TIME_SCALE) as pipeline:
        hurry(pipeline.cloud)
        yield Proof(pipeline)


@pytest.fixture(scope="module")
def walk(proof: Proof) -> Walk:
    """A flagged and a clean upload in the live lane, with every permission."""
    (scenario,) = [each for each in SCENARIOS if each.name == "image by image"]
    (walk,) = proof.walk([(LIVE, scenario)])
    return walk


def held(proof: Proof, role: str, action: str, resource: str = "") -> DeployedPermission:
    found = [each for each in proof.permissions() if (each.role, each.action) == (role, action)]
    (permission,) = [each for each in found if resource in each.resource]
    return permission


@pytest.mark.parametrize(("role", "action"), BEHIND_VERDICTS_AND_FLAGS)
def test_a_permission_behind_verdicts_and_flags_is_missed(proof: Proof, walk: Walk, role: str, action: str) -> None:
    permission = held(proof, role, action)

    removal = proof.remove(permission, [walk])

    assert (removal.noticed or "").startswith(BEHIND_VERDICTS_AND_FLAGS[role, action])
    assert removal.denied is not None
    assert removal.denied.startswith(f"{action} on {permission.shown.removesuffix('*')}")
    assert held(proof, role, action) == permission, "it was not given back"


def test_a_permission_that_a_scenario_does_without_is_not_missed(proof: Proof, walk: Walk) -> None:
    permission = held(proof, RESULTS, "s3:PutObject", "leftovers")
    leftovers = frozenset({(permission.role_name, permission.action, permission.resource)})

    removal = proof.remove(permission, [replace(walk, allowed=leftovers)])

    assert not removal.is_proven
    assert removal.noticed is None


def test_a_permission_that_no_scenario_needs_is_not_taken_for_proven(proof: Proof, walk: Walk) -> None:
    removal = proof.remove(held(proof, RESULTS, "s3:PutObject", "leftovers"), [walk])

    assert not removal.is_proven
    assert removal.scenario is None
