"""The metrics that our functions write, by the service's name.

Tests of the handlers check that each run writes exactly these; tests of the templates, which must not import handlers,
that alarms and dashboards watch no others.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gatehouse.contracts.function_metrics import (
    AnalyzerMetric,
    BatcherMetric,
    OutcomesMetric,
    RendererMetric,
    ResultsMetric,
    SweeperMetric,
)


@dataclass(frozen=True, slots=True)
class Emitted:
    """What one function writes with every run.

    Attributes:
        dimensions: names, sorted.
    """

    dimensions: tuple[str, ...]
    names: frozenset[str]


#: What the batcher writes only where objects from before are moderated.
OF_LISTED_OBJECTS = frozenset({BatcherMetric.UPLOADS_KNOWN, BatcherMetric.UPLOADS_WITHOUT_PLACE})

#: What Outcomes writes only with a gate.
GATE_METRICS = frozenset(
    {
        OutcomesMetric.VERSIONS_OPENED,
        OutcomesMetric.VERSIONS_CLOSED,
        OutcomesMetric.VERSIONS_UNOPENED,
        OutcomesMetric.TAGS_REFUSED,
        OutcomesMetric.VERDICT_TO_OPEN,
        OutcomesMetric.CHANGE_TO_CLOSED,
    }
)

EMITTED: Mapping[str, Emitted] = {
    "batcher": Emitted(("lane", "service"), frozenset(BatcherMetric) - OF_LISTED_OBJECTS),
    "analyzer": Emitted(("priority", "service"), frozenset(AnalyzerMetric) - {AnalyzerMetric.MESSAGES_MALFORMED}),
    "outcomes": Emitted(("service",), frozenset(OutcomesMetric)),
    "renderer": Emitted(("service",), frozenset(RendererMetric)),
    "sweeper": Emitted(("service",), frozenset(SweeperMetric)),
    "results": Emitted(("lane", "service"), frozenset(ResultsMetric)),
}
