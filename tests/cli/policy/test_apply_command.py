import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gatehouse.cli.aws.policy_parameters import OperatorsPolicyParameters, StoredPointer, UnreadablePointer
from gatehouse.cli.aws.work_bucket import OperatorsWorkBucket
from gatehouse.cli.policy import apply_command as command
from gatehouse.cli.policy import apply_run
from gatehouse.moderation.moment import iso
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer, policy_key
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import STATUS
from tests.cli.conftest import LANES, STANDARD, STRICT, WORK, Deployed, Run, policy_of
from tests.cli.judged_uploads import PatientClock, a_judged, put_object
from tests.unit.builders import NOON, a_claim, an_upload

NEW_TEXT = """\
name: standard
version: "2"
default: {review: 60}
rules:
  Violence: allow
  Alcohol: {review: 50}
"""
OLD, NEW = policy_of(STANDARD), policy_of(NEW_TEXT)
#: What a deploy may make of the lanes.
TO_STRICT = {"default": {"policy": "strict", "policy_overrides": {"art/": "standard"}, "min_confidence": 30}}
WINE, FIGHT = {"Alcohol": 60.0}, {"Violence": 60.0}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> PatientClock:
    """The command's clock, and that of SSM and S3: what is there was written a day ago, or when it is first seen."""
    patience = PatientClock()
    monkeypatch.setattr(command, "CLOCK", patience.clock)
    written: dict[str, Any] = {}
    look = OperatorsPolicyParameters.look

    def look_by_this_clock(
        self: OperatorsPolicyParameters,
    ) -> tuple[dict[str, StoredPointer], tuple[UnreadablePointer, ...]]:
        found, unreadable = look(self)
        moment = patience.now() if written else NOON - timedelta(days=1)
        for name, stored in found.items():
            modified = written.setdefault(f"{stored.pointer.to_text()}{stored.version}", moment)
            found[name] = replace(stored, modified=modified, now=patience.now())
        return found, unreadable

    record, kept_since = OperatorsWorkBucket.record_policy, dict[str, datetime]()

    def record_by_this_clock(self: OperatorsWorkBucket, policy: Policy) -> datetime | None:
        kept = record(self, policy)
        if not kept:
            kept_since[policy.hash] = patience.now()
            return None
        return kept_since[policy.hash]

    monkeypatch.setattr(OperatorsPolicyParameters, "look", look_by_this_clock)
    monkeypatch.setattr(OperatorsWorkBucket, "record_policy", record_by_this_clock)
    return patience


@pytest.fixture(autouse=True)
def file(here: Path) -> Path:
    """The new version's file."""
    (here / "new.yaml").write_text(NEW_TEXT)
    return here / "new.yaml"


@pytest.fixture
def apply(run: Run) -> Callable[..., Any]:
    """Apply the new version without being asked."""

    def apply(*arguments: str) -> Any:
        return run("apply", "new.yaml", "--yes", *arguments)

    return apply


def upload(deployed: Deployed, *verdicts: Verdict) -> None:
    """Put verdicts, with the objects they speak of."""
    for verdict in verdicts:
        stored = replace(verdict.upload, **put_object(deployed, verdict.upload.key))
        deployed.put(replace(verdict, claim=replace(verdict.claim, upload=stored)))


def statuses(deployed: Deployed) -> dict[str, str]:
    """Key -> status."""
    return {item["key"]: item[STATUS] for item in deployed.items().values()}


def agreeing(meanwhile: Callable[[], object]) -> Callable[..., bool]:
    """Someone who is asked, and agrees after a while in which something happens."""

    def agree(*_: object, **__: object) -> bool:
        meanwhile()
        return True

    return agree


def one_line(text: str) -> str:
    """The text, its lines joined."""
    return " ".join(text.split())


