"""The benchmark of judging measures images that are judged at all."""

from gatehouse.moderation.analysis import parse_result_line
from gatehouse.moderation.status import Status
from tests.benchmarks.judging import IMAGES, result_line, standard_policy


def test_what_is_measured_is_judged_at_all() -> None:
    policy = standard_policy()
    judgments = {}
    for image in IMAGES:
        analysis = parse_result_line(result_line(*IMAGES[image])).analysis
        assert analysis is not None
        judgments[image] = policy.judge(analysis)

    assert [judgment.status for judgment in judgments.values()] == [Status.APPROVED, Status.BLOCKED, Status.REVIEW]
    assert len(judgments["two chains, two content types"].reasons) == 2
    assert {reason.content_type for reason in judgments["two chains, two content types"].reasons} == {"Illustrated"}
