import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatehouse.aws.upload_bucket import UploadBucket
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable, Selection
from gatehouse.cli.clock import Clock
from gatehouse.cli.policy.replay_run import (
    AWAIT_SECONDS,
    LOOK_SECONDS,
    PARALLEL_WRITES,
    LeftAlone,
    ReplayEnding,
    ReplayRun,
    Report,
)
from gatehouse.moderation.change import Cause, Change
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.decision import Decision, acted, appeal, decide
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.person import Person
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.reason import PolicyReference
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import STATUS, claim_item, verdict_from_item, verdict_item
from tests.cli.conftest import STANDARD, STRICT, TABLE, UPLOADS, Deployed, policy_of
from tests.cli.judged_uploads import EARLIER, PatientClock, a_judged, put_object
from tests.unit.aws_calls import Killed
from tests.unit.builders import ADAPTER, NOON, a_claim, a_verdict, an_upload
from tests.unit.pngs import animated, png

OLD = policy_of(STANDARD)
NEW = policy_of(
    """\
name: standard
version: "2"
default: {review: 60}
rules:
  Violence: allow
  Alcohol: {review: 50}
  Smoking: {block: 70}
"""
)
LANE = Lane("default", policy="standard", policy_overrides=(("kids/", "strict"),), min_confidence=30.0)
WINE, FIGHT, CIGAR = {"Alcohol": 60.0}, {"Violence": 60.0}, {"Smoking": 75.0}
APPROVED, REVIEW, BLOCKED = Status.APPROVED, Status.REVIEW, Status.BLOCKED


def policy_name_for(lane: str, key: str) -> str | None:
    """Of a deployment whose only lane is the default one."""
    return LANE.policy_for(key) if lane == "default" else None


@dataclass
class Bench:
    """A deployment in which NEW has just become active, and what everyone hears of a run."""

    deployed: Deployed
    patience: PatientClock = field(default_factory=PatientClock)
    clock: Clock | None = None
    active: bool = True
    retention: timedelta | None = None
    looks: int = 0
    told: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.deployed.calls.watch(self.deployed.dynamodb, self.deployed.s3, self.deployed.sns)
        for client, calls in ((self.deployed.dynamodb, "dynamodb.UpdateItem"), (self.deployed.sns, "sns")):
            client.meta.events.register(f"before-call.{calls}", lambda model, **_: self.done.append(model.name))

    def put(self, *held: Verdict | Claim) -> None:
        """Put items, with the objects they speak of."""
        for entry in held:
            upload = replace(entry.upload, **put_object(self.deployed, entry.upload.key))
            claim = replace(entry.claim if isinstance(entry, Verdict) else entry, upload=upload)
            self.deployed.put(replace(entry, claim=claim) if isinstance(entry, Verdict) else claim)

    def run(
        self, policy: Policy = NEW, *, announce: bool = False, wait: float = 900, segments: int = 3, **selected: Any
    ) -> Report:
        """One run, as far as it gets."""
        return self.new_run(policy, announce=announce).run(Selection(**selected), segments=segments, wait_seconds=wait)

    def new_run(self, policy: Policy = NEW, *, announce: bool = False) -> ReplayRun:
        """A run that has not begun."""
        clock = self.clock or self.patience.clock
        table = OperatorsVerdictTable(self.deployed.dynamodb, TABLE, clock.pause)
        return ReplayRun(
            policy,
            policy_name_for=policy_name_for,
            table=table,
            rewrite=table.rewrite,
            uploads=UploadBucket(self.deployed.s3, finds_animations=True),
            announce=announce,
            retention=self.retention,
            is_active=self._look,
            clock=clock,
            tell=self.told.append,
        )

    def _look(self) -> bool:
        self.looks += 1
        return self.active

    def statuses(self) -> dict[str, str]:
        """Key -> status."""
        return {item["key"]: item[STATUS] for item in self.deployed.items().values()}

    def item(self, key: str) -> dict[str, Any]:
        """The item of a key."""
        (item,) = [item for item in self.deployed.items().values() if item["key"] == key]
        return item


