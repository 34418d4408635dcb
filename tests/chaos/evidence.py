"""What explains a violated row or run, kept in a file: what was uploaded and became of it, ran and went wrong."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo.synthesis import ROOT
from tests.chaos.invariants import Observed
from tests.chaos.ledger import Ledger
from tests.e2e.pipeline import Pipeline

#: Where the files are, from the repository's root on; the nightly run uploads them.
FOLDER = Path(".cache") / "chaos"


def keep(
    pipeline: Pipeline,
    name: str,
    ledger: Ledger,
    observed: Observed,
    faults: Sequence[Mapping[str, Any]],
    violations: Sequence[str],
) -> Path:
    """Write it down. Returns the file.

    Args:
        name: of the row or the run.
        faults: as they were armed, each with `fired` as far as that is known, and switches as they were set.
    """
    uploads: dict[str, dict[str, Any]] = {}
    for entry in ledger:
        found = uploads.setdefault(entry.key, {"uploads": [], "verdicts": [], "flags": []})
        found["uploads"].append({"version_id": entry.version_id, "kind": entry.kind.name})
        found["analyses"] = observed.analyzed.get(entry.key, 0)
    for item in observed.items:
        uploads.setdefault(item["key"], {"verdicts": [], "flags": []})["verdicts"].append(item)
    for flag in (*observed.flags, *observed.announced):
        uploads.setdefault(flag["object"]["key"], {"verdicts": [], "flags": []})["flags"].append(flag["id"])
    machines = [name for name in pipeline.outputs if name.endswith("StateMachineArn")]
    document = {
        "name": name,
        "violations": list(violations),
        "faults": list(faults),
        "changes": [[verdict.upload.key, verdict.revision, verdict.status] for verdict in ledger.changes],
        "calls of Rekognition": pipeline.cloud.rekognition_counters()["calls"],
        "executions": {machine: pipeline.executions(machine=machine) for machine in machines},
        "files of batches": sorted(pipeline.batch_keys()),
        "objects": uploads,
    }
    about = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    file = ROOT / FOLDER / f"{about}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.json"  # several runs may be kept
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=1, default=str, ensure_ascii=False), "utf-8")
    return file
