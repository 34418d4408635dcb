"""What a policy makes of an image of which some frames were not looked at."""

from dataclasses import replace

import pytest

from gatehouse.moderation.analysis import Analysis
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.policy.explanation import explain
from gatehouse.moderation.policy.policy import Policy, PolicyError
from gatehouse.moderation.policy.replay import replay
from gatehouse.moderation.policy.rule import UnseenFrames
from gatehouse.moderation.rendition import Rendition
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import BY_POLICY
from tests.unit.builders import a_policy, a_verdict, labels

SEEN = Rendition(ImageFormat.GIF, 80, 80, 1, frames=8, judged=8)
UNSEEN = replace(SEEN, frames=300)
REVIEWS = Policy.from_document({"name": "test", "version": "1", "default": {"review": 50, "block": 90}})
APPROVES = Policy.from_document({**REVIEWS.to_document(), "unseen_frames": "approve"})


@pytest.mark.parametrize(
    ("policy", "rendition", "confidences", "status"),
    [
        (REVIEWS, None, {}, Status.APPROVED),
        (REVIEWS, SEEN, {}, Status.APPROVED),
        (REVIEWS, UNSEEN, {}, Status.REVIEW),
        (REVIEWS, UNSEEN, {"Violence": 20.0}, Status.REVIEW),
        (REVIEWS, UNSEEN, {"Violence": 60.0}, Status.REVIEW),
        (REVIEWS, UNSEEN, {"Violence": 95.0}, Status.BLOCKED),
        (APPROVES, UNSEEN, {}, Status.APPROVED),
        (APPROVES, UNSEEN, {"Violence": 60.0}, Status.REVIEW),
    ],
)
def test_unseen_frames_are_never_approved_unless_the_policy_says_so(
    policy: Policy, rendition: Rendition | None, confidences: dict[str, float], status: Status
) -> None:
    judgment = policy.judge(Analysis(labels(confidences), rendition=rendition))

    assert judgment.status is status
    assert bool(judgment.reasons) is (max(confidences.values(), default=0) >= 50)


def test_a_replay_approves_nothing_that_its_policy_wants_looked_at() -> None:
    found = Analysis(labels({"Violence": 60.0}), rendition=UNSEEN)
    verdict = a_verdict(Status.REVIEW, analysis=found, decided_by=BY_POLICY, min_confidence=0.0)
    mild = Policy.from_document({"name": "mild", "version": "1", "default": "allow"})

    assert not replay(verdict, mild).changes
    approved = replay(verdict, replace(mild, unseen_frames=UnseenFrames.APPROVE))
    assert (approved.status, approved.changes) == (Status.APPROVED, True)
    stricter = replay(replace(verdict, status=Status.APPROVED), mild)
    assert (stricter.status, stricter.changes) == (Status.REVIEW, True)


def test_a_policy_that_does_not_speak_of_frames_keeps_its_hash() -> None:
    assert "unseen_frames" not in a_policy().to_document()
    assert Policy.from_document({**REVIEWS.to_document(), "unseen_frames": "review"}).hash == REVIEWS.hash
    assert APPROVES.hash != REVIEWS.hash
    assert Policy.from_document(APPROVES.to_document()) == APPROVES


@pytest.mark.parametrize("value", ["block", "allow", True, None])
def test_anything_else_is_no_answer(value: object) -> None:
    with pytest.raises(PolicyError, match="unseen_frames"):
        Policy.from_document({**REVIEWS.to_document(), "unseen_frames": value})


@pytest.mark.parametrize("confidences", [{}, {"Violence": 60.0}, {"Violence": 95.0}])
def test_an_explanation_says_that_frames_would_have_to_be_approved(confidences: dict[str, float]) -> None:
    found = Analysis(labels(confidences), rendition=UNSEEN)

    explanation = explain(found, REVIEWS)

    (approved,) = (each for each in explanation.alternatives if each.status is Status.APPROVED)
    assert explanation.reviews_frames
    assert approved.approves_unseen_frames
    assert bool(approved.changes) is bool(confidences)
    assert not any(each.approves_unseen_frames for each in explain(found, APPROVES).alternatives)
