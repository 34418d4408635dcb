"""Commands and functions ask AWS the same questions by the same code: what is known of a call stands where it is."""

import ast
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "gatehouse"

#: What both do for reasons of their own: a copy of an object needs all of HeadObject's answer, people look at whole
#: pictures, and only a command puts files into the uploads bucket, where functions write nothing, and queries the
#: table's indexes. An inventory without version ids is refused for a bucket that has, or had, versioning.
_DIFFERENT = {"get_bucket_versioning", "get_object", "head_object", "put_object", "query"}


def calls(room: str) -> Counter[str]:
    """How often the modules of a room make each call of a client, or have it made page by page."""
    found: Counter[str] = Counter()
    for path in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Attribute(attr="_client") | ast.Name(id="client"), attr=name),
                    args=arguments,
                ):
                    match name, arguments:
                        case "get_paginator", [ast.Constant(value=str(paged))]:
                            found[paged] += 1
                        case _:
                            found[name] += 1
    return found


def test_commands_make_no_call_of_their_own_that_functions_make() -> None:
    assert set(calls("cli")) & set(calls("aws")) == _DIFFERENT


@pytest.mark.parametrize(
    "call",
    ["get_parameters", "get_item", "batch_get_item", "describe_execution", "list_executions", "list_objects_v2"],
)
def test_a_call_that_both_make_stands_once(call: str) -> None:
    assert calls("aws")[call] == 1
