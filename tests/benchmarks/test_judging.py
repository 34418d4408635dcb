import pytest

from gatehouse.moderation.analysis import parse_result_line
from gatehouse.moderation.status import Status
from tests.benchmarks.judging import IMAGES, Cost, measure, result_line, standard_policy

#: Judging an image costs at most twice what reading its result line does.
BOUND = 2.0


@pytest.fixture(scope="module")
def costs() -> dict[str, Cost]:
    return {cost.image: cost for cost in measure(standard_policy())}


@pytest.mark.parametrize("image", IMAGES)
def test_judging_costs_at_most_twice_what_reading_does(costs: dict[str, Cost], image: str) -> None:
    assert costs[image].ratio <= BOUND


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