@pytest.fixture
def bench(deployed: Deployed) -> Bench:
    return Bench(deployed)


def test_what_the_new_policy_sees_otherwise_is_rewritten(bench: Bench) -> None:
    bench.put(
        a_judged("wine.jpg", WINE, OLD),
        a_judged("fight.jpg", FIGHT, OLD),
        a_judged("cigar.jpg", CIGAR, OLD),
        a_judged("cat.jpg", {}, OLD),
    )

    report = bench.run()

    assert bench.statuses() == {
        "wine.jpg": REVIEW,
        "fight.jpg": APPROVED,
        "cigar.jpg": BLOCKED,
        "cat.jpg": APPROVED,
    }
    assert report == Report(
        looked_at=4,
        changed=Counter({(APPROVED, REVIEW): 1, (REVIEW, APPROVED): 1, (REVIEW, BLOCKED): 1}),
        unchanged=1,
        ending=ReplayEnding.COMPLETE,
    )


def test_a_rewritten_item_names_the_policy_the_reason_and_the_time(bench: Bench) -> None:
    bench.put(a_judged("wine.jpg", WINE, OLD))

    bench.run()

    verdict = verdict_from_item(bench.item("wine.jpg"))
    assert (verdict.policy, verdict.decided_by) == (NEW.reference, "policy")
    assert verdict.decided_at == "2026-11-22T12:00:00.000Z"
    assert [(reason.rule, reason.label, reason.threshold) for reason in verdict.reasons] == [
        ("Alcohol", "Alcohol", 50.0)
    ]


def test_an_unchanged_item_is_not_written(bench: Bench) -> None:
    bench.put(a_judged("cat.jpg", {}, OLD))
    before = bench.deployed.items()

    bench.run()

    assert bench.deployed.items() == before
    assert bench.done == []


def test_a_second_run_changes_nothing(bench: Bench) -> None:
    bench.put(*(a_judged(f"{n}.jpg", labels, OLD) for n, labels in enumerate((WINE, FIGHT, CIGAR, {}))))
    first = bench.run(announce=True)
    before = bench.deployed.items()

    second = bench.run(announce=True)

    assert (first.changed.total(), first.announced) == (3, 3)
    assert bench.deployed.items() == before
    assert (second.changed.total(), second.current, second.unchanged) == (0, 3, 1)


def test_an_interrupted_run_is_finished_by_the_next(bench: Bench) -> None:
    bench.put(*(a_judged(f"{n:02}.jpg", WINE, OLD) for n in range(40)))
    bench.deployed.calls.kill("UpdateItem", "after", nth=7)
    with pytest.raises(Killed):
        bench.run(segments=1)
    changed_so_far = Counter(bench.statuses().values())[REVIEW]

    report = bench.run()

    assert changed_so_far >= 7
    assert set(bench.statuses().values()) == {REVIEW}
    assert report.changed[APPROVED, REVIEW] + report.current == 40


def test_each_item_is_judged_by_the_policy_of_its_key(bench: Bench) -> None:
    bench.put(a_judged("kids/wine.jpg", WINE, OLD), a_judged("wine.jpg", WINE, OLD))

    report = bench.run()

    assert bench.statuses() == {"kids/wine.jpg": APPROVED, "wine.jpg": REVIEW}
    assert report.left_alone == Counter({LeftAlone.OTHER_POLICY: 1})


def test_an_item_its_lane_has_given_to_this_policy_since_is_judged_by_it(bench: Bench) -> None:
    bench.put(a_judged("fight.jpg", FIGHT, policy_of(STRICT)))

    bench.run()

    assert bench.statuses() == {"fight.jpg": APPROVED}


def test_where_the_lane_is_gone_the_recorded_policy_counts(bench: Bench) -> None:
    bench.put(
        a_judged("kids/wine.jpg", WINE, OLD, claim={"lane": "archive"}),
        a_judged("fight.jpg", FIGHT, policy_of(STRICT), claim={"lane": "archive"}),
    )

    report = bench.run()

    assert bench.statuses() == {"kids/wine.jpg": REVIEW, "fight.jpg": BLOCKED}
    assert report.left_alone == Counter({LeftAlone.OTHER_POLICY: 1})


