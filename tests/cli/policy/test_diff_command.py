import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gatehouse.cli.policy import diff_command as command
from gatehouse.moderation.decision import Decision, acted, appeal, decide
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from tests.cli.conftest import LANES, STANDARD, STRICT, Deployed, Run, policy_of
from tests.cli.judged_uploads import PatientClock, a_judged
from tests.unit.builders import a_claim, a_verdict, an_upload

OLD = policy_of(STANDARD)
NEW = """\
name: standard
version: "2"
default: {review: 60}
rules:
  Violence: allow
  Alcohol: {review: 50}
"""
#: Long before anything in these tests was uploaded.
ALL = ("--since", "2026-01-01")


@pytest.fixture(autouse=True)
def uploads(deployed: Deployed, here: Path) -> None:
    """A month of uploads, and the file of a policy nobody has applied yet."""
    (here / "new.yaml").write_text(NEW)
    deployed.record(OLD)
    deployed.put(
        a_judged("bar/wine.jpg", {"Alcohol": 60.0}, OLD),
        a_judged("beer.jpg", {"Alcohol": 60.0}, OLD, upload={"uploaded_at": "2026-11-01T00:00:00.000Z"}),
        a_judged("fight.jpg", {"Violence": 60.0}, OLD),
        a_judged("cat.jpg", {}, OLD),
        a_judged("blurred.jpg", {}, OLD, min_confidence=55.0),
        a_judged("kids/wine.jpg", {"Alcohol": 60.0}, policy_of(STRICT)),
        a_judged("chosen.jpg", {"Alcohol": 60.0}, OLD, decided_by="person:alice"),
        a_claim(an_upload("new.jpg")),
        a_verdict(Status.FAILED, a_claim(an_upload("broken.jpg"))),
    )


def document(run: Run, *arguments: str) -> Any:
    """What a script reads."""
    result = run("diff", "standard", "new.yaml", *arguments, "--output", "json")
    assert result.exit_code == 0
    return json.loads(result.stdout)


def keys(found: Any) -> set[str]:
    """The example keys."""
    return {key for flips in found["flips"] for key in flips["examples"]}


def test_people_read_what_would_flip_and_why(run: Run) -> None:
    result = run("diff", "standard", "new.yaml", *ALL)

    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert "5 judged by both: 3 flip, 1 stays." in text
    assert "| APPROVED | REVIEW | 2 | Alcohol 2 | bar/wine.jpg |" in text
    assert "| REVIEW | APPROVED | 1 | Violence 1 | fight.jpg |" in text
    assert "Unknowable: 1. standard 2 judges labels from 50, but " in text
    assert "min_confidence 55 (1)" in text
    assert "set min_confidence to 50 or less in gatehouse.yaml" in text
    assert "Not judged, because a person decided: 1." in text
    assert "Not judged, because there are no labels: 2 (FAILED 1, PENDING 1)." in text


def test_scripts_read_one_document(run: Run) -> None:
    found = document(run, *ALL)

    assert (found["judged"], found["unchanged"], found["since"]) == (5, 1, "2026-01-01T00:00:00.000Z")
    assert [(flips["from"], flips["to"], flips["count"]) for flips in found["flips"]] == [
        ("APPROVED", "REVIEW", 2),
        ("REVIEW", "APPROVED", 1),
    ]
    assert found["unknowable"] == [{"min_confidence": 55.0, "count": 1}]


def test_people_read_how_far_the_policies_agree_with_them(run: Run, deployed: Deployed) -> None:
    approved = decide(Status.APPROVED, Person("mo"), Decision("context", None), "2026-11-22T13:00:00.000Z")
    deployed.put(acted(a_judged("play.jpg", {"Violence": 60.0}, OLD), approved))

    result = run("diff", "standard", "new.yaml", *ALL)

    assert "Not judged, because a person decided: 2.\n" in result.stdout
    assert "How each policy agrees with people, who decided 1 that have labels\n" in result.stdout
    rows = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "| standard 1 | 0 | 1 | 0 | play.jpg |" in rows
    assert "| standard 2 | 1 | 0 | 0 | |" in rows
    assert document(run, *ALL)["people"]["new"] == {"same": 1, "stricter": 0, "milder": 0, "examples": []}


