"""`policy status`: what is active, and every way in which file, pointer and recent verdicts can differ."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gatehouse.cli.aws import verdict_table
from gatehouse.cli.aws.verdict_table import DAYS, MOST
from gatehouse.cli.policy.policy_source import short
from gatehouse.cli.policy.recent_verdicts import RecentVerdicts
from gatehouse.moderation.moment import iso
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer
from gatehouse.moderation.reason import PolicyReference
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_item
from tests.cli.conftest import LANES, STANDARD, STRICT, Deployed, Run, policy_of
from tests.cli.judged_uploads import a_judged, put_object
from tests.cli.noon import make_it_noon
from tests.unit.builders import NOON, a_claim, a_verdict, an_upload

StatusOf = Callable[[], Mapping[str, Any]]

V1 = policy_of(STANDARD)
STANDARD_2 = STANDARD.replace('"1"', '"2"').replace("block: 90", "block: 80")
V2 = policy_of(STANDARD_2)
STANDARD_3 = STANDARD.replace('"1"', '"3"').replace("block: 90", "block: 70")
V3 = policy_of(STANDARD_3)
KIDS = policy_of(STRICT)
#: What V1 sends to review, it approves; what V1 blocks, it blocks.
STANDARD_MILD = STANDARD.replace('"1"', '"4"').replace("review: 50, ", "")
MILD = policy_of(STANDARD_MILD)


@pytest.fixture
def policies(here: Path) -> Path:
    """The files the deployment was made from."""
    folder = here / "policies"
    folder.mkdir()
    (folder / "standard.yaml").write_text(STANDARD, encoding="utf-8")
    (folder / "strict.yaml").write_text(STRICT, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _noon(deployed: Deployed) -> None:
    make_it_noon(deployed)


@pytest.fixture
def status(run: Run) -> StatusOf:
    """Runs the command and reads its document."""

    def status() -> Mapping[str, Any]:
        result = run("status", "--output", "json")
        assert result.exit_code == 0
        document: Mapping[str, Any] = json.loads(result.stdout)
        return document

    return status


def flagged(
    policy: PolicyReference = V1.reference,
    upload: Upload | None = None,
    *,
    days: int = 0,
    hours: int = 0,
    **fields: Any,
) -> Verdict:
    """A flagged verdict of this policy, of so long ago."""
    verdict = a_verdict(Status.REVIEW, a_claim(upload or an_upload()), **{"policy": policy, **fields})
    return replace(verdict, decided_at=iso(NOON - timedelta(days=days, hours=hours)))


def given_by(policy: Policy, confidences: Mapping[str, float], key: str = "cat.jpg", **fields: Any) -> Verdict:
    """What a policy decided today on an upload with these labels."""
    return a_judged(key, confidences, policy, **fields)


def standings(document: Mapping[str, Any]) -> dict[str, tuple[int, bool | None, int | None]]:
    """For each policy that gave recent verdicts: how many, whether it is active, how many of them would change."""
    return {
        entry["hash"]: (entry["verdicts"], entry["active"], entry["would_change"])
        for entry in document["recent_verdicts"]["by_policy"]
    }


def drift(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Kind and policy of each difference."""
    return [(entry["kind"], entry["policy"]) for entry in document["drift"]]


def text(document: Mapping[str, Any]) -> str:
    """The one difference, in words."""
    (entry,) = document["drift"]
    words: str = entry["text"]
    return words