def test_what_a_person_decided_stays(bench: Bench) -> None:
    alice, kim = Person("alice"), Person("kim")
    decided = acted(
        a_judged("wine.jpg", WINE, OLD), decide(BLOCKED, alice, Decision("context", None), "2026-11-22T13:00:00.000Z")
    )
    appealed = acted(decided, appeal(kim, Decision("appeal", None), "2026-11-22T14:00:00.000Z"))
    bench.put(decided, replace(appealed, claim=a_claim(an_upload("beer.jpg"))))
    before = bench.deployed.items()

    report = bench.run(announce=True)

    assert bench.deployed.items() == before
    assert (report.left_alone, bench.done) == (Counter({LeftAlone.DECIDED: 1, LeftAlone.SENT_BACK: 1}), [])


@pytest.mark.parametrize("status", [Status.UNSUPPORTED, Status.FAILED])
def test_what_has_no_labels_stays(bench: Bench, status: Status) -> None:
    bench.put(a_verdict(status))
    before = bench.deployed.items()

    report = bench.run()

    assert bench.deployed.items() == before
    assert report.left_alone == Counter({LeftAlone.NO_LABELS: 1})


def test_an_unknowable_item_never_becomes_milder(bench: Bench) -> None:
    bench.put(
        a_judged("fight.jpg", FIGHT, OLD, min_confidence=55.0),
        a_judged("cat.jpg", {}, OLD, min_confidence=55.0),
        a_judged("wine.jpg", WINE, OLD, min_confidence=55.0),
    )

    report = bench.run()

    assert bench.statuses() == {"fight.jpg": REVIEW, "cat.jpg": APPROVED, "wine.jpg": REVIEW}
    assert (report.unknowable, report.changed) == (2, Counter({(APPROVED, REVIEW): 1}))


def test_what_only_the_base_model_looked_at_is_not_approved(bench: Bench) -> None:
    bench.put(
        a_judged("fight.jpg", FIGHT, OLD, adapter_asked=ADAPTER),
        a_judged("row.jpg", FIGHT, OLD, adapter_asked=ADAPTER, analysis={"adapter": ADAPTER}),
    )

    report = bench.run()

    assert bench.statuses() == {"fight.jpg": REVIEW, "row.jpg": APPROVED}
    assert (report.adapter_ignored, report.unchanged) == (1, 0)


def test_an_approval_needs_the_object_that_was_analyzed(bench: Bench) -> None:
    bench.put(
        a_judged("there.jpg", FIGHT, OLD),
        a_judged("other.jpg", FIGHT, OLD),
        a_judged("gone.jpg", FIGHT, OLD),
        a_judged("touched.jpg", FIGHT, OLD, claim={"claimed_at": EARLIER}),
    )
    bench.deployed.s3.put_object(Bucket=UPLOADS, Key="other.jpg", Body=b"other bytes")
    bench.deployed.s3.delete_object(Bucket=UPLOADS, Key="gone.jpg")
    before = bench.deployed.items()

    report = bench.run()

    assert bench.statuses() == {"there.jpg": APPROVED, "other.jpg": REVIEW, "gone.jpg": REVIEW, "touched.jpg": REVIEW}
    assert (report.unconfirmed, report.changed) == (3, Counter({(REVIEW, APPROVED): 1}))
    assert sum(before[identity] == item for identity, item in bench.deployed.items().items()) == 3


def test_an_approval_of_a_key_with_two_readings_needs_the_other_never_to_have_been(bench: Bench) -> None:
    bench.deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    for key in ("a%41.jpg", "a%42.jpg", "aB.jpg"):
        version = bench.deployed.s3.put_object(Bucket=UPLOADS, Key=key, Body=b"bytes")["VersionId"]
        bench.deployed.put(a_judged(key, FIGHT, OLD, upload={"version_id": version}))

    bench.run()

    assert bench.statuses() == {"a%41.jpg": APPROVED, "a%42.jpg": REVIEW, "aB.jpg": APPROVED}


