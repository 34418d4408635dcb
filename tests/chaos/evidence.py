"""What explains a violated run, kept in a file: what was uploaded and became of it, what ran, and what went wrong."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.chaos.invariants import Observed
from tests.chaos.ledger import Ledger
from tests.e2e.pipeline import Pipeline


def keep(
    pipeline: Pipeline,
    ledger: Ledger,
    observed: Observed,
    faults: Sequence[Mapping[str, Any]],
    violations: Sequence[str],
) -> Path:
    """Write it down. Returns the file.

    Args:
        faults: as they were armed, each with `fired` as far as that is known.
    """
    uploads: dict[str, dict[str, Any]] = {}
    for entry in ledger:
        found = uploads.setdefault(entry.key, {"uploads": [], "verdicts": [], "flags": []})
        found["uploads"].append({"version_id": entry.version_id, "kind": entry.kind.name})
        found["analyses"] = observed.analysed.get(entry.key, 0)
    for item in observed.items:
        uploads.setdefault(item["key"], {"verdicts": [], "flags": []})["verdicts"].append(item)
    for flag in observed.flags:
        uploads.setdefault(flag["object"]["key"], {"verdicts": [], "flags": []})["flags"].append(flag["id"])
    machines = [name for name in pipeline.outputs if name.endswith("StateMachineArn")]
    document = {
        "violations": list(violations),
        "faults": list(faults),
        "calls of Rekognition": pipeline.cloud.rekognition_counters()["calls"],
        "executions": {machine: pipeline.executions(machine=machine) for machine in machines},
        "files of batches": sorted(pipeline.batch_keys()),
        "objects": uploads,
    }
    file = Path(tempfile.mkdtemp(prefix="gatehouse-chaos-")) / "evidence.json"
    file.write_text(json.dumps(document, indent=1, default=str, ensure_ascii=False), "utf-8")
    return file