def test_an_appeal_is_no_decision(run: Run, deployed: Deployed) -> None:
    blocked = decide(Status.BLOCKED, Person("mo"), Decision("spam", None), "2026-11-22T13:00:00.000Z")
    appealed = appeal(Person("kim"), Decision("appeal", None), "2026-11-22T14:00:00.000Z")
    deployed.put(acted(acted(a_judged("play.jpg", {"Violence": 60.0}, OLD), blocked), appealed))

    result = run("diff", "standard", "new.yaml", *ALL)

    assert "Not judged, because a person decided: 1.\n" in result.stdout
    assert "Not judged, because they were appealed or reported and wait for a person: 1.\n" in result.stdout


def test_nothing_is_written(run: Run, deployed: Deployed) -> None:
    assert run("diff", "standard", "new.yaml", *ALL).exit_code == 0

    reads = {"DescribeStacks", "GetParameters", "GetObject", "ListObjectsV2", "DescribeTable", "Scan"}
    assert set(deployed.calls.made) <= reads


def test_a_look_back_is_read_at_half_the_price(run: Run, deployed: Deployed) -> None:
    requests: list[Any] = []

    def answer(request: Mapping[str, Any]) -> dict[str, Any]:
        requests.append(json.loads(request["body"]))
        return {"Items": [], "ScannedCount": 0}

    deployed.calls.answer_always("Scan", answer)

    run("diff", "standard", "new.yaml", *ALL)

    assert {request["ConsistentRead"] for request in requests} == {False}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--since", "2026-11-02"), {"bar/wine.jpg", "fight.jpg"}),
        (("--since", "2026-11-01T00:00:00Z"), {"bar/wine.jpg", "beer.jpg", "fight.jpg"}),
        (("--since", "2026-11-01T01:00:00+01:00"), {"bar/wine.jpg", "beer.jpg", "fight.jpg"}),
        ((*ALL, "--prefix", "bar/"), {"bar/wine.jpg"}),
        ((*ALL, "--prefix", "literal:bar/"), {"bar/wine.jpg"}),
        ((*ALL, "--lane", "default"), {"bar/wine.jpg", "beer.jpg", "fight.jpg"}),
        ((*ALL, "--examples", "1"), {"bar/wine.jpg", "fight.jpg"}),
        ((*ALL, "--examples", "0"), set()),
    ],
)
def test_only_what_is_asked_for_is_compared(run: Run, arguments: tuple[str, ...], expected: set[str]) -> None:
    assert keys(document(run, *arguments)) == expected


