"""Metrics as CloudWatch reads them from a function's output (CloudWatch User Guide, embedded metric format)."""

import json
from collections import defaultdict
from typing import Any


def metrics_in(output: str) -> dict[str, list[float]]:
    """Name -> values of every metric in the output."""
    found: dict[str, list[float]] = defaultdict(list)
    for document in _documents(output):
        for directive in document["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == "Gatehouse"
            for metric in directive["Metrics"]:
                value = document[metric["Name"]]
                found[metric["Name"]] += value if isinstance(value, list) else [value]
    return found


def dimensions_in(output: str) -> set[tuple[str, ...]]:
    """Every set of dimensions' names in the output, sorted, each with the lane's or the priority's name at its end."""
    return {
        (*sorted(names), *(document[name] for name in ("lane", "priority") if name in document))
        for document in _documents(output)
        for directive in document["_aws"]["CloudWatchMetrics"]
        for names in directive["Dimensions"]
    }


def _documents(output: str) -> list[dict[str, Any]]:
    documents = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [document for document in documents if "_aws" in document]