def test_only_approvals_ask_for_their_object(bench: Bench) -> None:
    bench.put(*(a_judged(f"{n}.jpg", WINE, OLD) for n in range(5)), a_judged("fight.jpg", FIGHT, OLD))

    bench.run()

    assert bench.deployed.calls.made["GetObject"] == 1


@pytest.mark.parametrize("engine", [Engine.BULK, Engine.IMAGE])
@pytest.mark.parametrize("versioned", [True, False])
def test_no_policy_approves_an_animation(bench: Bench, engine: Engine, versioned: bool) -> None:
    if versioned:
        bench.deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    for key, body in (("moving.png", animated()), ("still.png", png())):
        stored = bench.deployed.s3.put_object(Bucket=UPLOADS, Key=key, Body=body)
        told = {"etag": stored["ETag"].strip('"'), "version_id": stored.get("VersionId"), "size": len(body)}
        bench.deployed.put(a_judged(key, FIGHT, OLD, upload=told, engine=engine))

    report = bench.run()

    assert bench.statuses() == {"moving.png": REVIEW, "still.png": APPROVED}
    assert report.unconfirmed == 1


def test_only_selected_uploads_are_judged_again(bench: Bench) -> None:
    bench.put(
        a_judged("wine.jpg", WINE, OLD, upload={"uploaded_at": "2026-11-01T00:00:00.000Z"}),
        a_judged("beer.jpg", WINE, OLD, upload={"uploaded_at": "2026-10-01T00:00:00.000Z"}),
    )

    report = bench.run(since="2026-11-01T00:00:00.000Z")

    assert bench.statuses() == {"wine.jpg": REVIEW, "beer.jpg": APPROVED}
    assert report.looked_at == 1


@pytest.mark.parametrize("lost", ["lane", "labels", "policy", "decided_at", "status"])
def test_an_item_of_another_make_stops_nothing(bench: Bench, lost: str) -> None:
    item = verdict_item(a_judged("beer.jpg", WINE, OLD))
    del item[lost]
    bench.deployed.put_item(item)
    bench.put(a_judged("wine.jpg", WINE, OLD))

    report = bench.run()

    assert bench.item("beer.jpg") == item
    assert bench.item("wine.jpg")[STATUS] == REVIEW
    assert report.unreadable == 1


def test_a_claim_of_another_make_is_not_awaited(bench: Bench) -> None:
    item = claim_item(a_claim(an_upload("beer.jpg")))
    del item["batch_id"]
    bench.deployed.put_item(item)

    report = bench.run()

    assert (report.unreadable, report.awaited, report.ending) == (1, 0, ReplayEnding.COMPLETE)


def test_the_table_is_read_consistently(bench: Bench) -> None:
    requests = one_item_pages(bench.deployed)

    bench.run(segments=1)

    assert [request["ConsistentRead"] for request in requests] == [True]


# Races


@pytest.mark.parametrize("status", [APPROVED, BLOCKED])
def test_a_decision_made_between_read_and_write_stands(bench: Bench, status: Status) -> None:
    bench.put(a_judged("wine.jpg", WINE, OLD))
    seen = verdict_from_item(bench.item("wine.jpg"))
    act = decide(status, Person("alice"), Decision("context", None), "2026-11-22T13:00:00.000Z")
    by_a_person = acted(seen, act)
    table = OperatorsVerdictTable(bench.deployed.dynamodb, TABLE)
    bench.deployed.calls.interrupt("UpdateItem", lambda: table.rewrite(seen, by_a_person, None))

    report = bench.run()

    assert verdict_from_item(bench.item("wine.jpg")) == by_a_person
    assert (report.lost_races, report.changed) == (1, Counter())
    assert report.left_alone == Counter({LeftAlone.DECIDED: 1})
    assert report.ending is ReplayEnding.COMPLETE


