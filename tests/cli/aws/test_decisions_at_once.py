"""Reviewers, owners, replays and batches at one item, each by what they saw some time ago, in any order."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import boto3
from boto3.dynamodb.types import TypeSerializer
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from moto import mock_aws

from gatehouse.aws.verdict_table import Item
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.moderation.change import Cause
from gatehouse.moderation.decision import (
    Act,
    Decision,
    DecisionRefusedError,
    ReviewClaim,
    acted,
    appeal,
    decide,
    report,
)
from gatehouse.moderation.moment import iso
from gatehouse.moderation.person import Person, is_person
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.replay import is_replayable, replay
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import claim_from_item, verdict_from_item, verdict_item
from tests.cli.conftest import STANDARD, STRICT, policy_of
from tests.cli.judged_uploads import a_judged
from tests.unit.builders import NOON, a_verdict
from tests.unit.verdict_tables import create_verdict_table

POLICIES = (policy_of(STANDARD), policy_of(STRICT))
PEOPLE = tuple(Person(name) for name in ("ada", "grace", "edsger"))
WHY = Decision("context", None)
TABLE = "verdicts"

SLOTS = st.integers(0, 3)


class OneItem(RuleBasedStateMachine):
    """Everybody has a slot with what they read last, and writes by it."""

    def __init__(self) -> None:
        super().__init__()
        self._aws = mock_aws(config={"core": {"reset_boto3_session": False}})
        self._aws.start()
        self.dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        create_verdict_table(self.dynamodb, TABLE)
        self.table = OperatorsVerdictTable(self.dynamodb, TABLE, pause=lambda _: None)
        self.now: datetime = NOON + timedelta(hours=1)
        self.seen: list[Verdict] = []
        self.taken: list[Verdict] = []
        self.batches = 1

    def teardown(self) -> None:
        self._aws.stop()

    @initialize(failed=st.booleans(), reason=st.sampled_from([60.0, 45.0, 95.0]))
    def first_verdict(self, failed: bool, reason: float) -> None:
        judged = a_judged("cat.jpg", {"Violence": reason}, POLICIES[0])
        verdict = a_verdict(Status.FAILED, judged.claim) if failed else judged
        self._put(verdict)
        self.seen = [verdict] * 4

    @rule(slot=SLOTS)
    def look(self, slot: int) -> None:
        """Read, and write by it some time later."""
        self.seen[slot] = self._stored()

    @rule(seconds=st.integers(0, 900))
    def wait(self, seconds: int) -> None:
        """Review claims end."""
        self.now += timedelta(seconds=seconds)

    @rule(slot=SLOTS, person=st.sampled_from(PEOPLE), status=st.sampled_from([Status.APPROVED, Status.BLOCKED]))
    def decides(self, slot: int, person: Person, status: Status) -> None:
        self._act(slot, decide(status, person, WHY, self._moment()))

    @rule(slot=SLOTS, person=st.sampled_from(PEOPLE))
    def appeals(self, slot: int, person: Person) -> None:
        self._act(slot, appeal(person, WHY, self._moment()))

    @rule(slot=SLOTS, person=st.sampled_from(PEOPLE))
    def reports(self, slot: int, person: Person) -> None:
        self._act(slot, report(person, WHY, self._moment()))

    @rule(person=st.sampled_from(PEOPLE))
    def claims(self, person: Person) -> None:
        """A reviewer opens the item, if nobody else has it open; no revision tells."""
        verdict = self._stored()
        held = verdict.review_claim
        if held is None or held.by == person.decided_by or held.until <= iso(self.now):
            until = iso(self.now + timedelta(minutes=10))
            self._put(replace(verdict, review_claim=ReviewClaim(person.decided_by, until)))

    @rule(slot=SLOTS, policy=st.sampled_from(POLICIES), announce=st.booleans())
    def replays(self, slot: int, policy: Policy, announce: bool) -> None:
        seen = self.seen[slot]
        if not is_replayable(seen.status, seen.decided_by):
            return
        replayed = replay(seen, policy)
        if not replayed.changes:
            return
        before = self._stored()
        after = replayed.verdict(self._moment(), announce=announce)
        if self.table.rewrite(seen, after, None):
            assert not is_person(before.decided_by), "a replay undid what a person did"
            assert self._stored().review_claim == before.review_claim
            self._took(seen, before, after)

    @rule(slot=SLOTS)
    def another_batch_takes_over(self, slot: int) -> None:
        """`retry` has what FAILED analyzed again, and Results finalizes it at once."""
        seen, before = self.seen[slot], self._stored()
        self.batches += 1
        moment = self._moment()
        claim = replace(seen.claim, batch_id=f"batch-{self.batches}", claimed_at=moment, attempt=seen.claim.attempt + 1)
        if self.table.reclaim([(seen.claim, claim)], Status.FAILED):
            assert (before.status, before.history) == (Status.FAILED, ())
            held = before.review_claim
            assert held is None or held.until <= moment
            assert claim_from_item(self._item()) == claim
            judged = a_judged("cat.jpg", {"Violence": 60.0}, POLICIES[0])
            assert self.table.finalize([replace(judged, claim=claim)], None)
            self.taken = []

    @invariant()
    def every_change_that_was_taken_stands_and_no_other(self) -> None:
        if not self.seen:
            return
        verdict = self._stored()
        assert verdict.revision == len(self.taken)
        if self.taken:
            assert replace(verdict, review_claim=None) == replace(self.taken[-1], review_claim=None)
        assert [after.revision for after in self.taken] == list(range(1, len(self.taken) + 1))
        peoples = [after for after in self.taken if is_person(after.decided_by)]
        of_people = [entry for entry in verdict.history if is_person(entry.by)]
        assert [(entry.by, entry.after, entry.at) for entry in of_people] == [
            (after.decided_by, after.status, after.decided_at) for after in peoples
        ]

    @invariant()
    def the_history_is_one_story(self) -> None:
        if not self.seen:
            return
        history = self._stored().history
        for one, next_one in pairwise(history):
            assert (one.after, one.at) == (next_one.before, next_one.since)
            if next_one.cause is Cause.DECISION and one.cause in (Cause.APPEAL, Cause.REPORT):
                doubted = history[history.index(one) - 1] if history.index(one) else None
                assert doubted is None or doubted.by != next_one.by, "decided on the own decision"
        if history:
            assert (history[-1].after, history[-1].at) == (self._stored().status, self._stored().decided_at)

    def _act(self, slot: int, act: Act) -> None:
        seen, before = self.seen[slot], self._stored()
        try:
            after = acted(seen, act)
        except DecisionRefusedError:
            return
        if self.table.rewrite(seen, after, None):
            held = before.review_claim
            if act.cause is Cause.DECISION and held is not None:
                assert held.by == act.person.decided_by or held.until <= act.at, "decided on somebody else's claim"
            self._took(seen, before, after)

    def _took(self, seen: Verdict, before: Verdict, after: Verdict) -> None:
        assert replace(seen, review_claim=None) == replace(before, review_claim=None), "a change of what was not seen"
        self.taken.append(after)

    def _moment(self) -> str:
        """A moment after all others."""
        self.now += timedelta(milliseconds=1)
        return iso(self.now)

    def _item(self) -> Item:
        item = self.table.of_upload(*a_verdict().upload.identity)
        assert item is not None
        return item

    def _stored(self) -> Verdict:
        return verdict_from_item(self._item())

    def _put(self, verdict: Verdict) -> None:
        item = {name: TypeSerializer().serialize(value) for name, value in verdict_item(verdict).items()}
        self.dynamodb.put_item(TableName=TABLE, Item=item)


# Without shrinking: a table in memory is slow, and a story of forty steps is told well enough by its last ones.
OneItem.TestCase.settings = settings(
    max_examples=10,
    stateful_step_count=40,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
TestOneItem = OneItem.TestCase
