"""A subscriber of the flag topic, beside the one that every pipeline has."""

from collections.abc import Mapping
from typing import Any

from demo.pipeline import DeployedPipeline


class Subscriber:
    """Receives, from now on, the flags whose attributes match an SNS filter policy."""

    def __init__(self, pipeline: DeployedPipeline, filter_policy: Mapping[str, list[str]]) -> None:
        self._pipeline = pipeline
        self._queue_url = pipeline.new_flag_queue(filter_policy)
        self._flags: list[dict[str, Any]] = []

    def flags(self, prefix: str | tuple[str, ...] = "") -> list[dict[str, Any]]:
        """Every flag received so far (duplicates included) about keys starting with `prefix`, in order of arrival."""
        self._flags += self._pipeline.take_flags(self._queue_url)
        return [flag for flag in self._flags if flag["object"]["key"].startswith(prefix)]
