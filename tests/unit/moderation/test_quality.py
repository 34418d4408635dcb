"""What people's decisions say about a policy: whose word counts, against what, and how it is counted."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.decision import Act, Decision, acted, appeal, confirm, decide, report
from gatehouse.moderation.moment import iso
from gatehouse.moderation.opinion import Opinion, opinion_on
from gatehouse.moderation.person import Person
from gatehouse.moderation.policy.replay import replay
from gatehouse.moderation.quality import Durations, Quality
from gatehouse.moderation.status import JUDGED, Status
from gatehouse.moderation.verdict import Verdict
from tests.unit.builders import a_policy, a_verdict, an_analysis

ADA, GRACE, INTAKE = Person("ada"), Person("grace"), Person("intake")
FIRST = datetime.fromisoformat("2026-11-22T12:01:00.000Z")
APPROVED, REVIEW, BLOCKED = Status.APPROVED, Status.REVIEW, Status.BLOCKED


def at(hours: float) -> str:
    return iso(FIRST + timedelta(hours=hours))


def decided(status: Status, person: Person = ADA, hours: float = 1) -> Act:
    return decide(status, person, Decision("context", None), at(hours))


def appealed(hours: float) -> Act:
    return appeal(INTAKE, Decision("appeal", None), at(hours))


def reported(hours: float) -> Act:
    return report(INTAKE, Decision("report", None), at(hours))


def a_sample() -> Verdict:
    return replace(a_verdict(APPROVED), analysis=an_analysis({"Violence": 40}), is_sample=True)


def opinion(verdict: Verdict, *acts: Act) -> Opinion:
    for act in acts:
        verdict = acted(verdict, act)
    found = opinion_on(verdict)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("before", "acts", "policys", "persons", "agrees", "is_sample"),
    [
        (a_verdict(REVIEW), [decided(BLOCKED)], REVIEW, BLOCKED, True, False),
        (a_verdict(REVIEW), [decided(APPROVED)], REVIEW, APPROVED, False, False),
        (a_verdict(BLOCKED), [appealed(1), decided(APPROVED, hours=2)], BLOCKED, APPROVED, False, False),
        (a_verdict(BLOCKED), [appealed(1), decided(BLOCKED, hours=2)], BLOCKED, BLOCKED, True, False),
        (
            a_verdict(REVIEW),
            [decided(BLOCKED), appealed(2), decided(APPROVED, GRACE, 3)],
            REVIEW,
            APPROVED,
            False,
            False,
        ),
        (a_sample(), [confirm(ADA, None, at(1))], APPROVED, APPROVED, True, True),
        (a_sample(), [decided(BLOCKED)], APPROVED, BLOCKED, False, True),
        (a_sample(), [reported(1), decided(BLOCKED, hours=2)], APPROVED, BLOCKED, False, True),
        (a_verdict(APPROVED), [decided(BLOCKED)], APPROVED, BLOCKED, False, False),
        (a_verdict(Status.FAILED), [decided(APPROVED)], Status.FAILED, APPROVED, False, False),
    ],
)
def test_the_last_word_is_held_against_what_the_policy_had_said(
    before: Verdict, acts: list[Act], policys: Status, persons: Status, agrees: bool, is_sample: bool
) -> None:
    found = opinion(before, *acts)

    assert (found.policys, found.persons, found.is_sample) == (policys, persons, is_sample)
    assert found.agrees is agrees


@pytest.mark.parametrize("acts", [[], [decided(BLOCKED), appealed(2)]])
def test_where_nobody_decided_or_it_is_in_doubt_there_is_no_opinion(acts: list[Act]) -> None:
    verdict = a_verdict(REVIEW)
    for act in acts:
        verdict = acted(verdict, act)

    assert opinion_on(verdict) is None


def test_a_confirmation_outlives_a_replay_but_says_nothing_about_the_new_reasons() -> None:
    confirmed = acted(a_sample(), confirm(ADA, None, at(1)))
    replayed = replay(confirmed, a_policy({"Violence": {"review": 30}})).verdict(at(2), announce=True)

    found = opinion(replayed)

    assert (found.policys, found.persons, found.is_sample, found.at) == (APPROVED, APPROVED, True, at(1))
    assert found.reasons == ()


def test_a_decision_after_a_replay_is_about_the_replay_and_about_no_sample() -> None:
    confirmed = acted(a_sample(), confirm(ADA, None, at(1)))
    replayed = replay(confirmed, a_policy({"Violence": {"review": 30}})).verdict(at(2), announce=True)

    found = opinion(replayed, decided(BLOCKED, hours=3))

    assert (found.policys, found.persons, found.is_sample) == (REVIEW, BLOCKED, False)
    assert [reason.label for reason in found.reasons] == ["Violence"]


def test_the_wait_is_from_review_to_the_decision() -> None:
    assert opinion(a_verdict(REVIEW), decided(BLOCKED, hours=5)).waited == 5 * 3600
    assert opinion(a_verdict(BLOCKED), appealed(2), decided(BLOCKED, hours=3)).waited == 3600
    assert opinion(a_sample(), confirm(ADA, None, at(1))).waited is None
    assert opinion(a_verdict(REVIEW), decided(BLOCKED, hours=-5)).waited == 0  # a clock was wrong


def test_the_shares_come_from_what_was_looked_at_for_them() -> None:
    quality = Quality()
    for found in (
        *[opinion(a_sample(), confirm(ADA, None, at(1)))] * 9,
        opinion(a_sample(), decided(BLOCKED, GRACE, 30)),
        opinion(a_verdict(APPROVED), decided(BLOCKED)),  # somebody had a doubt: no sample
        *[opinion(a_verdict(REVIEW), decided(APPROVED))] * 3,
        opinion(a_verdict(REVIEW), decided(BLOCKED)),
        opinion(a_verdict(BLOCKED), appealed(1), decided(APPROVED, hours=2)),
    ):
        quality.add(found)

    document = quality.to_document()

    shares = {name: (document[name]["count"], document[name]["of"]) for name in document if name.startswith("wrong_")}
    assert shares == {"wrong_approvals": (1, 10), "wrong_review": (3, 4), "wrong_blocks": (1, 1)}
    assert document["rules"]["Violence"] | {"low": 0, "high": 0} == {
        "count": 1,
        "of": 5,
        "share": 0.2,
        "low": 0,
        "high": 0,
    }
    assert document["by_reviewer"] == {"person:ada": {"APPROVED": 13, "BLOCKED": 2}, "person:grace": {"BLOCKED": 1}}
    assert document["by_label"] == {"Violence": {"APPROVED": 4, "BLOCKED": 1}}
    assert document["by_day"] == {"2026-11-22": {"APPROVED": 13, "BLOCKED": 2}, "2026-11-23": {"BLOCKED": 1}}
    assert document["opinions"] == 16
    assert document["seconds_in_review"]["count"] == 5


@given(st.lists(st.tuples(st.sampled_from(JUDGED), st.sampled_from([APPROVED, BLOCKED]), st.booleans()), max_size=40))
def test_every_opinion_is_in_each_list_once(found: list[tuple[Status, Status, bool]]) -> None:
    quality = Quality()
    one = opinion(a_verdict(REVIEW), decided(BLOCKED))
    for n, (policys, persons, is_sample) in enumerate(found):
        lane = f"lane-{n % 3}"
        quality.add(replace(one, policys=policys, persons=persons, is_sample=is_sample, lane=lane))

    for counts in (quality.days, quality.in_lanes, quality.reviewers):
        assert sum(counts.values(), Counter()).total() == len(found)
    for name in ("samples", "review", "blocked"):
        lanes = [getattr(lane, name) for lane in quality.lanes.values()]
        whole = getattr(quality.overall, name)
        assert (whole.opinions, whole.wrong) == (sum(t.opinions for t in lanes), sum(t.wrong for t in lanes))


@given(seconds=st.lists(st.floats(1, 10**8), min_size=1, max_size=200), share=st.floats(0.01, 1))
def test_a_quantile_is_right_to_within_2_percent(seconds: list[float], share: float) -> None:
    durations = Durations()
    for each in seconds:
        durations.add(each)

    found = durations.quantile(share)

    assert found is not None
    exact = sorted(seconds)[max(0, -int(-(share * len(seconds)) // 1) - 1)]
    assert found == pytest.approx(exact, rel=0.021)
