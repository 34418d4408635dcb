"""docs/contracts/README.md names all that the stacks output, and all members of the documents."""

import json
import re
from pathlib import Path

import pytest

from gatehouse.contracts.stack_outputs import (
    BACKFILL_CALLS_PER_SECOND,
    BackfillOutput,
    EventsOutput,
    LaneOutput,
    PipelineOutput,
    PriorityOutput,
    StorageOutput,
)

_FOLDER = Path(__file__).resolve().parents[2] / "docs" / "contracts"
_NAMED = set(re.findall(r"\w+", (_FOLDER / "README.md").read_text("utf-8")))


_OUTPUTS = (StorageOutput, PipelineOutput, EventsOutput, PriorityOutput, LaneOutput, BackfillOutput)


@pytest.mark.parametrize("output", [*(output.value for kind in _OUTPUTS for output in kind), BACKFILL_CALLS_PER_SECOND])
def test_an_output_is_named(output: str) -> None:
    assert output in _NAMED


@pytest.mark.parametrize("document", ["flag", "verdict-item"])
def test_a_member_of_a_document_is_named(document: str) -> None:
    schema = json.loads((_FOLDER / f"{document}.schema.json").read_text("utf-8"))

    assert set(schema["properties"]) <= _NAMED
