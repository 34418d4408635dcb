"""Situations in which people act on verdicts: they decide, appeal and report, and the stream tells Outcomes."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from gatehouse.moderation.decision import Act, Decision, appeal, decide, report
from gatehouse.moderation.moment import iso
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_from_item
from tests.chaos.failure_queue import FailureQueue
from tests.chaos.ledger import mixed
from tests.chaos.reviewer import Reviewer
from tests.chaos.situations import UPLOADS, Situation
from tests.chaos.stage import Stage
from tests.chaos.strikes import OUTCOMES

#: The upload whose change Outcomes never gets announced, as a part of its key: one that waits for a person.
POISONED = "003.jpg"

_GIVEN_UP_SECONDS = 180


def acted_on(stage: Stage) -> None:
    """What people do about a batch's verdicts, in one delivery of the stream."""
    verdicts = _settled(stage)
    stage.arm()
    with stage.pipeline.paused(OUTCOMES):
        _act(stage, verdicts)


def acted_on_one_by_one(stage: Stage) -> None:
    """What people do about a batch's verdicts, delivered as it comes."""
    verdicts = _settled(stage)
    stage.arm()
    _act(stage, verdicts)


def acted_on_where_one_is_given_up(stage: Stage) -> None:
    """The same, of which one change is never announced; what comes after it is."""
    verdicts = _settled(stage)
    first, *others = sorted(verdicts, key=lambda verdict: not verdict.upload.key.endswith(POISONED))
    failures = FailureQueue(stage.pipeline)
    stage.arm()
    with stage.pipeline.paused(OUTCOMES):
        _act(stage, [first, *others[::2]])
    stage.pipeline.wait_until(failures.count, _GIVEN_UP_SECONDS, "a change that is given up")
    _act(stage, others[1::2])


def acted_on_where_answers_are_lost(stage: Stage) -> None:
    """What people do about a batch's verdicts, where each write's answer is lost, and it is sent once more."""
    verdicts = _settled(stage)
    stage.arm()
    reviewer = Reviewer(stage.pipeline, "alice")
    for verdict in verdicts:
        reviewer.answers_to_lose = 1
        _write(stage, reviewer, verdict, _decided(reviewer.person, verdict))
    assert reviewer.answers_lost == len(verdicts)
    assert len(stage.ledger.changes) == len(verdicts), "a decision that was written is taken for refused"


def acted_on_by_two_at_once(stage: Stage) -> None:
    """Two people who decide on the same verdicts, as they saw them, at the same moment."""
    verdicts = _settled(stage)
    stage.arm()
    reviewers = [Reviewer(stage.pipeline, name) for name in ("alice", "bob")]
    together = threading.Barrier(len(reviewers))

    def decide_all(reviewer: Reviewer) -> None:
        for verdict in verdicts:
            together.wait()
            _write(stage, reviewer, verdict, _decided(reviewer.person, verdict))

    with ThreadPoolExecutor(len(reviewers)) as threads:
        list(threads.map(decide_all, reviewers))
    assert len(stage.ledger.changes) == len(stage.ledger.undone) == len(verdicts), "one of two is refused"


#: All of them: they do not come about by uploading alone.
SITUATIONS: frozenset[Situation] = frozenset(
    {
        acted_on,
        acted_on_one_by_one,
        acted_on_where_one_is_given_up,
        acted_on_where_answers_are_lost,
        acted_on_by_two_at_once,
    }
)


def now() -> str:
    """This moment, as items have times."""
    return iso(datetime.now(UTC))


def _settled(stage: Stage) -> list[Verdict]:
    with stage.gathered():
        stage.upload(mixed(stage.prefix, UPLOADS))
    return list(map(verdict_from_item, stage.pipeline.wait_for_verdicts(UPLOADS, stage.prefix)))


def _act(stage: Stage, verdicts: list[Verdict]) -> None:
    """All that people do about verdicts: up to three acts on each."""
    alice, bob = (Reviewer(stage.pipeline, name) for name in ("alice", "bob"))
    for number, verdict in enumerate(verdicts):
        standing: Verdict | None = verdict
        for reviewer, act in _acts(alice, bob, verdict.status, number):
            assert standing is not None, "nobody else acts on it"
            standing = _write(stage, reviewer, standing, act)


def _acts(alice: Reviewer, bob: Reviewer, status: Status, number: int) -> Iterator[tuple[Reviewer, Act]]:
    asked = Decision("asked", None)
    match status:
        case Status.REVIEW | Status.UNSUPPORTED:
            yield alice, decide((Status.APPROVED, Status.BLOCKED)[number % 2], alice.person, asked, now())
        case Status.BLOCKED:
            yield bob, appeal(bob.person, asked, now())
            yield alice, decide(Status.APPROVED, alice.person, asked, now())
            yield bob, report(bob.person, asked, now())
        case Status.APPROVED if number % 3 == 0:
            yield alice, report(alice.person, asked, now())
            yield bob, decide(Status.BLOCKED, bob.person, asked, now())


def _decided(person: Person, verdict: Verdict) -> Act:
    status = Status.BLOCKED if verdict.status is Status.APPROVED else Status.APPROVED
    return decide(status, person, Decision("asked", None), now())


def _write(stage: Stage, reviewer: Reviewer, before: Verdict, act: Act) -> Verdict | None:
    attempt = reviewer.write(before, act)
    (stage.ledger.changes if attempt.is_done else stage.ledger.undone).append(attempt.after)
    return attempt.after if attempt.is_done else None