def test_a_policy_is_activated_and_replayed(apply: Callable[..., Any], deployed: Deployed) -> None:
    upload(deployed, a_judged("wine.jpg", WINE, OLD), a_judged("fight.jpg", FIGHT, OLD), a_judged("cat.jpg", {}, OLD))

    result = apply()

    assert result.exit_code == 0
    pointer = deployed.pointer("standard")
    assert (pointer.hash, pointer.is_live, pointer.shipped.hash) == (NEW.hash, True, OLD.hash)
    assert deployed.recorded() == {policy_key(NEW.hash): NEW.to_text()}
    assert statuses(deployed) == {"wine.jpg": "REVIEW", "fight.jpg": "APPROVED", "cat.jpg": "APPROVED"}
    text = one_line(result.stdout)
    assert "| looked at | 3 |" in text
    assert "| changed from APPROVED to REVIEW | 1 |" in text
    assert "| changed from REVIEW to APPROVED | 1 |" in text
    assert "| unchanged | 1 |" in text


def test_the_document_is_there_before_anything_points_to_it(apply: Callable[..., Any], deployed: Deployed) -> None:
    deployed.calls.kill("PutObject", "before")

    with pytest.raises(BaseException, match="before PutObject"):
        apply()

    assert deployed.pointer("standard").hash == OLD.hash


def test_the_table_is_not_looked_at_before_every_function_follows(
    apply: Callable[..., Any], deployed: Deployed, patience: PatientClock
) -> None:
    scans_before: list[int] = []
    patience.meanwhile = [lambda: scans_before.append(deployed.calls.made["Scan"])]

    result = apply()

    assert (patience.pauses, scans_before) == ([60.0], [0])
    assert deployed.calls.made["Scan"] == 8
    assert "Waiting 60 s" in result.stderr


@pytest.mark.parametrize("stack", ["gatehouse-storage", "gatehouse-pipeline"])
def test_nothing_is_applied_while_a_deploy_is_under_way(
    apply: Callable[..., Any], deployed: Deployed, stack: str
) -> None:
    deployed.stack_changes[stack] = {"StackStatus": "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"}

    result = apply()

    assert result.exit_code == 1
    assert f"{stack} is being deployed" in one_line(result.stderr)
    assert not deployed.calls.made["PutParameter"]


@pytest.mark.parametrize("stack", ["gatehouse-storage", "gatehouse-pipeline"])
def test_a_deploy_that_began_while_the_question_was_open_comes_first(
    run: Run, deployed: Deployed, monkeypatch: pytest.MonkeyPatch, stack: str
) -> None:
    under_way = {"StackStatus": "UPDATE_IN_PROGRESS"}
    monkeypatch.setattr("typer.confirm", agreeing(lambda: deployed.stack_changes.update({stack: under_way})))

    result = run("apply", "new.yaml", input="y\n")

    assert result.exit_code == 1
    assert f"{stack} is being deployed" in one_line(result.stderr)
    assert (deployed.pointer("standard").hash, deployed.recorded()) == (OLD.hash, {})