def test_a_later_decision_of_the_old_policy_is_judged_again(bench: Bench) -> None:
    bench.put(a_judged("wine.jpg", WINE, OLD))
    seen = verdict_from_item(bench.item("wine.jpg"))
    later = replace(seen, decided_at="2026-11-22T13:00:00.000Z", revision=1, change=Change(Cause.POLICY, True))
    bench.deployed.calls.interrupt("UpdateItem", lambda: bench.deployed.put(later))

    report = bench.run()

    assert bench.statuses() == {"wine.jpg": REVIEW}
    assert bench.item("wine.jpg")["policy"]["hash"] == NEW.hash
    assert (report.lost_races, report.changed) == (1, Counter({(APPROVED, REVIEW): 1}))


def test_a_race_lost_against_a_run_of_the_same_policy_is_a_race_won(bench: Bench) -> None:
    bench.put(*(a_judged(f"{n}.jpg", WINE, OLD) for n in range(5)))
    other = bench.new_run()
    bench.deployed.calls.interrupt("UpdateItem", lambda: other.run(Selection(), segments=1, wait_seconds=0))

    report = bench.run()

    assert set(bench.statuses().values()) == {REVIEW}
    assert report.lost_races == report.current >= 1


def test_an_item_deleted_between_read_and_write_stays_deleted(bench: Bench) -> None:
    verdict = a_judged("wine.jpg", WINE, OLD)
    bench.put(verdict)
    key = {"object": {"S": verdict.upload.object}, "version": {"S": verdict.upload.version}}
    bench.deployed.calls.interrupt("UpdateItem", lambda: bench.deployed.dynamodb.delete_item(TableName=TABLE, Key=key))

    report = bench.run()

    assert bench.deployed.items() == {}
    assert (report.lost_races, report.ending) == (1, ReplayEnding.COMPLETE)


# Announcing


def test_what_changes_is_handed_over_to_be_announced_and_nothing_else(bench: Bench) -> None:
    bench.put(
        a_judged("wine.jpg", WINE, OLD),
        a_judged("fight.jpg", FIGHT, OLD),
        a_judged("cat.jpg", {}, OLD),
        a_judged("kids/wine.jpg", WINE, OLD),
    )

    report = bench.run(announce=True)

    changes = {item["key"]: item.get("change") for item in bench.deployed.items().values()}
    assert changes == {
        "wine.jpg": {"cause": "policy", "announce": True},
        "fight.jpg": {"cause": "policy", "announce": True},
        "cat.jpg": None,
        "kids/wine.jpg": None,
    }
    assert (report.announced, set(bench.done)) == (2, {"UpdateItem"})


def test_nothing_is_announced_unless_asked(bench: Bench) -> None:
    bench.put(a_judged("wine.jpg", WINE, OLD))

    report = bench.run()

    assert (bench.item("wine.jpg")["change"], report.announced) == ({"cause": "policy", "announce": False}, 0)


def test_a_lost_race_announces_nothing(bench: Bench) -> None:
    bench.put(a_judged("wine.jpg", WINE, OLD))
    bench.deployed.calls.interrupt("UpdateItem", lambda: bench.run())

    report = bench.run(announce=True)

    assert (report.lost_races, report.current, report.announced) == (1, 1, 0)
    assert bench.item("wine.jpg")["change"] == {"cause": "policy", "announce": False}


def test_each_change_is_a_revision(bench: Bench) -> None:
    bench.put(a_judged("wine.jpg", WINE, OLD), a_judged("cat.jpg", {}, OLD))

    bench.run()
    assert bench.item("wine.jpg")["revision"] == 1

    bench.run(OLD)
    assert bench.item("wine.jpg")["revision"] == 2
    assert bench.statuses() == {"wine.jpg": APPROVED, "cat.jpg": APPROVED}
    assert not {"revision", "change"} & bench.item("cat.jpg").keys()


def test_a_change_is_kept_from_its_own_time_on_and_what_waits_for_a_person_until_they_decide(bench: Bench) -> None:
    bench.retention = timedelta(days=30)
    for verdict in (a_judged("wine.jpg", WINE, OLD), a_judged("cigar.jpg", CIGAR, OLD), a_judged("cat.jpg", {}, OLD)):
        stored = replace(verdict.upload, **put_object(bench.deployed, verdict.upload.key))
        bench.deployed.put_item(
            verdict_item(replace(verdict, claim=replace(verdict.claim, upload=stored)), expires_at=4_000_000_000)
        )

    bench.run()

    assert bench.statuses() == {"wine.jpg": REVIEW, "cigar.jpg": BLOCKED, "cat.jpg": APPROVED}
    assert "expires_at" not in bench.item("wine.jpg")
    assert bench.item("cigar.jpg")["expires_at"] == int((NOON + timedelta(days=30)).timestamp())
    assert bench.item("cat.jpg")["expires_at"] == 4_000_000_000


