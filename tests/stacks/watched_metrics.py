"""The metrics that a monitoring template watches: in alarms, and on dashboards."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.stacks.conftest import Template, resources

#: Stands for a value that the template fills in.
_FILLED_IN = "<filled in>"


@dataclass(frozen=True, slots=True)
class Watched:
    """A metric. `dimensions` holds names and values; a value that the template fills in is `None`."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str | None], ...]

    @property
    def dimension_names(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, _ in self.dimensions))


def watched_by_alarm(alarm: Mapping[str, Any]) -> list[Watched]:
    """The metrics an alarm looks at, of its own or for its expression."""
    found = [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", ()) if "MetricStat" in query]
    return [_of_alarm(metric) for metric in found or [alarm]]


def _of_alarm(metric: Mapping[str, Any]) -> Watched:
    dimensions = [(entry["Name"], _text(entry["Value"])) for entry in metric["Dimensions"]]
    return Watched(metric["Namespace"], metric["MetricName"], tuple(dimensions))


def dashboards(monitoring: Template) -> dict[str, list[dict[str, Any]]]:
    """The widgets of the dashboards, by the dashboards' logical ids without what the library adds."""
    found = {}
    for name, resource in resources(monitoring, "AWS::CloudWatch::Dashboard").items():
        body = resource["Properties"]["DashboardBody"]
        parts = body["Fn::Join"][1] if isinstance(body, dict) else [body]
        text = "".join(part if isinstance(part, str) else _FILLED_IN for part in parts)
        found[name.partition("Dashboard")[0]] = json.loads(text)["widgets"]
    return found


def rows(widget: Mapping[str, Any]) -> list[list[Any]]:
    """A widget's metrics and expressions, hidden ones included."""
    found: list[list[Any]] = widget["properties"].get("metrics", [])
    return found


def watched_by_widget(widget: Mapping[str, Any]) -> Iterator[Watched]:
    """The metrics a widget shows, or takes for what it shows."""
    for row in rows(widget):
        texts = [part for part in row if isinstance(part, str)]
        if texts:
            namespace, name, *pairs = texts
            yield Watched(namespace, name, tuple(_pairs(pairs)))


def _pairs(texts: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    for name, value in zip(texts[::2], texts[1::2], strict=True):
        yield name, None if value == _FILLED_IN else value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