def test_a_deploy_that_ended_while_the_question_was_open_asks_anew(
    run: Run, deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.confirm", agreeing(lambda: deployed.stacks(TO_STRICT)))

    result = run("apply", "new.yaml", input="y\n")

    assert result.exit_code == 1
    assert "gatehouse was deployed in the meantime" in result.stderr
    assert (deployed.pointer("standard").hash, deployed.recorded()) == (OLD.hash, {})


def test_functions_that_were_just_deployed_are_waited_for(
    apply: Callable[..., Any], deployed: Deployed, patience: PatientClock
) -> None:
    apply()
    patience.clock.pause(100)
    deployed.deploy_ended(patience.now() - timedelta(seconds=20))
    patience.pauses.clear()

    result = apply()

    assert (result.exit_code, patience.pauses) == (0, [40.0])


def test_a_policy_that_has_long_been_active_is_not_waited_for(
    apply: Callable[..., Any], deployed: Deployed, patience: PatientClock
) -> None:
    upload(deployed, a_judged("wine.jpg", WINE, OLD))
    deployed.ship(NEW)
    OperatorsWorkBucket(deployed.s3, WORK).record_policy(NEW)
    patience.seconds += 3600

    result = apply()

    assert "already active" in result.stderr
    assert (patience.pauses, deployed.calls.made["PutParameter"]) == ([], 0)
    assert statuses(deployed) == {"wine.jpg": "REVIEW"}


def test_functions_that_could_not_find_what_was_deployed_are_waited_for(
    apply: Callable[..., Any], deployed: Deployed, patience: PatientClock
) -> None:
    """Without its document they run what they ship, and look again after half a minute."""
    upload(deployed, a_judged("wine.jpg", WINE, OLD))
    deployed.ship(NEW)

    assert apply().exit_code == 0
    assert patience.pauses == [60.0]
    assert deployed.recorded() == {policy_key(NEW.hash): NEW.to_text()}


def test_a_pointer_that_somebody_moves_at_the_same_time_is_told(apply: Callable[..., Any], deployed: Deployed) -> None:
    third = policy_of(NEW_TEXT.replace('"2"', '"3"'))
    deployed.calls.interrupt("PutParameter", lambda: deployed.ship(third))

    result = apply()

    assert result.exit_code == 1
    assert "Somebody else moved the pointer of standard at the same time" in one_line(result.stderr)
    assert not deployed.calls.made["Scan"]


def test_an_interrupted_run_is_resumed_where_it_was(
    apply: Callable[..., Any], deployed: Deployed, patience: PatientClock
) -> None:
    upload(deployed, a_judged("wine.jpg", WINE, OLD))

    def interrupt() -> None:
        patience.seconds = 20.0
        raise KeyboardInterrupt

    patience.meanwhile = [interrupt]
    interrupted = apply()
    assert (interrupted.exit_code, deployed.pointer("standard").hash) == (130, NEW.hash)
    assert "run the same command again" in interrupted.stderr
    assert statuses(deployed) == {"wine.jpg": "APPROVED"}

    resumed = apply()

    assert (resumed.exit_code, patience.pauses) == (0, [60.0, 40.0])
    assert deployed.calls.made["PutParameter"] == 1
    assert statuses(deployed) == {"wine.jpg": "REVIEW"}


def test_ctrl_c_among_the_writes_is_one_sentence(apply: Callable[..., Any], deployed: Deployed) -> None:
    upload(deployed, a_judged("wine.jpg", WINE, OLD))

    def interrupt() -> None:
        raise KeyboardInterrupt

    deployed.calls.interrupt("HeadObject", interrupt)
    deployed.calls.interrupt("Scan", interrupt)

    result = apply()

    assert (result.exit_code, result.stdout) == (130, "")
    assert "Interrupted. Finished work is kept" in result.stderr


def test_a_second_apply_changes_nothing(apply: Callable[..., Any], deployed: Deployed) -> None:
    upload(deployed, a_judged("wine.jpg", WINE, OLD), a_judged("fight.jpg", FIGHT, OLD))
    apply("--publish")
    before, written = deployed.items(), deployed.calls.made["UpdateItem"]

    result = apply("--publish")

    assert result.exit_code == 0
    assert (deployed.items(), deployed.calls.made["UpdateItem"]) == (before, written)


def test_the_version_that_was_deployed_is_pointed_to_as_deployed(
    apply: Callable[..., Any], run: Run, deployed: Deployed, here: Path
) -> None:
    (here / "old.yaml").write_text(STANDARD)
    upload(deployed, a_judged("wine.jpg", WINE, OLD))
    apply()

    result = run("apply", "old.yaml", "--yes")

    assert result.exit_code == 0
    assert not deployed.pointer("standard").is_live
    assert statuses(deployed) == {"wine.jpg": "APPROVED"}


# Questions


def test_nothing_happens_before_the_question_is_answered(run: Run, deployed: Deployed) -> None:
    upload(deployed, a_judged("wine.jpg", WINE, OLD))

    result = run("apply", "new.yaml", input="n\n")

    assert result.exit_code == 1
    assert (
        f"standard goes from version 1 ({OLD.hash[:8]}) to version 2 ({NEW.hash[:8]}) in gatehouse (lanes: default)"
        in result.stderr
    )
    assert (deployed.pointer("standard").hash, deployed.recorded()) == (OLD.hash, {})
    assert statuses(deployed) == {"wine.jpg": "APPROVED"}


def test_a_yes_will_do(run: Run, deployed: Deployed) -> None:
    assert run("apply", "new.yaml", input="y\n").exit_code == 0
    assert deployed.pointer("standard").hash == NEW.hash


def test_what_was_not_shown_is_not_replaced(run: Run, deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    third = policy_of(NEW_TEXT.replace('"2"', '"3"'))
    monkeypatch.setattr("typer.confirm", agreeing(lambda: deployed.ship(third)))

    result = run("apply", "new.yaml", input="y\n")

    assert (result.exit_code, deployed.pointer("standard").hash) == (1, third.hash)
    assert "was moved in the meantime" in result.stderr


def test_a_document_that_got_lost_is_put_back_and_waited_for(
    apply: Callable[..., Any], deployed: Deployed, patience: PatientClock
) -> None:
    apply()
    deployed.s3.delete_object(Bucket=WORK, Key=policy_key(NEW.hash))
    patience.seconds += 3600
    patience.pauses.clear()

    apply()

    assert deployed.recorded() == {policy_key(NEW.hash): NEW.to_text()}
    assert patience.pauses == [60.0]


def test_a_document_put_back_by_an_interrupted_run_is_waited_for_by_the_next(
    apply: Callable[..., Any], deployed: Deployed, patience: PatientClock
) -> None:
    apply()
    deployed.s3.delete_object(Bucket=WORK, Key=policy_key(NEW.hash))
    patience.seconds = 3600.0
    patience.pauses.clear()

    def interrupt() -> None:
        patience.seconds = 3620.0
        raise KeyboardInterrupt

    patience.meanwhile = [interrupt]
    apply()

    assert apply().exit_code == 0
    assert patience.pauses == [60.0, 40.0]


def test_a_pointer_that_takes_a_moment_to_show_is_waited_for(
    apply: Callable[..., Any], deployed: Deployed, patience: PatientClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(deployed, a_judged("wine.jpg", WINE, OLD))
    show_moves_after(3, monkeypatch)

    result = apply()

    assert (result.exit_code, patience.pauses) == (0, [1, 1, 1, 60.0])
    assert deployed.calls.made["PutParameter"] == 1
    assert statuses(deployed) == {"wine.jpg": "REVIEW"}


def test_a_pointer_that_does_not_show_is_not_waited_for_long(
    apply: Callable[..., Any], deployed: Deployed, patience: PatientClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(deployed, a_judged("wine.jpg", WINE, OLD))
    show_moves_after(1_000_000, monkeypatch)

    result = apply()

    assert result.exit_code == 1
    assert "the move is not visible yet; run the same command again" in one_line(result.stderr)
    assert 10 <= sum(patience.pauses) <= 12
    assert statuses(deployed) == {"wine.jpg": "APPROVED"}


def show_moves_after(looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have so many looks at the pointers, after one is moved, still see what was there before."""
    look, move = OperatorsPolicyParameters.look, OperatorsPolicyParameters.move
    seen: list[Any] = []
    stale: list[Any] = []

    def look_late(self: OperatorsPolicyParameters) -> Any:
        if stale:
            return stale.pop()
        seen.append(look(self))
        return seen[-1]

    def move_late(self: OperatorsPolicyParameters, stored: StoredPointer, pointer: PolicyPointer) -> int:
        stale.extend([seen[-1]] * looks)
        return move(self, stored, pointer)

    monkeypatch.setattr(OperatorsPolicyParameters, "look", look_late)
    monkeypatch.setattr(OperatorsPolicyParameters, "move", move_late)


# Refusals


def refused(run: Run, deployed: Deployed, text: str, here: Path) -> str:
    """What is said of a policy that is not applied."""
    (here / "refused.yaml").write_text(text)
    pointer, items = deployed.pointer("standard"), deployed.items()
    result = run("apply", "refused.yaml", "--yes")
    assert result.exit_code == 1
    assert (deployed.pointer("standard"), deployed.items(), deployed.recorded()) == (pointer, items, {})
    assert not {"PutParameter", "PutObject", "UpdateItem"} & set(deployed.calls.made)
    return one_line(result.stderr)


def test_a_policy_nobody_uses_is_refused(run: Run, deployed: Deployed, here: Path) -> None:
    said = refused(run, deployed, NEW_TEXT.replace("name: standard", "name: lenient"), here)

    assert "No lane of gatehouse has a policy named lenient; those in use are standard, strict." in said


def test_another_content_under_the_active_version_is_refused(run: Run, deployed: Deployed, here: Path) -> None:
    said = refused(run, deployed, NEW_TEXT.replace('"2"', '"1"'), here)

    assert "version 1 of standard exists with different content" in said
    assert 'write version: "2"' in said


def test_another_content_under_the_deployed_version_is_refused(run: Run, deployed: Deployed, here: Path) -> None:
    deployed.point("standard", deployed.pointer("standard").moved_to(NEW).to_text())

    said = refused(run, deployed, NEW_TEXT.replace('"2"', '"1"'), here)

    assert f"exists with different content ({OLD.hash[:8]})" in said


def test_another_content_under_a_version_of_long_ago_is_refused(run: Run, deployed: Deployed, here: Path) -> None:
    third = policy_of(NEW_TEXT.replace('"2"', '"3"'))
    deployed.point("standard", deployed.pointer("standard").moved_to(NEW).to_text())
    deployed.point("standard", "no pointer")
    deployed.point("standard", PolicyPointer.to_shipped(third).to_text())

    said = refused(run, deployed, NEW_TEXT.replace("Violence: allow", "Violence: {block: 99}"), here)

    assert f"version 2 of standard exists with different content ({NEW.hash[:8]})" in said
    assert 'write version: "4"' in said


def test_a_version_of_long_ago_may_come_back_as_it_was(apply: Callable[..., Any], deployed: Deployed) -> None:
    third = policy_of(NEW_TEXT.replace('"2"', '"3"'))
    deployed.point("standard", deployed.pointer("standard").moved_to(NEW).to_text())
    deployed.point("standard", PolicyPointer.to_shipped(third).to_text())

    assert apply().exit_code == 0
    assert deployed.pointer("standard").hash == NEW.hash


def test_a_change_that_is_declined_changes_nothing(run: Run, deployed: Deployed) -> None:
    result = run("apply", "new.yaml", input="n\n")

    assert result.exit_code == 1
    assert "Nothing was changed." in result.stderr
    assert deployed.pointer("standard").hash == OLD.hash


def test_going_back_to_what_was_deployed_is_named(run: Run, deployed: Deployed, here: Path) -> None:
    deployed.point("standard", deployed.pointer("standard").moved_to(NEW).to_text())
    (here / "old.yaml").write_text(STANDARD)

    result = run("apply", "old.yaml", input="n\n")

    assert f"to version 1 ({OLD.hash[:8]}), the deployed version," in one_line(result.stderr)


def test_a_threshold_rekognition_is_not_asked_for_is_refused(run: Run, deployed: Deployed, here: Path) -> None:
    deployed.stacks(
        LANES | {"archive": {"policy": "strict", "policy_overrides": {"x/": "standard"}, "min_confidence": 45}}
    )

    said = refused(run, deployed, NEW_TEXT.replace("review: 50", "review: 40"), here)

    assert "standard 2 has a threshold at 40, but lane archive requests only labels from 45" in said
    assert "set its min_confidence to 40 or less in gatehouse.yaml and deploy first" in said


def test_a_threshold_at_min_confidence_is_no_reason_to_refuse(run: Run, deployed: Deployed, here: Path) -> None:
    (here / "low.yaml").write_text(NEW_TEXT.replace("review: 50", "review: 30"))

    assert run("apply", "low.yaml", "--yes").exit_code == 0


def test_a_file_that_is_no_policy_is_refused(run: Run, deployed: Deployed, here: Path) -> None:
    said = refused(run, deployed, NEW_TEXT.replace("Violence", "Vilence"), here)

    assert "refused.yaml:5" in said
    assert "Violence" in said


def test_a_pointer_that_can_not_be_read_is_said_to_be_one(run: Run, deployed: Deployed) -> None:
    for name in ("standard", "strict"):
        deployed.point(name, "not a pointer")

    result = run("apply", "new.yaml", "--yes")

    assert result.exit_code == 1
    assert "The pointer of standard can't be read (parameter-of-standard: " in result.stderr
    assert "policy status" in result.stderr
    assert deployed.calls.made["PutParameter"] == 0


def test_another_policys_broken_pointer_is_no_hindrance(run: Run, deployed: Deployed) -> None:
    deployed.point("strict", "not a pointer")

    assert run("apply", "new.yaml", "--yes").exit_code == 0


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1", "2"), ("9", "10"), ("2026-11", "2026-12"), ("v09", "v10"), ("1.9", "1.10"), ("first", "first-2")],
)
def test_the_next_version_is_suggested(version: str, expected: str) -> None:
    assert apply_run._next_version(version) == expected


# Endings


def test_uploads_that_stay_pending_make_exit_status_3(
    apply: Callable[..., Any], deployed: Deployed, patience: PatientClock
) -> None:
    deployed.put(a_claim(an_upload("new.jpg")))

    result = apply("--wait", "0.5")

    assert result.exit_code == 3
    assert sum(patience.pauses) == 60 + 30
    assert "Uploads still being analyzed: 1." in result.stderr
    assert "run the same command again later" in one_line(result.stderr)
    assert "| still being analyzed | 1 |" in one_line(result.stdout)


def test_what_becomes_final_under_the_old_version_meanwhile_is_judged_again(
    apply: Callable[..., Any], deployed: Deployed, patience: PatientClock
) -> None:
    verdict = a_judged("wine.jpg", WINE, OLD)
    deployed.put(verdict.claim)
    patience.meanwhile = [lambda: None, lambda: upload(deployed, verdict)]

    result = apply()

    assert (result.exit_code, statuses(deployed)) == (0, {"wine.jpg": "REVIEW"})


def test_what_changes_is_left_to_be_announced_and_the_command_publishes_nothing(
    apply: Callable[..., Any], deployed: Deployed
) -> None:
    upload(deployed, a_judged("wine.jpg", WINE, OLD), a_judged("fight.jpg", FIGHT, OLD), a_judged("cat.jpg", {}, OLD))

    result = apply("--publish")

    changes = {item["key"]: item.get("change") for item in deployed.items().values()}
    announced = {"cause": "policy", "announce": True}
    assert changes == {"wine.jpg": announced, "fight.jpg": announced, "cat.jpg": None}
    assert not [operation for operation in deployed.calls.made if operation.startswith("Publish")]
    assert "| changed, and announced to subscribers | 2 |" in one_line(result.stdout)


def test_without_publish_nothing_is_announced(apply: Callable[..., Any], deployed: Deployed) -> None:
    upload(deployed, a_judged("wine.jpg", WINE, OLD))

    result = apply()

    assert [item["change"] for item in deployed.items().values()] == [{"cause": "policy", "announce": False}]
    assert "announced" not in result.stdout


def test_what_changes_is_kept_as_long_as_the_deployment_says(
    apply: Callable[..., Any], deployed: Deployed, patience: PatientClock
) -> None:
    deployed.stacks(VerdictRetentionDays="30")
    upload(deployed, a_judged("fight.jpg", FIGHT, OLD))

    apply()

    (item,) = deployed.items().values()
    assert item["decided_at"] == iso(patience.now())
    assert item["expires_at"] == int((patience.now() + timedelta(days=30)).timestamp())


def test_a_version_applied_by_somebody_else_meanwhile_stands(
    apply: Callable[..., Any], deployed: Deployed, patience: PatientClock
) -> None:
    upload(deployed, a_judged("wine.jpg", WINE, OLD))
    third = policy_of(NEW_TEXT.replace('"2"', '"3"'))
    patience.meanwhile = [lambda: deployed.point("standard", deployed.pointer("standard").moved_to(third).to_text())]

    result = apply()

    assert (result.exit_code, statuses(deployed)) == (1, {"wine.jpg": "APPROVED"})
    assert deployed.pointer("standard").hash == third.hash
    assert "was moved, or gatehouse was deployed, while this ran" in one_line(result.stderr)


@pytest.mark.parametrize(
    "deploy",
    [
        lambda deployed: deployed.stacks(TO_STRICT),
        lambda deployed: deployed.stack_changes.update({"gatehouse-storage": {"StackStatus": "UPDATE_IN_PROGRESS"}}),
        lambda deployed: deployed.stack_changes.update({"gatehouse-pipeline": {"LastUpdatedTime": NOON}}),
    ],
    ids=["other lanes", "under way", "over"],
)
def test_a_deploy_meanwhile_ends_it(
    apply: Callable[..., Any], deployed: Deployed, patience: PatientClock, deploy: Callable[[Deployed], None]
) -> None:
    upload(deployed, a_judged("fight.jpg", FIGHT, policy_of(STRICT)))
    patience.meanwhile = [lambda: deploy(deployed)]

    result = apply("--publish")

    assert (result.exit_code, statuses(deployed)) == (1, {"fight.jpg": "BLOCKED"})
    assert deployed.pointer("standard").hash == NEW.hash
    assert "was moved, or gatehouse was deployed, while this ran" in one_line(result.stderr)


def test_of_two_who_apply_at_once_the_last_one_stands(
    apply: Callable[..., Any], deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(deployed, a_judged("wine.jpg", WINE, OLD))
    third = policy_of(NEW_TEXT.replace('"2"', '"3"'))
    move = OperatorsPolicyParameters.move

    def move_and_be_overtaken(self: OperatorsPolicyParameters, stored: StoredPointer, pointer: PolicyPointer) -> int:
        version = move(self, stored, pointer)
        move(self, stored, stored.pointer.moved_to(third))
        return version

    monkeypatch.setattr(OperatorsPolicyParameters, "move", move_and_be_overtaken)

    result = apply()

    assert (result.exit_code, statuses(deployed)) == (1, {"wine.jpg": "APPROVED"})
    assert "was moved, or gatehouse was deployed, while this ran" in one_line(result.stderr)


def test_a_pointer_moved_away_and_back_does_not_pass_for_untouched(
    apply: Callable[..., Any], deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = OperatorsPolicyParameters.look
    looks: list[None] = []

    def look_with_a_move(self: OperatorsPolicyParameters) -> Any:
        found, unreadable = look(self)
        looks.append(None)
        moves = 2 * (len(looks) > 2)
        return {name: replace(stored, version=stored.version + moves) for name, stored in found.items()}, unreadable

    monkeypatch.setattr(OperatorsPolicyParameters, "look", look_with_a_move)

    result = apply()

    assert result.exit_code == 1
    assert "was moved, or gatehouse was deployed, while this ran" in one_line(result.stderr)


# Options


def test_whether_to_publish_is_to_be_decided_before_the_first_run(run: Run) -> None:
    said = one_line(run("apply", "--help", env={"COLUMNS": "200"}).stdout.replace("│", ""))

    assert "Decide this before the first run: a later run does not announce earlier changes." in said


def test_scripts_read_one_document(apply: Callable[..., Any], deployed: Deployed) -> None:
    upload(deployed, a_judged("wine.jpg", WINE, OLD), a_judged("kids/wine.jpg", WINE, policy_of(STRICT)))

    result = apply("--output", "json")

    assert json.loads(result.stdout) == {
        "policy": {"name": "standard", "version": "2", "hash": NEW.hash},
        "ending": "complete",
        "looked_at": 2,
        "changed": [{"from": "APPROVED", "to": "REVIEW", "count": 1}],
        "unchanged": 0,
        "current": 0,
        "unknowable": 0,
        "unconfirmed_approvals": 0,
        "adapter_ignored": 0,
        "left_alone": {"other_policy": 1, "decided": 0, "sent_back": 0, "no_labels": 0},
        "unreadable": 0,
        "announced": 0,
        "awaited": 0,
        "still_pending": 0,
        "lost_races": 0,
    }


def test_only_uploads_since_are_judged_again(apply: Callable[..., Any], deployed: Deployed) -> None:
    upload(
        deployed,
        a_judged("wine.jpg", WINE, OLD, upload={"uploaded_at": iso(NOON - timedelta(hours=12))}),
        a_judged("beer.jpg", WINE, OLD, upload={"uploaded_at": "2026-11-21T23:59:59.000Z"}),
    )

    apply("--since", "12h")

    assert statuses(deployed) == {"wine.jpg": Status.REVIEW, "beer.jpg": Status.APPROVED}


def test_as_many_segments_are_read_as_asked_for(apply: Callable[..., Any], deployed: Deployed) -> None:
    apply("--segments", "3")

    assert deployed.calls.made["Scan"] == 3
