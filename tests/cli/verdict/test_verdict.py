"""`verdict`: is my picture through?"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.policy.policy_source import short
from gatehouse.cli.verdict import verdict_command
from gatehouse.moderation.decision import Decision, acted, decide
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.moment import iso
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from tests.cli.conftest import UPLOADS, Deployed, Run
from tests.cli.judged_uploads import LATER, PatientClock
from tests.cli.operated import DEAD, DEFAULT, INGEST, PICTURES, Operated
from tests.unit.aws_calls import an_error
from tests.unit.builders import NOON, a_claim, a_verdict, an_upload

CAT = "s3://uploads/cat.jpg"


def etag_of(content: bytes) -> str:
    """As S3 makes it."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> PatientClock:
    """It is five past twelve, and time passes only while somebody waits."""
    patience = PatientClock(seconds=300.0)
    monkeypatch.setattr(verdict_command, "CLOCK", patience.clock)
    return patience


@pytest.fixture
def operated(deployed: Deployed) -> Operated:
    return Operated.of(deployed)


def test_a_verdict_is_told_in_short(gatehouse: Run, deployed: Deployed) -> None:
    deployed.put(a_verdict(Status.BLOCKED))

    result = gatehouse("verdict", "cat.jpg")

    assert result.stdout.splitlines() == [
        f"{CAT}, uploaded 2026-11-22T11:59:30.000Z",
        "BLOCKED: Violence 92.5 reaches block from 50, by the rule Violence",
        f"decided 2026-11-22T12:01:00.000Z by test version 1 ({short('0' * 64)})",
        "The bucket no longer has the object.",
        f"`{COMMAND} policy explain {CAT}` says what would have led elsewhere.",
    ]
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (Status.APPROVED, "APPROVED: no label reached a threshold"),
        (Status.UNSUPPORTED, "UNSUPPORTED: NotAnalyzed: no result"),
        (Status.FAILED, "FAILED: NotAnalyzed: no result"),
    ],
)
def test_why_it_stands_so_is_one_line(gatehouse: Run, deployed: Deployed, status: Status, line: str) -> None:
    deployed.put(a_verdict(status))

    result = gatehouse("verdict", CAT)

    assert result.stdout.splitlines()[1] == line
    assert result.exit_code == 0


def test_what_a_person_decided_is_said_in_their_words(gatehouse: Run, deployed: Deployed) -> None:
    act = decide(Status.APPROVED, Person("user/ann", "Ann"), Decision("context", "a toy"), iso(NOON))
    deployed.put(acted(a_verdict(Status.REVIEW), act))

    result = gatehouse("verdict", "cat.jpg", "--history")

    lines = result.stdout.splitlines()
    assert lines[1] == "APPROVED: decided by person:user/ann (Ann): context: a toy"
    assert lines[2].endswith(" by Ann")
    assert any("REVIEW" in line and "APPROVED" in line and "context: a toy" in line for line in lines[4:])


def test_without_a_history_that_is_said(gatehouse: Run, deployed: Deployed) -> None:
    deployed.put(a_verdict())

    assert "Nobody has acted on it." in gatehouse("verdict", "cat.jpg", "--history").stdout
    assert json.loads(gatehouse("verdict", "cat.jpg", "--history", "--output", "json").stdout)["history"] == []


def test_what_is_pending_has_its_batch_named(gatehouse: Run, deployed: Deployed) -> None:
    deployed.put(a_claim())

    result = gatehouse("verdict", "cat.jpg")

    assert result.stdout.splitlines()[1] == "PENDING: batch batch-1 of lane default has had it for 5 min"
    assert "batch show batch-1` says how far it is." in result.stdout
    document = json.loads(gatehouse("verdict", "cat.jpg", "--output", "json").stdout)
    assert (document["status"], document["batch_id"]) == ("PENDING", "batch-1")
    assert document["claimed_at"] == iso(NOON)


def test_an_older_upload_is_chosen_by_either_version(gatehouse: Run, deployed: Deployed) -> None:
    old = an_upload(sequencer="01", version_id="v1")
    deployed.put(a_verdict(Status.REVIEW, a_claim(old)), a_verdict(Status.APPROVED, a_claim(an_upload(sequencer="02"))))

    for choice in (("--version", old.version), ("--version-id", "v1")):
        assert gatehouse("verdict", "cat.jpg", *choice).stdout.splitlines()[1].startswith("REVIEW")
    assert gatehouse("verdict", "cat.jpg").stdout.splitlines()[1].startswith("APPROVED")
    unknown = gatehouse("verdict", "cat.jpg", "--version-id", "v7")
    assert "No verdict is kept of version v7" in unknown.stdout
    assert unknown.exit_code == 0


def test_watching_ends_with_the_verdict(gatehouse: Run, deployed: Deployed, patience: PatientClock) -> None:
    deployed.put(a_claim())
    patience.meanwhile += [lambda: None, lambda: deployed.put(a_verdict(Status.APPROVED))]

    result = gatehouse("verdict", "cat.jpg", "--watch")

    assert result.stdout.splitlines()[1].startswith("APPROVED")
    assert len(patience.pauses) == 2