# The pointer


def test_a_policy_that_is_no_longer_active_is_not_written(bench: Bench) -> None:
    bench.put(a_judged("wine.jpg", WINE, OLD))
    bench.active = False

    report = bench.run()

    assert bench.statuses() == {"wine.jpg": APPROVED}
    assert report.ending is ReplayEnding.OVERTAKEN


def test_a_pointer_moved_at_the_very_end_is_noticed(bench: Bench) -> None:
    bench.put(a_judged("wine.jpg", WINE, OLD))
    bench.deployed.calls.interrupt("UpdateItem", lambda: setattr(bench, "active", False))

    report = bench.run()

    assert bench.statuses() == {"wine.jpg": REVIEW}
    assert report.ending is ReplayEnding.OVERTAKEN


def test_a_run_with_nothing_to_write_looks_at_the_pointer_too(bench: Bench) -> None:
    bench.active = False

    assert bench.run().ending is ReplayEnding.OVERTAKEN


def test_the_pointer_is_looked_at_again_now_and_then(bench: Bench) -> None:
    bench.put(*(a_judged(f"{n}.jpg", WINE, OLD) for n in range(4)))
    one_item_pages(bench.deployed)
    seconds = iter((1.0, LOOK_SECONDS - 1, LOOK_SECONDS))
    bench.deployed.dynamodb.meta.events.register(
        "before-call.dynamodb.UpdateItem",
        lambda **_: setattr(bench.patience, "seconds", next(seconds, 0.0)),
    )

    bench.run(segments=1)

    assert bench.looks == 2 + 1  # before the first and the last write, and at the end


def test_a_run_falls_silent_when_the_pointer_moves_on(bench: Bench) -> None:
    bench.put(*(a_judged(f"{n}.jpg", WINE, OLD) for n in range(4)))
    one_item_pages(bench.deployed)

    def somebody_applies_another() -> None:
        bench.active = False
        bench.patience.seconds += LOOK_SECONDS

    bench.deployed.calls.interrupt("UpdateItem", somebody_applies_another)

    report = bench.run(segments=1)

    assert Counter(bench.statuses().values()) == {REVIEW: 1, APPROVED: 3}
    assert report.ending is ReplayEnding.OVERTAKEN


def test_a_run_on_a_machine_that_slept_falls_silent_too(bench: Bench) -> None:
    bench.put(*(a_judged(f"{n}.jpg", WINE, OLD) for n in range(4)))
    one_item_pages(bench.deployed)
    bench.clock = replace(bench.patience.clock, monotonic=lambda: 0.0)

    def the_machine_sleeps_while_somebody_applies_another() -> None:
        bench.active = False
        bench.patience.seconds += 8 * 3600

    bench.deployed.calls.interrupt("UpdateItem", the_machine_sleeps_while_somebody_applies_another)

    report = bench.run(segments=1)

    assert Counter(bench.statuses().values()) == {REVIEW: 1, APPROVED: 3}
    assert report.ending is ReplayEnding.OVERTAKEN


def test_a_slow_table_does_not_keep_a_run_from_looking(bench: Bench) -> None:
    bench.put(*(a_judged(f"{n:02}.jpg", WINE, OLD) for n in range(PARALLEL_WRITES + 8)))

    def somebody_applies_another() -> None:
        bench.active = False
        bench.patience.seconds += LOOK_SECONDS

    bench.deployed.calls.interrupt("UpdateItem", somebody_applies_another)

    report = bench.run(segments=1)

    assert Counter(bench.statuses().values()) == {REVIEW: PARALLEL_WRITES, APPROVED: 8}
    assert report.changed == Counter({(APPROVED, REVIEW): PARALLEL_WRITES})
    assert report.ending is ReplayEnding.OVERTAKEN


