"""A seed is a run of decisions: the same uploads, and the same faults between them."""

import pytest

from demo.synthesis import ROOT
from gatehouse.configuration.policies import compile_policies, compile_policy
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.status import Status
from localcloud.faults.armed import read
from tests.chaos.decision_plan import MILDER, STANDARD, STRICTER, compose, judged, write_policy
from tests.chaos.ledger import Kind
from tests.unit.builders import an_analysis

#: What the local Rekognition finds in each kind of picture that has labels.
LABELS = {
    Kind.CLEAN: {},
    Kind.ARMED: {"Weapons": 85.0},
    Kind.REVIEW: {"Graphic Violence": 85.0, "Violence": 85.0},
    Kind.SMOKING: {"Smoking": 96.0},
    Kind.BLOCKED: {"Weapon Violence": 99.0, "Graphic Violence": 99.0, "Violence": 99.0},
}


def test_the_same_seed_composes_the_same_run() -> None:
    assert compose(7, 500) == compose(7, 500)
    assert compose(7, 500) != compose(8, 500)
    assert sum(len(stretch.uploads) for stretch in compose(7, 501)) == 501


def test_every_fault_can_be_armed() -> None:
    for stretch in compose(7, 5_000):
        for fault in stretch.faults:
            read(fault)


def test_functions_are_killed_deliveries_repeated_and_keys_overwritten() -> None:
    stretches = [stretch for seed in range(20) for stretch in compose(seed, 500)]
    faults = [fault for stretch in stretches for fault in stretch.faults]

    killed = {fault["caller"] for fault in faults if fault.get("action") == "kill"}
    assert killed == {"LaneBatcher", "Analyzer", "ResultsFunction", "OutcomesFunction"}
    assert {fault["delivery"] for fault in faults if "delivery" in fault} == {"duplicate", "delay"}
    keys = [key for stretch in compose(7, 500) for key, _ in stretch.uploads]
    assert len(set(keys)) < len(keys)


def test_the_uploads_of_a_run_get_every_status() -> None:
    kinds = {kind for stretch in compose(7, 500) for _, kind in stretch.uploads}

    assert {kind.status for kind in kinds} == {Status.APPROVED, Status.REVIEW, Status.BLOCKED, Status.UNSUPPORTED}
    assert compose(7, 500)[-1].poisoned, "these end FAILED"


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Policy]:
    folder = tmp_path_factory.mktemp("policies")
    standard = compile_policies(ROOT / "policies").policies["standard"]
    return {STANDARD: standard} | {
        version: compile_policy(write_policy(folder, version)) for version in (STRICTER, MILDER)
    }


@pytest.mark.parametrize("kind", LABELS)
def test_each_kind_is_judged_by_each_policy_as_the_checker_expects(policies: dict[str, Policy], kind: Kind) -> None:
    for version, policy in policies.items():
        assert policy.judge(an_analysis(LABELS[kind])).status is judged(version, kind)


def test_one_policy_is_stricter_and_the_other_one_milder() -> None:
    def flagged(version: str) -> list[Kind]:
        return [kind for kind in LABELS if judged(version, kind) is not Status.APPROVED]

    assert len(flagged(STRICTER)) > len(flagged(STANDARD)) > len(flagged(MILDER))