def test_a_time_is_counted_back_from_now(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "CLOCK", PatientClock().clock)  # noon of the day most of these were uploaded

    assert keys(document(run, "--since", "1h")) == {"bar/wine.jpg", "fight.jpg"}
    assert keys(document(run, "--since", "21d")) == {"bar/wine.jpg", "fight.jpg"}
    assert keys(document(run, "--since", "22d")) == {"bar/wine.jpg", "beer.jpg", "fight.jpg"}
    assert document(run)["since"] == "2026-10-23T12:00:00.000Z"


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Lima"])
def test_a_date_is_one_of_utc_wherever_the_command_runs(run: Run, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        found = document(run, "--since", "2026-11-01")
    time.tzset()

    assert found["since"] == "2026-11-01T00:00:00.000Z"


@pytest.mark.parametrize("text", ["yesterday", "30", "3w", "", "2026-13-01", "99999999d"])
def test_another_time_is_an_error_that_says_what_to_write(run: Run, text: str) -> None:
    result = run("diff", "standard", "new.yaml", "--since", text)

    assert result.exit_code == 1
    assert "write 12h, 30d or a date" in result.stderr


def test_policies_may_be_named_by_hash_and_by_file(run: Run, here: Path) -> None:
    (here / "old.yaml").write_text(STANDARD)

    by_hash = run("diff", OLD.hash[:8], "new.yaml", *ALL, "--output", "json")
    by_file = run("diff", "old.yaml", "new.yaml", *ALL, "--output", "json")

    assert by_hash.stdout == by_file.stdout == run("diff", "standard", "new.yaml", *ALL, "--output", "json").stdout


def test_a_policy_no_lane_has_is_refused_before_anything_is_read(run: Run, here: Path, deployed: Deployed) -> None:
    (here / "other.yaml").write_text(NEW.replace("name: standard", "name: other"))

    result = run("diff", "other.yaml", "new.yaml", *ALL)

    assert result.stderr == "No lane uses the policy other; OLD must be one of those in use: standard, strict.\n"
    assert (result.stdout, result.exit_code, deployed.calls.made["Scan"]) == ("", 1, 0)


def test_a_lane_there_is_not_is_refused_before_anything_is_read(run: Run, deployed: Deployed) -> None:
    result = run("diff", "standard", "new.yaml", *ALL, "--lane", "defualt")

    assert result.stderr == "There is no lane defualt; the lanes are default.\n"
    assert (result.stdout, result.exit_code, deployed.calls.made["Scan"]) == ("", 1, 0)


def test_a_lane_that_judges_by_other_policies_is_refused(run: Run, deployed: Deployed) -> None:
    deployed.stacks({**LANES, "adults": LANES["default"] | {"policy": "strict", "policy_overrides": {}}})

    result = run("diff", "standard", "new.yaml", *ALL, "--lane", "adults")

    assert result.stderr == "Lane adults does not use standard; the lanes that do: default.\n"
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("keys_of_others", "told"),
    [
        (["vodka.jpg"], "1 of these is in the table with another status than standard 1 gives it, because another"),
        (
            ["rum.jpg", "gin.jpg"],
            "2 of these are in the table with another status than standard 1 gives them",
        ),
    ],
)
def test_stored_statuses_that_the_old_policy_does_not_give_are_told_at_once(
    run: Run, deployed: Deployed, keys_of_others: list[str], told: str
) -> None:
    deployed.put(*(a_judged(key, {"Alcohol": 60.0}, policy_of(NEW)) for key in keys_of_others))

    result = run("diff", "standard", "standard", *ALL)

    _, counts, unlike_old = result.stdout.splitlines()[:3]
    assert ": 0 flip, " in counts
    assert unlike_old.startswith(told)
    assert "`./gatehouse policy apply` of standard 1 judges" in unlike_old


def test_one_version_with_two_contents_is_told_to_need_another_number(run: Run, here: Path) -> None:
    (here / "same.yaml").write_text(NEW.replace('"2"', '"1"'))

    result = run("diff", "standard", "same.yaml", *ALL)

    assert result.stdout.splitlines()[-1] == (
        "Both are version 1 of standard: write another version into NEW before you apply it."
    )
    for other in ("new.yaml", "standard"):
        assert "write another version" not in run("diff", "standard", other, *ALL).stdout


def test_a_key_does_not_speak_to_the_terminal(run: Run, deployed: Deployed) -> None:
    deployed.put(a_judged("\x1b[2J[bold].jpg", {"Alcohol": 60.0}, OLD))

    result = run("diff", "standard", "new.yaml", *ALL, "--examples", "9")

    assert "\\x1b[2J[bold].jpg" in result.stdout


def test_lanes_given_to_the_new_policy_are_compared_by_it(run: Run, deployed: Deployed) -> None:
    deployed.stacks({"default": LANES["default"] | {"policy_overrides": {}}})

    assert keys(document(run, *ALL, "--prefix", "kids/")) == {"kids/wine.jpg"}