def test_nothing_is_announced_of_a_policy_that_is_no_longer_active(bench: Bench) -> None:
    bench.put(a_judged("wine.jpg", WINE, OLD))
    bench.active = False

    report = bench.run(announce=True)

    assert (bench.done, bench.statuses()) == ([], {"wine.jpg": APPROVED})
    assert (report.announced, report.ending) == (0, ReplayEnding.OVERTAKEN)


def one_item_pages(deployed: Deployed) -> list[dict[str, Any]]:
    """Let every page of a scan have one item; gives the requests as they are made."""
    requests: list[dict[str, Any]] = []

    def shorten(params: dict[str, Any], **_: object) -> None:
        requests.append(json.loads(params["body"]) | {"Limit": 1})
        params["body"] = json.dumps(requests[-1]).encode()

    deployed.dynamodb.meta.events.register("before-call.dynamodb.Scan", shorten)
    return requests


# Uploads that are being analyzed


def test_what_is_pending_is_judged_again_once_the_old_policy_has_decided_it(bench: Bench) -> None:
    verdict = a_judged("wine.jpg", WINE, OLD)
    bench.put(verdict.claim)
    bench.patience.meanwhile = [lambda: None, lambda: bench.put(verdict)]

    report = bench.run()

    assert bench.statuses() == {"wine.jpg": REVIEW}
    assert bench.item("wine.jpg")["policy"]["hash"] == NEW.hash
    assert bench.patience.pauses == [AWAIT_SECONDS, AWAIT_SECONDS]
    assert (report.awaited, report.still_pending, report.ending) == (1, 0, ReplayEnding.COMPLETE)


def test_what_is_pending_and_then_decided_by_the_new_policy_is_done(bench: Bench) -> None:
    verdict = a_judged("wine.jpg", WINE, NEW)
    bench.put(verdict.claim)
    bench.patience.meanwhile = [lambda: bench.put(verdict)]

    report = bench.run()

    assert (bench.done, report.current, report.ending) == ([], 1, ReplayEnding.COMPLETE)


def test_a_later_claim_is_not_awaited(bench: Bench) -> None:
    claim = a_claim(an_upload("wine.jpg"))
    bench.put(claim)
    bench.patience.meanwhile = [lambda: bench.put(replace(claim, batch_id="batch-2", attempt=2))]

    report = bench.run()

    assert bench.statuses() == {"wine.jpg": Status.PENDING}
    assert (len(bench.patience.pauses), report.ending) == (1, ReplayEnding.COMPLETE)


def test_the_same_batch_claiming_anew_is_a_later_claim(bench: Bench) -> None:
    claim = a_claim(an_upload("wine.jpg"))
    bench.put(claim)
    bench.patience.meanwhile = [lambda: bench.put(replace(claim, claimed_at="2199-01-01T00:00:00.000Z"))]

    assert bench.run().ending is ReplayEnding.COMPLETE


def test_a_pending_upload_that_is_gone_is_not_awaited(bench: Bench) -> None:
    claim = a_claim(an_upload("wine.jpg"))
    bench.put(claim)
    key = {"object": {"S": claim.upload.object}, "version": {"S": claim.upload.version}}
    bench.patience.meanwhile = [lambda: bench.deployed.dynamodb.delete_item(TableName=TABLE, Key=key)]

    assert bench.run().ending is ReplayEnding.COMPLETE


def test_the_wait_has_an_end(bench: Bench) -> None:
    bench.put(a_claim(an_upload("wine.jpg")), a_judged("beer.jpg", WINE, OLD))

    report = bench.run(wait=40)

    assert bench.patience.pauses == [AWAIT_SECONDS, AWAIT_SECONDS, 40 - 2 * AWAIT_SECONDS]
    assert bench.statuses() == {"wine.jpg": Status.PENDING, "beer.jpg": REVIEW}
    assert (report.still_pending, report.ending) == (1, ReplayEnding.STILL_PENDING)