@pytest.mark.usefixtures("policies")
def test_where_everything_agrees_there_is_no_drift(run: Run, deployed: Deployed) -> None:
    deployed.put(flagged())

    result = run("status")

    assert "No drift: files and these verdicts agree with the pointers." in result.stdout
    row = next(line for line in result.stdout.splitlines() if line.startswith("| standard | default"))
    assert row.count(f"1 ({short(V1.hash)})") == 3  # file, deployed, active
    assert "2026-11-22T11:59:30Z; functions follow within a minute" in row
    assert "Approvals are not in the index that is used here, so they are not counted." in result.stdout
    assert result.exit_code == 0


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize(
    ("overrides", "standard", "strict"),
    [
        ({"kids/": "strict"}, "default", "default: kids/"),
        ({"kids/": "strict", "kids/old/": "standard"}, "default, default: kids/old/", "default: kids/"),
        ({f"{n}/": "strict" for n in range(5)}, "default", "default: 0/ 1/ 2/ and 2 more"),
    ],
)
def test_the_lanes_of_a_policy_are_shown_with_its_prefixes(
    run: Run,
    deployed: Deployed,
    overrides: Mapping[str, str],
    standard: str,
    strict: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    deployed.stacks({"default": LANES["default"] | {"policy_overrides": overrides}})

    rows = [line.split("|") for line in run("status").stdout.splitlines() if line.startswith("| st")]

    assert [row[2].strip() for row in rows] == [standard, strict]


@pytest.mark.usefixtures("policies")
def test_scripts_get_one_document(deployed: Deployed, status: StatusOf) -> None:
    deployed.put(flagged())

    document = status()

    assert document["deployment"] == "gatehouse"
    standard, strict = document["policies"]
    assert standard == {
        "name": "standard",
        "lanes": ["default"],
        "file": {"path": "policies/standard.yaml", "version": "1", "hash": V1.hash, "error": None},
        "parameter": "parameter-of-standard",
        "deployed": {"version": "1", "hash": V1.hash},
        "active": {"version": "1", "hash": V1.hash, "live": False, "since": "2026-11-22T11:59:30.000Z"},
    }
    assert strict["name"] == "strict"
    assert document["recent_verdicts"]["by_policy"] == [
        {
            "name": "standard",
            "version": "1",
            "hash": V1.hash,
            "governed_by": "standard",
            "verdicts": 1,
            "newest": "2026-11-22T12:00:00.000Z",
            "active": True,
            "would_change": 0,
        }
    ]
    assert (document["recent_verdicts"]["looked_at"], document["recent_verdicts"]["days"]) == (1, DAYS)
    assert document["drift"] == []


@pytest.mark.usefixtures("deployed")
def test_a_file_that_is_not_active_is_told_with_how_to_try_and_apply_it(policies: Path, status: StatusOf) -> None:
    (policies / "standard.yaml").write_text(STANDARD_2, encoding="utf-8")

    document = status()

    assert drift(document) == [("file_not_active", "standard")]
    assert text(document).startswith(
        f"policies/standard.yaml is version 2 ({short(V2.hash)}), but standard version 1 ({short(V1.hash)}) is active"
    )
    assert "`./gatehouse policy diff standard policies/standard.yaml`" in text(document)
    assert "`./gatehouse policy apply policies/standard.yaml` or `make deploy` activates it." in text(document)


@pytest.mark.usefixtures("deployed")
def test_a_file_that_changed_under_the_same_version_is_told_to_need_another(policies: Path, status: StatusOf) -> None:
    (policies / "standard.yaml").write_text(STANDARD_2.replace('"2"', '"1"'), encoding="utf-8")

    assert "Write another version into the file first." in text(status())


@pytest.mark.usefixtures("policies")
def test_a_live_change_that_the_file_lacks_is_told_to_outlive_deploys(deployed: Deployed, status: StatusOf) -> None:
    deployed.point("standard", PolicyPointer.to_shipped(V1).moved_to(V2).to_text())

    document = status()

    assert drift(document) == [("live_change", "standard")]
    assert document["policies"][0]["active"]["live"] is True
    assert "is still the deployed version, so a deploy keeps the change" in text(document)
    assert "`./gatehouse policy apply policies/standard.yaml` reverts it." in text(document)


def test_a_live_change_that_is_in_the_file_is_told_to_await_a_deploy(
    deployed: Deployed, policies: Path, status: StatusOf
) -> None:
    deployed.point("standard", PolicyPointer.to_shipped(V1).moved_to(V2).to_text())
    (policies / "standard.yaml").write_text(STANDARD_2, encoding="utf-8")

    document = status()

    assert drift(document) == [("live_change", "standard")]
    assert "the next `make deploy` makes it the deployed version" in text(document)


def test_a_live_change_that_a_deploy_would_replace_is_told(
    deployed: Deployed, policies: Path, status: StatusOf
) -> None:
    deployed.point("standard", PolicyPointer.to_shipped(V1).moved_to(V2).to_text())
    (policies / "standard.yaml").write_text(STANDARD_3, encoding="utf-8")

    document = status()

    assert drift(document) == [("live_change", "standard")]
    assert f"(it is version 3, {short(V3.hash)}), so the next `make deploy` replaces the change" in text(document)


def test_without_files_a_live_change_is_told_and_where_to_compare(run: Run, deployed: Deployed) -> None:
    deployed.point("standard", PolicyPointer.to_shipped(V1).moved_to(V2).to_text())

    result = run("status")

    assert f"A live change activated standard version 2 ({short(V2.hash)})" in result.stdout
    assert (
        "because there is no file in ./policies: standard, strict. Run this command beside that folder."
        in result.stdout
    )


def test_nothing_is_said_to_agree_that_was_not_there_to_compare(run: Run, deployed: Deployed, here: Path) -> None:
    def last_lines(count: int) -> list[str]:
        return run("status").stdout.splitlines()[-count:]

    assert last_lines(2)[0] == "No drift: only the pointers could be read."
    deployed.put(flagged())
    assert last_lines(2)[0] == "No drift: these verdicts agree with the pointers."
    (here / "policies").mkdir()
    (here / "policies" / "standard.yaml").write_text(STANDARD, encoding="utf-8")
    agreement, absent = last_lines(2)
    assert agreement == "No drift: files and these verdicts agree with the pointers."
    assert absent.startswith("Not compared, because there is no file in ./policies: strict. ")
    (here / "policies" / "strict.yaml").write_text(STRICT, encoding="utf-8")
    assert last_lines(1) == [agreement]


@pytest.mark.usefixtures("deployed")
def test_a_mistake_in_a_file_is_told_with_its_line(policies: Path, status: StatusOf) -> None:
    (policies / "standard.yaml").write_text(STANDARD.replace("Violence", "Violense"), encoding="utf-8")

    document = status()

    assert drift(document) == [("file_mistake", "standard")]
    assert text(document).startswith("policies/standard.yaml:5: rules: Violense:")
    assert document["policies"][0]["file"]["hash"] is None


UNREADABLE = {
    "once upon a time": "the pointer is not JSON",
    '{"name":"standard"}': "the pointer has no version",
    PolicyPointer.to_shipped(KIDS).to_text(): "it points to policy strict",
}


@pytest.mark.usefixtures("policies")
@pytest.mark.parametrize("value", UNREADABLE)
def test_a_pointer_that_cannot_be_read_is_told_with_the_command_that_mends_it(
    deployed: Deployed, status: StatusOf, value: str
) -> None:
    deployed.point("standard", value)

    document = status()

    assert drift(document) == [("pointer_unreadable", "standard")]
    assert f"The pointer of standard, parameter-of-standard, can't be read: {UNREADABLE[value]}" in text(document)
    assert "aws ssm put-parameter --type String --overwrite --name parameter-of-standard " in text(document)
    assert f"--value '{PolicyPointer.to_shipped(V1).to_text()}'`; then `make deploy`." in text(document)
    assert document["policies"][0]["active"] is None


def test_a_parameter_that_is_gone_is_told(deployed: Deployed, status: StatusOf) -> None:
    deployed.ssm.delete_parameter(Name="parameter-of-standard")

    document = status()

    assert drift(document) == [("pointer_unreadable", "standard")]
    assert "there is no such parameter" in text(document)
    assert "--value POINTER`, where POINTER is" in text(document)


def test_a_policy_that_nothing_points_to_is_told(deployed: Deployed, status: StatusOf) -> None:
    deployed.stacks(without=["StrictPolicyParameterName"])

    document = status()

    assert drift(document) == [("pointer_missing", "strict")]
    assert text(document) == "No parameter points to strict, although lane default uses it: run `make deploy`."


@pytest.mark.usefixtures("policies")
def test_verdicts_that_the_active_version_would_change_are_told(deployed: Deployed, status: StatusOf) -> None:
    deployed.put(
        given_by(V3, {"Violence": 95.0}, "stays.jpg"),
        given_by(V3, {"Violence": 80.0}, "milder-1.jpg"),
        given_by(V3, {"Violence": 70.0}, "milder-2.jpg"),
        given_by(V1, {"Violence": 80.0}, "new.jpg"),
    )

    document = status()

    assert drift(document) == [("verdicts_would_change", "standard")]
    assert text(document) == (
        f"2 of the 4 newest flagged verdicts, given by standard version 3 ({short(V3.hash)}), would change under "
        f"standard version 1 ({short(V1.hash)}), which is active for them: `./gatehouse policy apply "
        "policies/standard.yaml` judges them again."
    )
    assert standings(document) == {V3.hash: (3, False, 2), V1.hash: (1, True, 0)}


@pytest.mark.usefixtures("policies")
def test_verdicts_that_come_out_the_same_under_the_active_version_are_no_drift(
    deployed: Deployed, run: Run, status: StatusOf
) -> None:
    deployed.put(given_by(V3, {"Violence": 95.0}))

    document, result = status(), run("status")

    assert document["drift"] == []
    assert standings(document) == {V3.hash: (1, False, 0)}
    assert "A verdict that the active version would not change still names the version that decided it." in (
        result.stdout
    )
    assert "No drift: files and these verdicts agree with the pointers." in result.stdout


def test_what_apply_leaves_as_it_is_is_no_drift(deployed: Deployed, policies: Path, status: StatusOf) -> None:
    (policies / "standard.yaml").write_text(STANDARD_MILD, encoding="utf-8")
    deployed.ship(MILD)
    kept = put_object(deployed, "kept.jpg")
    deployed.put(
        given_by(V1, {"Violence": 80.0}, "kept.jpg", upload=kept),
        given_by(V1, {"Violence": 80.0}, "deleted.jpg"),
        given_by(V1, {"Violence": 80.0}, "blurred.jpg", min_confidence=95.0),
        given_by(V1, {"Violence": 95.0}, "stays.jpg"),
    )
    before = status()

    deployed.put(given_by(MILD, {"Violence": 80.0}, "kept.jpg", upload=kept))

    after = status()
    assert (drift(before), standings(before)) == ([("verdicts_would_change", "standard")], {V1.hash: (4, False, 1)})
    assert (drift(after), standings(after)) == ([], {V1.hash: (3, False, 0)})


@pytest.mark.usefixtures("policies")
def test_a_file_that_would_make_another_version_active_is_not_named_to_judge_again(
    deployed: Deployed, policies: Path, status: StatusOf
) -> None:
    (policies / "standard.yaml").write_text(STANDARD_2, encoding="utf-8")
    deployed.record(V1)
    deployed.put(given_by(V3, {"Violence": 80.0}))

    document = status()

    assert drift(document) == [("file_not_active", "standard"), ("verdicts_would_change", "standard")]
    told = document["drift"][1]["text"]
    assert told.endswith(": `./gatehouse policy apply FILE`, with the file of that version, judges them again.")


def test_verdicts_are_not_compared_with_a_version_that_nobody_has(deployed: Deployed, status: StatusOf) -> None:
    deployed.put(given_by(V3, {"Violence": 80.0}))

    document = status()

    assert drift(document) == [("verdicts_not_compared", "standard")]
    assert text(document).startswith(
        f"1 of the 1 newest flagged verdicts were given by standard version 3 ({short(V3.hash)}). Whether they would "
        f"change under standard version 1 ({short(V1.hash)}), which is active for them, is unknown: "
        f"standard 1 ({short(V1.hash)}) is active, but no batch has recorded it yet"
    )
    assert standings(document) == {V3.hash: (1, False, None)}


@pytest.mark.usefixtures("policies")
def test_verdicts_are_held_against_the_policy_of_their_key(deployed: Deployed, status: StatusOf) -> None:
    deployed.put(
        given_by(KIDS, {"Violence": 60.0}, "kids/1.jpg"),
        given_by(V1, {"Violence": 60.0}, "kids/2.jpg"),
        given_by(V1, {"Violence": 60.0}, "1.jpg"),
    )

    document = status()

    assert drift(document) == [("verdicts_would_change", "strict")]
    assert text(document).startswith("1 of the 3 newest flagged verdicts, given by standard version 1")
    assert text(document).endswith("`./gatehouse policy apply policies/strict.yaml` judges them again.")


@pytest.mark.usefixtures("policies")
def test_verdicts_of_a_lane_that_is_gone_are_held_against_the_policy_that_gave_them(
    deployed: Deployed, status: StatusOf
) -> None:
    gone = policy_of(STANDARD.replace("standard", "gone"))
    deployed.stacks(lanes={"other": LANES["default"]})
    deployed.put(given_by(V1, {"Violence": 60.0}), given_by(gone, {"Violence": 60.0}, "2.jpg"))

    document = status()

    assert document["drift"] == []
    assert standings(document) == {V1.hash: (1, True, 0), gone.hash: (1, None, None)}


@pytest.mark.usefixtures("policies")
def test_decisions_of_people_are_counted_apart(deployed: Deployed, run: Run, status: StatusOf) -> None:
    deployed.put(flagged(V2.reference, decided_by="person:reviewer-7"))

    document = status()

    assert document["recent_verdicts"]["decided_by_people"] == 1
    assert document["drift"] == []
    assert "People decided 1 more of them; no policy changes these." in run("status").stdout


@pytest.mark.usefixtures("policies")
def test_approvals_and_older_verdicts_are_not_looked_at(deployed: Deployed, status: StatusOf) -> None:
    deployed.put(
        flagged(V2.reference, an_upload("old.jpg"), days=DAYS),
        flagged(V1.reference, an_upload("new.jpg"), days=DAYS - 1),
        a_verdict(Status.APPROVED, a_claim(an_upload("fine.jpg"))),
        a_verdict(Status.FAILED, a_claim(an_upload("failed.jpg"))),
    )

    assert status()["recent_verdicts"]["looked_at"] == 1


def test_what_was_approved_since_the_index_was_read_does_not_count() -> None:
    items = [verdict_item(a_verdict(Status.APPROVED)), verdict_item(flagged()), {"status": "REVIEW"}]

    assert RecentVerdicts.of(items, lambda *_: "standard").looked_at == 1


@pytest.mark.usefixtures("policies")
def test_the_newest_are_looked_at_first(deployed: Deployed, status: StatusOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict_table, "MOST", 2)
    deployed.put(
        flagged(V1.reference, an_upload("1.jpg"), hours=1),
        flagged(V2.reference, an_upload("2.jpg"), hours=3),
        flagged(V1.reference, an_upload("3.jpg"), hours=2),
    )

    document = status()

    assert document["recent_verdicts"]["looked_at"] == 2
    assert document["drift"] == []


def test_what_it_costs_does_not_grow_with_the_table(deployed: Deployed, status: StatusOf) -> None:
    deployed.put(*(flagged(upload=an_upload(f"{n}.jpg")) for n in range(MOST + 60)))

    document = status()

    assert document["recent_verdicts"]["looked_at"] == MOST
    assert deployed.calls.made["Query"] == 20  # ten partitions a status, of today alone
    assert deployed.calls.made["BatchGetItem"] == MOST / 100
    assert deployed.calls.made["Scan"] == 0


@pytest.mark.usefixtures("deployed")
def test_where_nothing_was_flagged_every_day_is_looked_at_once(deployed: Deployed, run: Run) -> None:
    result = run("status")

    assert f"No upload was flagged in the last {DAYS} days." in result.stdout
    assert deployed.calls.made["Query"] == 20 * DAYS
