"""The account's rate of DetectModerationLabels, which may depend on the Region."""

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
from constructs import Construct

from gatehouse.configuration.call_rate import (
    DEFAULT_CALLS_PER_SECOND,
    LARGE_REGION_CALLS_PER_SECOND,
    LARGE_REGIONS,
    CallRate,
)


class AccountRate(Construct):
    """The calls per second that Gatehouse may make.

    Args:
        calls_per_second: or None for AWS's default, which CloudFormation chooses because the Region is not known yet.
    """

    def __init__(self, scope: Construct, id: str, *, calls_per_second: float | None) -> None:
        super().__init__(scope, id)
        self._large = LARGE_REGION_CALLS_PER_SECOND if calls_per_second is None else calls_per_second
        self._other = DEFAULT_CALLS_PER_SECOND if calls_per_second is None else calls_per_second
        self._is_large_region: cdk.CfnCondition | None = None
        if calls_per_second is None:
            regions = (cdk.Fn.condition_equals(cdk.Aws.REGION, region) for region in LARGE_REGIONS)
            self._is_large_region = cdk.CfnCondition(self, "IsLargeRegion", expression=cdk.Fn.condition_or(*regions))
            self._is_large_region.override_logical_id("IsLargeRegion")

    def share(self, part: float) -> "RegionalRate":
        """A part of the rate, 0-1."""
        return RegionalRate(CallRate(self._large * part), CallRate(self._other * part), self._is_large_region)


class RegionalRate:
    """A rate and the figures that follow from it. CloudFormation fills in those that depend on the Region.

    Args:
        large: in a Region where AWS's default quota is the large one.
        other: elsewhere.
        is_large_region: the condition that chooses between them; None if both are the same.
    """

    def __init__(self, large: CallRate, other: CallRate, is_large_region: cdk.CfnCondition | None) -> None:
        self._large, self._other, self._is_large_region = large, other, is_large_region

    @property
    def calls_per_second(self) -> str:
        """Of all workers together."""
        return self._text(lambda rate: f"{rate.calls_per_second:g}")

    @property
    def calls_per_worker(self) -> str:
        """Of one worker."""
        return self._text(lambda rate: f"{rate.calls_per_worker:g}")

    @property
    def workers(self) -> str:
        """The maximum number of workers."""
        return self._text(lambda rate: str(rate.workers))

    @property
    def max_concurrency(self) -> float:
        """The maximum number of workers, as a number or a token."""
        return self.number(lambda rate: rate.workers)

    @property
    def chunks_under_way(self) -> float:
        """The maximum number of chunks that a batch has in progress, as a number or a token."""
        return self.number(lambda rate: rate.chunks_under_way)

    @property
    def chunk_size(self) -> str:
        """The maximum number of uploads in a chunk."""
        return self._text(lambda rate: str(rate.chunk_size))

    @property
    def least_chunk(self) -> str:
        """The minimum number of uploads in a chunk."""
        return self._text(lambda rate: str(rate.least_chunk))

    def number(self, figure: Callable[[CallRate], float]) -> float:
        """A figure of the caller's that follows from the rate, as a number or a token."""
        return cdk.Token.as_number(self._either(figure))

    def _text(self, figure: Callable[[CallRate], str]) -> str:
        return cdk.Token.as_string(self._either(figure))

    def _either(self, figure: Callable[[CallRate], Any]) -> Any:
        large, other = figure(self._large), figure(self._other)
        if self._is_large_region is None or large == other:
            return large
        return cdk.Fn.condition_if(self._is_large_region.logical_id, large, other)