def test_watching_what_will_never_come_ends_at_once(gatehouse: Run, operated: Operated, patience: PatientClock) -> None:
    assert "No verdict" in gatehouse("verdict", "cat.jpg", "--watch").stdout
    assert patience.pauses == []


def causes(gatehouse: Run, key: str) -> list[str]:
    """Why there is no verdict, in short."""
    result = gatehouse("verdict", key, "--output", "json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["status"] is None
    return [reason["why"] for reason in document["absence"]]


def test_an_object_that_is_not_there_was_not_uploaded_here(gatehouse: Run, operated: Operated) -> None:
    assert causes(gatehouse, "cat.jpg") == ["not-uploaded"]
    assert causes(gatehouse, "s3://elsewhere/cat.jpg") == ["other-bucket"]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("tmp/cat.jpg", "Lane default leaves out keys under tmp/."),
        ("profile/cat.gif", "Lane default leaves keys under profile/ to other lanes."),
        ("profile/cat.gif", "Lane profile-pictures takes keys that end with .jpg."),
        ("tmp/cat.jpg", "Lane profile-pictures takes keys under profile/."),
    ],
)
def test_what_no_lane_takes_is_told_lane_by_lane(gatehouse: Run, operated: Operated, key: str, says: str) -> None:
    operated.deployed.s3.put_object(Bucket=UPLOADS, Key=key, Body=b"bytes")

    assert causes(gatehouse, key) == ["no-lane"]
    assert says in " ".join(gatehouse("verdict", key).stdout.split())


def test_a_size_that_no_lane_takes_is_told(gatehouse: Run, deployed: Deployed) -> None:
    Operated.of(deployed, [replace(DEFAULT, min_size=10, max_size=2000), PICTURES])
    deployed.s3.put_object(Bucket=UPLOADS, Key="small.jpg", Body=b"1")

    assert "takes objects of 10 to 2,000 bytes, and this one has 1." in gatehouse("verdict", "small.jpg").stdout


@pytest.fixture
def stored_ago(operated: Operated, patience: PatientClock) -> Callable[[timedelta], None]:
    """Store cat.jpg, and let so much time pass."""

    def store(age: timedelta) -> None:
        operated.deployed.s3.put_object(Bucket=UPLOADS, Key="cat.jpg", Body=b"bytes")
        modified = operated.deployed.s3.head_object(Bucket=UPLOADS, Key="cat.jpg")["LastModified"]
        patience.seconds = (modified + age - NOON).total_seconds()

    return store


def test_what_was_just_stored_may_be_on_its_way(
    gatehouse: Run, operated: Operated, stored_ago: Callable[[timedelta], None]
) -> None:
    stored_ago(timedelta(seconds=20))
    operated.put(INGEST, an_upload("other.jpg"))

    assert causes(gatehouse, "cat.jpg") == ["in-a-queue"]
    assert "1 messages wait there" in gatehouse("verdict", "cat.jpg").stdout


def test_what_waits_is_followed(
    gatehouse: Run, operated: Operated, stored_ago: Callable[[timedelta], None], patience: PatientClock
) -> None:
    stored_ago(timedelta(seconds=20))
    stored = an_upload(etag=etag_of(b"bytes"), uploaded_at=LATER)
    patience.meanwhile.append(lambda: operated.deployed.put(a_verdict(Status.APPROVED, a_claim(stored))))

    assert gatehouse("verdict", "cat.jpg", "--watch").stdout.splitlines()[1].startswith("APPROVED")
    assert len(patience.pauses) == 1


def test_what_was_stored_long_ago_had_no_event_or_was_given_up(
    gatehouse: Run, operated: Operated, stored_ago: Callable[[timedelta], None]
) -> None:
    stored_ago(timedelta(hours=3))
    assert causes(gatehouse, "cat.jpg") == ["no-event"]

    operated.put(DEAD, an_upload("other.jpg"))
    assert causes(gatehouse, "cat.jpg") == ["dead-letter", "no-event"]


@pytest.mark.parametrize(
    ("age", "found", "waits"),
    [
        (timedelta(hours=3), ["in-a-queue", "no-event"], True),
        (timedelta(days=2), ["no-event", "in-a-queue"], False),
        (timedelta(days=15), ["no-event"], False),
    ],
)
def test_a_busy_lane_says_little_of_what_is_old(
    gatehouse: Run,
    operated: Operated,
    stored_ago: Callable[[timedelta], None],
    patience: PatientClock,
    age: timedelta,
    found: list[str],
    waits: bool,
) -> None:
    stored_ago(age)
    operated.put(INGEST, an_upload("other.jpg"))
    assert causes(gatehouse, "cat.jpg") == found

    patience.meanwhile += [lambda: None, lambda: operated.bodies(INGEST)]
    gatehouse("verdict", "cat.jpg", "--watch")
    assert bool(patience.pauses) is waits