def test_no_wait_is_no_wait(bench: Bench) -> None:
    bench.put(a_claim(an_upload("wine.jpg")))

    assert bench.run(wait=0).ending is ReplayEnding.STILL_PENDING
    assert bench.patience.pauses == []


def test_what_is_awaited_is_said(bench: Bench) -> None:
    bench.put(*(a_claim(an_upload(f"{n}.jpg")) for n in range(7)))

    bench.run(wait=30)

    assert any("were being analyzed: 7" in line for line in bench.told)


def test_uploads_under_another_policy_are_not_awaited(bench: Bench) -> None:
    bench.put(a_claim(an_upload("kids/wine.jpg")))

    report = bench.run()

    assert (report.awaited, report.ending) == (0, ReplayEnding.COMPLETE)
    assert report.left_alone == Counter({LeftAlone.OTHER_POLICY: 1})


def test_where_the_lane_is_gone_the_verdict_tells_whose_a_pending_upload_was(bench: Bench) -> None:
    ours = a_judged("wine.jpg", WINE, OLD, claim={"lane": "archive"})
    others = a_judged("fight.jpg", FIGHT, policy_of(STRICT), claim={"lane": "archive"})
    bench.put(ours.claim, others.claim)
    bench.patience.meanwhile = [lambda: bench.put(ours, others)]

    report = bench.run()

    assert bench.statuses() == {"wine.jpg": REVIEW, "fight.jpg": BLOCKED}
    assert (report.awaited, report.ending) == (2, ReplayEnding.COMPLETE)


def test_a_pointer_moved_during_the_wait_ends_it(bench: Bench) -> None:
    bench.put(a_claim(an_upload("wine.jpg")))
    bench.patience.meanwhile = [lambda: setattr(bench, "active", False)]

    report = bench.run()

    assert (len(bench.patience.pauses), report.ending) == (1, ReplayEnding.OVERTAKEN)


def test_nothing_is_left_that_the_old_policy_alone_decided(bench: Bench) -> None:
    """Uploads become final under the old policy all the while; every one is claimed before the run begins."""
    chance = random.Random(7)
    verdicts = [a_judged(f"{n:02}.jpg", chance.choice((WINE, FIGHT, CIGAR, {})), OLD) for n in range(60)]
    final, pending = verdicts[:20], verdicts[20:]
    bench.put(*final, *(verdict.claim for verdict in pending))
    one_item_pages(bench.deployed)
    waiting = list(pending)

    def results_finalizes_some(count: int) -> Callable[[], None]:
        return lambda: bench.put(
            *(waiting.pop(chance.randrange(len(waiting))) for _ in range(min(count, len(waiting))))
        )

    bench.deployed.calls.interrupt("UpdateItem", results_finalizes_some(10))
    bench.patience.meanwhile = [results_finalizes_some(12), results_finalizes_some(100)]

    report = bench.run(segments=4)

    judged = {item["key"]: verdict_from_item(item) for item in bench.deployed.items().values()}
    assert report.ending is ReplayEnding.COMPLETE
    assert all(
        verdict.analysis is not None and verdict.status is NEW.judge(verdict.analysis).status
        for verdict in judged.values()
    )


# Properties


@given(
    confidences=st.dictionaries(st.sampled_from(sorted(taxonomy.PARENTS)), st.floats(30, 100, width=32), max_size=6),
    review=st.integers(30, 70),
    block=st.integers(71, 100),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_replay_of_the_same_policy_writes_nothing(
    bench: Bench, confidences: dict[str, float], review: int, block: int
) -> None:
    policy = Policy.from_document(
        {
            "name": "standard",
            "version": "1",
            "default": {"review": review, "block": block},
            "rules": {"Violence": {"review": block}},
        }
    )
    decided_elsewhere = replace(
        a_judged("image.jpg", confidences, policy), policy=PolicyReference("standard", "0", "0" * 64)
    )
    bench.put(decided_elsewhere)
    before = bench.deployed.items()

    report = bench.run(policy, announce=True)

    assert bench.deployed.items() == before
    assert (report.changed.total(), report.unchanged, bench.done) == (0, 1, [])
