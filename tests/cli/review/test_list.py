"""`review list`: what waits, oldest first, and what people decided."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gatehouse.cli.review import list_command
from gatehouse.moderation.change import Cause
from gatehouse.moderation.decision import ReviewClaim
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.moment import iso
from gatehouse.moderation.reason import Reason
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from tests.cli.review.conftest import KIM, MO, Reviewers, acts, approved_by, blocked_by, in_review, sent_back
from tests.unit.builders import NOON, a_claim, a_verdict, an_analysis, an_upload

DAY = timedelta(days=1)

_DEFAULT = list_command._WAITING_SINCE


@pytest.fixture
def usual_look_back(reviewers: Reviewers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_command, "_WAITING_SINCE", _DEFAULT)


def keys(reviewers: Reviewers, *arguments: str) -> list[str]:
    return [entry["object"].removeprefix("s3://uploads/") for entry in reviewers.review("list", *arguments)]


def test_what_waits_is_listed_oldest_first_across_days_and_partitions(reviewers: Reviewers) -> None:
    ages = {f"{n}.jpg": iso(NOON - timedelta(hours=7 * n, milliseconds=n)) for n in range(90)}
    reviewers.deployed.put(*(in_review(key, decided_at=at) for key, at in ages.items()))

    assert keys(reviewers, "--since", "30d") == sorted(ages, key=lambda key: ages[key])


def test_only_what_waits_is_listed(reviewers: Reviewers) -> None:
    reviewers.deployed.put(in_review("waits.jpg"), a_claim(an_upload("pending.jpg")))
    for status in (Status.APPROVED, Status.BLOCKED, Status.UNSUPPORTED, Status.FAILED):
        reviewers.deployed.put(a_verdict(status, a_claim(an_upload(f"{status}.jpg"))))

    assert keys(reviewers) == ["waits.jpg"]
    for listed in ("BLOCKED", "unsupported", "failed"):
        assert keys(reviewers, "--status", listed) == [f"{listed.upper()}.jpg"]


@pytest.mark.usefixtures("usual_look_back")
def test_what_is_too_old_is_left_out_and_that_is_said(reviewers: Reviewers) -> None:
    reviewers.deployed.put(in_review("old.jpg", decided_at=iso(NOON - 91 * DAY)), in_review("new.jpg"))

    result = reviewers.gatehouse("review", "list", "--output", "json")

    assert [entry["object"] for entry in json.loads(result.stdout)] == ["s3://uploads/new.jpg"]
    assert result.stderr == (
        "1 that came into REVIEW since 2026-08-24T15:00:00.000Z, 90 days back. Anything older is not shown: to look "
        "further back, use for example --since 360d.\n"
    )
    assert keys(reviewers, "--since", "92d") == ["old.jpg", "new.jpg"]


@pytest.mark.usefixtures("usual_look_back")
def test_what_waits_long_is_listed_and_what_is_decided_long_ago_is_not(reviewers: Reviewers) -> None:
    long_ago = iso(NOON - 89 * DAY)
    reviewers.deployed.put(
        in_review("waits.jpg", decided_at=long_ago), acts(in_review("b.jpg"), blocked_by(MO, long_ago))
    )

    assert keys(reviewers) == ["waits.jpg"]
    assert keys(reviewers, "--decided") == []
    assert reviewers.deployed.calls.made["Query"] == 10 * (91 + 31)


@pytest.fixture
def various(reviewers: Reviewers) -> list[Verdict]:
    """One of each, a minute apart."""
    by_default = Reason("default", "Alcohol", 70.0, "review", 60.0)
    wine: dict[str, Any] = {"analysis": an_analysis({"Alcohol": 70.0}), "reasons": (by_default,)}
    verdicts = [
        in_review("violent.jpg", decided_at=iso(NOON)),
        in_review("wine.jpg", decided_at=iso(NOON + timedelta(minutes=1)), **wine),
        in_review("avatar.jpg", lane="avatars", decided_at=iso(NOON + timedelta(minutes=2))),
        acts(in_review("appealed.jpg"), blocked_by(MO), sent_back(Cause.APPEAL)),
        acts(in_review("reported.jpg"), approved_by(KIM), sent_back(Cause.REPORT, "2026-11-22T14:30:00.000Z")),
    ]
    reviewers.deployed.put(*verdicts)
    return verdicts


@pytest.mark.usefixtures("various")
@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((), ["violent.jpg", "wine.jpg", "avatar.jpg", "appealed.jpg", "reported.jpg"]),
        (("--lane", "avatars"), ["avatar.jpg"]),
        (("--label", "alcohol"), ["wine.jpg"]),
        (("--reason", "default"), ["wine.jpg"]),
        (("--reason", "Violence", "--lane", "default", "--since", "2h"), ["appealed.jpg", "reported.jpg"]),
        (("--reason", "appeal"), ["appealed.jpg"]),
        (("--appeals",), ["appealed.jpg"]),
        (("--reports",), ["reported.jpg"]),
        (("--appeals", "--reports"), ["appealed.jpg", "reported.jpg"]),
        (("--limit", "2"), ["violent.jpg", "wine.jpg"]),
        (("--lane", "removed"), []),
    ],
)
def test_what_is_asked_for_is_listed(reviewers: Reviewers, arguments: tuple[str, ...], found: list[str]) -> None:
    assert keys(reviewers, *arguments) == found


def test_what_people_decided_is_listed_approvals_too(reviewers: Reviewers) -> None:
    reviewers.deployed.put(
        acts(in_review("a.jpg"), approved_by(MO)),
        acts(in_review("b.jpg"), blocked_by(KIM, "2026-11-22T14:00:00.000Z", "illegal")),
        acts(in_review("undone.jpg"), approved_by(MO), sent_back(Cause.REPORT)),
        in_review("waits.jpg"),
        a_verdict(Status.APPROVED, a_claim(an_upload("by-policy.jpg"))),
    )

    assert keys(reviewers, "--decided") == ["a.jpg", "b.jpg"]
    assert keys(reviewers, "--decided", "--status", "blocked") == ["b.jpg"]
    assert keys(reviewers, "--decided", "--status", "approved") == ["a.jpg"]
    assert keys(reviewers, "--decided", "--by", "mo") == ["a.jpg"]
    assert keys(reviewers, "--decided", "--by", KIM.decided_by) == ["b.jpg"]
    assert keys(reviewers, "--decided", "--reason", "illegal") == ["b.jpg"]


@pytest.mark.usefixtures("reviewers")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--by", "mo"), "--by selects among decisions of people; add --decided."),
        (("--decided", "--appeals"), "Appealed and reported uploads are waiting, not decided; leave out --decided."),
        (("--since", "soon"), "--since soon is not a time"),
        (
            ("--decided", "--status", "review"),
            "People decide APPROVED or BLOCKED, so nothing that they decided is REVIEW; leave out --decided",
        ),
        (("--decided", "--status", "failed"), "People decide APPROVED or BLOCKED"),
        (("--status", "approved"), "Only approvals by people can be listed; add --decided."),
    ],
)
def test_what_makes_no_sense_is_refused(reviewers: Reviewers, arguments: tuple[str, ...], told: str) -> None:
    result = reviewers.gatehouse("review", "list", *arguments)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(told)


def test_an_upload_that_has_moved_on_is_listed_where_it_is(reviewers: Reviewers) -> None:
    """The index follows the table within moments."""
    before = in_review("a.jpg")
    reviewers.deployed.put(before, in_review("b.jpg"))
    later = acts(before, blocked_by(MO))
    reviewers.deployed.calls.interrupt("BatchGetItem", lambda: reviewers.deployed.put(later))

    assert keys(reviewers) == ["b.jpg"]
    assert keys(reviewers, "--status", "BLOCKED") == ["a.jpg"]


def test_an_item_of_another_make_stops_nothing(reviewers: Reviewers) -> None:
    reviewers.deployed.put(in_review("a.jpg"), in_review("b.jpg"))
    broken = reviewers.item(an_upload("a.jpg"))
    del broken["batch_id"]
    reviewers.deployed.put_item(broken)

    assert keys(reviewers) == ["b.jpg"]


def test_what_is_long_is_read_in_pages_and_never_held_whole(
    reviewers: Reviewers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatehouse.cli.aws.verdict_table._ENTRIES_A_PAGE", 3)
    verdicts = [in_review(f"{n:04}.jpg", decided_at=iso(NOON + timedelta(milliseconds=n))) for n in range(120)]
    reviewers.deployed.put(*verdicts)

    result = reviewers.gatehouse("review", "list", "--since", "2026-11-22", "--output", "json")

    lines = result.stdout.splitlines()
    assert len(lines) == 120, "an entry a line"
    assert [entry["object"] for entry in json.loads(result.stdout)] == [verdict.upload.object for verdict in verdicts]
    made = reviewers.deployed.calls.made
    assert made["BatchGetItem"] == 2
    assert made["Query"] >= 120 / 3


def test_a_limit_reads_no_more_than_it_takes(reviewers: Reviewers) -> None:
    reviewers.deployed.put(*(in_review(f"{n}.jpg", decided_at=iso(NOON + DAY / 8640 * n)) for n in range(102)))

    result = reviewers.gatehouse("review", "list", "--since", "2026-11-22", "--limit", "3")

    assert "The oldest 3 that came into REVIEW since 2026-11-22T00:00:00.000Z; there are more (--limit)." in (
        result.stderr
    )
    assert reviewers.deployed.calls.made["BatchGetItem"] == 1


def test_a_limit_that_is_just_reached_promises_no_more(reviewers: Reviewers) -> None:
    reviewers.deployed.put(in_review("a.jpg"), in_review("b.jpg"))

    assert "there are more" not in reviewers.gatehouse("review", "list", "--limit", "2").stderr


@pytest.mark.usefixtures("various")
@pytest.mark.parametrize("columns", ["80", "200"])
def test_people_read_a_table_that_keeps_to_the_width(
    reviewers: Reviewers, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    result = reviewers.gatehouse("review", "list")

    assert result.stdout.startswith("REVIEW, oldest first\n")
    assert max(map(len, result.stdout.splitlines())) <= int(columns)
    text = " ".join(result.stdout.replace("|", " ").split())
    name = f"appealed.jpg@{an_upload().version}"
    why = "appealed: appeal; Violence 92.5; another person has to decide, not you"
    assert (f"2026-11-22T14:00:00.000Z {name} default {why}" in text) or (
        f"Since: 2026-11-22T14:00:00.000Z Upload: {name} Lane: default Why: {why}" in text
    )


@pytest.mark.parametrize("columns", ["80", "120", "140", "200"])
def test_a_name_with_blanks_can_be_copied_at_any_width(
    reviewers: Reviewers, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    key = "summer party/a very long name with blanks, taken by the lake.jpg"
    reviewers.deployed.put(in_review(key), acts(in_review("b c.jpg"), blocked_by(MO)))

    (line,) = [line for line in reviewers.gatehouse("review", "list").stdout.splitlines() if "summer" in line]
    assert f"'{key}@{an_upload().version}'" in line
    assert f"'b c.jpg@{an_upload().version}'" in reviewers.gatehouse("review", "list", "--decided").stdout


def test_who_decided_and_what_is_in_the_table_of_decisions(
    reviewers: Reviewers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    kim = replace(KIM, name="Kim")
    reviewers.deployed.put(acts(in_review(), approved_by(kim)), acts(in_review("b.jpg"), blocked_by(MO)))

    text = reviewers.gatehouse("review", "list", "--decided").stdout
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if ".jpg" in line]
    assert sorted(row[2:4] for row in rows) == [["APPROVED", f"{KIM.decided_by} (Kim)"], ["BLOCKED", "person:mo"]]


def test_what_somebody_holds_and_what_is_not_ones_own_to_decide_is_marked(
    reviewers: Reviewers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    until = "2026-11-22T15:05:00.000Z"
    reviewers.deployed.put(
        in_review("held.jpg", review_claim=ReviewClaim("person:kim", until)),
        in_review("mine.jpg", review_claim=ReviewClaim("person:mo", until)),
        in_review("over.jpg", review_claim=ReviewClaim("person:kim", "2026-11-22T14:59:59.999Z")),
        acts(in_review("recused.jpg"), blocked_by(MO), sent_back(Cause.APPEAL)),
        acts(in_review("others.jpg"), blocked_by(KIM), sent_back(Cause.APPEAL)),
    )

    lines = reviewers.gatehouse("review", "list").stdout.splitlines()
    marks = {key: line for line in lines for key in ("held", "mine", "over", "recused", "others") if f" {key}." in line}
    assert f"; held by person:kim until {until}" in marks["held"]
    assert f"; held by you until {until}" in marks["mine"]
    assert "held" not in marks["over"]
    assert "; another person has to decide, not you" in marks["recused"]
    assert f"; not for {KIM.decided_by} to decide" in marks["others"]


def test_many_rows_are_tables_of_their_own(reviewers: Reviewers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatehouse.cli.printed_parts._ROWS", 2)
    reviewers.deployed.put(*(in_review(f"{n}.jpg", decided_at=iso(NOON + DAY / 8640 * n)) for n in range(5)))

    result = reviewers.gatehouse("review", "list")

    assert result.stdout.count("REVIEW, oldest first") == 3
    assert [n for n in range(5) if f" {n}.jpg@" in result.stdout] == list(range(5))


def test_a_key_and_a_note_cannot_write_to_the_terminal(reviewers: Reviewers) -> None:
    hostile = "\x1b[2J\x07\u202e"
    failed = a_verdict(Status.FAILED, a_claim(an_upload(f"b{hostile}")), failure=Failure(f"C{hostile}", "no"))
    reviewers.deployed.put(in_review(f"a{hostile}.jpg"), failed)

    for arguments in ((), ("--status", "FAILED")):
        text = reviewers.gatehouse("review", "list", *arguments).stdout
        assert "\\x1b[2J\\x07\\xe2\\x80\\xae" in text
        assert not set(hostile) & {"\x1b", "\x07", "\u202e"} & set(text)


def test_nothing_is_an_empty_list(reviewers: Reviewers) -> None:
    assert reviewers.review("list") == []


def test_a_lane_that_is_not_there_is_told(reviewers: Reviewers) -> None:
    result = reviewers.gatehouse("review", "list", "--lane", "removed")

    assert "No lane is called removed now. The lanes are: default." in result.stderr


def test_scripts_read_what_there_is_to_know(reviewers: Reviewers) -> None:
    reviewers.deployed.put(acts(in_review(), blocked_by(MO), sent_back(Cause.APPEAL)))

    (entry,) = reviewers.review("list")

    assert entry["reasons"][0]["rule"] == "Violence"
    assert entry["labels"][0]["name"] == "Violence"
    assert (entry["status"], entry["revision"], entry["recused"]) == ("REVIEW", 2, "person:mo")
    assert entry["change"] == {"cause": "appeal", "announce": True}
    assert entry["decision"] == {"reason": "appeal"}
    assert entry["version"] == an_upload().version