def test_what_was_overwritten_has_no_say_about_the_bytes_of_now(
    gatehouse: Run, operated: Operated, stored_ago: Callable[[timedelta], None], patience: PatientClock
) -> None:
    operated.deployed.put(a_verdict(Status.APPROVED, a_claim(an_upload(sequencer="01"))))
    stored_ago(timedelta(seconds=20))

    result = gatehouse("verdict", "cat.jpg")
    assert "No verdict of what the bucket has now" in result.stdout
    assert "An older upload, of 2026-11-22T11:59:30.000Z, is APPROVED" in result.stdout
    document = json.loads(gatehouse("verdict", "cat.jpg", "--output", "json").stdout)
    assert (document["status"], document["earlier"]["status"]) == (None, "APPROVED")
    assert [reason["why"] for reason in document["absence"]] == ["in-a-queue"]

    new = an_upload(sequencer="02", etag=etag_of(b"bytes"), uploaded_at=LATER)
    patience.meanwhile.append(lambda: operated.deployed.put(a_verdict(Status.BLOCKED, a_claim(new))))
    watched = gatehouse("verdict", "cat.jpg", "--watch").stdout.splitlines()
    assert watched[1].startswith("BLOCKED")
    assert len(patience.pauses) == 1


def test_a_version_that_no_batch_has_yet_is_on_its_way(
    gatehouse: Run, operated: Operated, stored_ago: Callable[[timedelta], None], patience: PatientClock
) -> None:
    operated.deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    stored_ago(timedelta(seconds=20))
    new = operated.deployed.s3.head_object(Bucket=UPLOADS, Key="cat.jpg")["VersionId"]
    upload = an_upload(version_id=new)
    patience.meanwhile.append(lambda: operated.deployed.put(a_verdict(Status.APPROVED, a_claim(upload))))

    result = gatehouse("verdict", "cat.jpg", "--version-id", new, "--watch")

    assert result.stdout.splitlines()[1].startswith("APPROVED")
    assert len(patience.pauses) == 1
    assert "No verdict is kept of version v7" in gatehouse("verdict", "cat.jpg", "--version-id", "v7").stdout


def test_what_is_current_again_after_a_deletion_has_its_own_verdict(gatehouse: Run, deployed: Deployed) -> None:
    deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    old, new = (deployed.s3.put_object(Bucket=UPLOADS, Key="cat.jpg")["VersionId"] for _ in range(2))
    deployed.s3.delete_object(Bucket=UPLOADS, Key="cat.jpg", VersionId=new)
    deployed.put(
        a_verdict(Status.BLOCKED, a_claim(an_upload(sequencer="01", version_id=old))),
        a_verdict(Status.APPROVED, a_claim(an_upload(sequencer="02", version_id=new))),
    )

    result = gatehouse("verdict", "cat.jpg")

    assert result.stdout.splitlines()[1].startswith("BLOCKED")
    assert "a newer one was deleted" in result.stdout


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (Status.REVIEW, None, "review list` names it as `review approve` takes it"),
        (Status.FAILED, "NotAnalyzed", "retry --status FAILED --code NotAnalyzed` has such uploads analyzed again"),
        (Status.FAILED, "AdapterIgnored", "train it again"),
        (Status.FAILED, "Superseded", "upload it again"),
        (Status.UNSUPPORTED, "UnsupportedFormat", "is not read by lane default (`formats`)"),
    ],
)
def test_the_advice_is_the_statuses(
    gatehouse: Run, deployed: Deployed, status: Status, code: str | None, said: str
) -> None:
    deployed.put(a_verdict(status, failure=Failure(code, "words")) if code else a_verdict(status))

    result = " ".join(gatehouse("verdict", "cat.jpg").stdout.split())

    assert said in result
    assert "policy explain" not in result
    assert ("retry" in result) is (status is Status.FAILED and code != "Superseded")


@pytest.mark.parametrize(
    ("call", "code", "found", "unknown"),
    [
        ("HeadObject", "403", ["unread"], "It is not known whether the bucket has the object: HeadObject was refused"),
        ("ListStackResources", "AccessDenied", ["no-event", "unread"], "It is not known which lane takes it: "),
        ("GetQueueAttributes", "AccessDenied", ["no-event", "unread"], "It is not known what its lane's queues hold: "),
    ],
)
def test_what_may_not_be_read_is_named_and_the_rest_is_said(
    gatehouse: Run,
    operated: Operated,
    stored_ago: Callable[[timedelta], None],
    call: str,
    code: str,
    found: list[str],
    unknown: str,
) -> None:
    stored_ago(timedelta(hours=3))
    operated.deployed.calls.answer_always(call, lambda _: an_error(code, "not allowed", 403))

    assert causes(gatehouse, "cat.jpg") == found
    assert f"- {unknown}" in " ".join(gatehouse("verdict", "cat.jpg").stdout.split())


def test_what_is_older_than_verdicts_are_kept_may_have_expired(
    gatehouse: Run, operated: Operated, stored_ago: Callable[[timedelta], None]
) -> None:
    lanes = {
        lane.name: {"policy": "standard", "policy_overrides": {}, "min_confidence": 30} for lane in (DEFAULT, PICTURES)
    }
    operated.deployed.stacks(lanes, VerdictRetentionDays="90")
    stored_ago(timedelta(days=91))

    assert causes(gatehouse, "cat.jpg") == ["expired", "no-event"]
