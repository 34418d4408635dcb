from localcloud.rekognition.caller import Caller
from localcloud.rekognition.errors import ErrorName, ServiceError
from localcloud.rekognition.rate_limit import RateLimit

HERE = Caller(None, None, "111122223333", "us-east-1")
ELSEWHERE = Caller(None, None, "111122223333", "eu-west-1")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def passed(limit: RateLimit, rate: float | None, calls: int, caller: Caller = HERE) -> int:
    """How many of so many calls pass; the others have to be throttled."""
    count = 0
    for _ in range(calls):
        try:
            limit.take("DetectModerationLabels", caller, rate)
        except ServiceError as error:
            if error.name is not ErrorName.PROVISIONED_THROUGHPUT_EXCEEDED:
                raise
        else:
            count += 1
    return count


def test_a_rate_lets_one_seconds_worth_pass_and_then_refills() -> None:
    clock = Clock()
    limit = RateLimit(clock)

    assert passed(limit, 5.0, 20) == 5
    clock.now += 0.4
    assert passed(limit, 5.0, 20) == 2
    clock.now += 60
    assert passed(limit, 5.0, 20) == 5


def test_a_rate_below_one_still_lets_a_request_pass() -> None:
    clock = Clock()
    limit = RateLimit(clock)

    assert passed(limit, 0.5, 3) == 1
    clock.now += 2
    assert passed(limit, 0.5, 3) == 1


def test_regions_do_not_share_a_rate() -> None:
    limit = RateLimit(Clock())

    assert passed(limit, 1.0, 2, HERE) == 1
    assert passed(limit, 1.0, 2, ELSEWHERE) == 1


def test_a_rate_may_change_at_any_time() -> None:
    clock = Clock()
    limit = RateLimit(clock)

    assert passed(limit, 100.0, 1) == 1
    assert passed(limit, 2.0, 20) == 2
    clock.now += 1
    assert passed(limit, 10.0, 20) == 10


def test_an_operation_without_a_rate_is_never_throttled() -> None:
    assert passed(RateLimit(Clock()), None, 100) == 100
