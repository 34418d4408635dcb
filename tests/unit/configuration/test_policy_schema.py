"""The schema that editors read says the same as the parser, as far as a schema can."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gatehouse.configuration.policy_schema import policy_schema, schema_text
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.policy.policy import Policy, PolicyError
from gatehouse.moderation.policy.policy_document import (
    MAX_CONTENT_TYPE,
    MAX_DESCRIPTION,
    MAX_NAME,
    MAX_REFINEMENTS,
    MAX_VERSION,
    SCHEMA,
)

FOLDER = Path(__file__).resolve().parents[3] / "policies"
SCHEMA_FILE = FOLDER / "policy.schema.json"
VALIDATOR = Draft202012Validator(policy_schema())

#: How a refusal begins that no schema can make: it compares values with each other, or guesses what was meant.
BEYOND_A_SCHEMA = ("never fires", "never reached", "not a content type that Rekognition's guide names")

CONFIDENCES = st.one_of(st.integers(0, 100), st.floats(0, 100))
THRESHOLDS = st.one_of(
    st.just("allow"),
    st.fixed_dictionaries({"review": CONFIDENCES}),
    st.fixed_dictionaries({"block": CONFIDENCES}),
    st.tuples(st.integers(0, 100), st.integers(0, 100))
    .filter(lambda both: both[0] != both[1])
    .map(lambda both: {"review": min(both), "block": max(both)}),
)
KINDS = st.dictionaries(st.sampled_from(["Animated", "Illustrated", "Sports"]), CONFIDENCES, min_size=1)
REFINEMENTS = st.fixed_dictionaries({"content_types": KINDS, "then": THRESHOLDS})


def _refined(thresholds: Any, when: list[Any]) -> Any:
    if not when:
        return thresholds
    return {"when": when} | ({"allow": True} if thresholds == "allow" else thresholds)


RULES = st.builds(_refined, THRESHOLDS, st.lists(REFINEMENTS, max_size=3))
DOCUMENTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[a-z]{1,8}(-[0-9]{1,3})?", fullmatch=True),
        "version": st.sampled_from(["1", "2026-11", "a b"]),
        "default": RULES,
    },
    optional={
        "schema": st.just(SCHEMA),
        "description": st.text(max_size=20),
        "rules": st.dictionaries(st.sampled_from(list(taxonomy.PARENTS)), RULES, max_size=4),
    },
)
#: Values that do not belong just anywhere: right ones, nearly right ones and wrong ones.
STRAYS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 102),
    st.sampled_from(["", "allow", "Allow", "80", "80%", "Violence", "Standard", SCHEMA, "gatehouse.policy/2", "a\n"]),
    st.sampled_from([{"review": 50}, {"review": 101}, {"allow": True}, {"allow": True, "review": 5}, {"when": []}]),
    st.just([]),
    st.just({}),
    THRESHOLDS,
    REFINEMENTS,
    KINDS,
    st.lists(REFINEMENTS, max_size=2),
    REFINEMENTS.map(lambda refinement: {"allow": True, "when": [refinement]}),
    REFINEMENTS.map(lambda refinement: {"allow": False, "when": [refinement]}),
    REFINEMENTS.map(lambda refinement: {"when": [refinement]}),
)
STRAY_KEYS = st.sampled_from(
    [
        "schema",
        "name",
        "default",
        "rules",
        "review",
        "block",
        "when",
        "allow",
        "then",
        "content_types",
        "Violence",
        "x",
        "",
    ]
)


def _containers(value: Any) -> Iterator[Any]:
    """The mappings and lists in a document, itself included."""
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _containers(inner)


@st.composite
def _nearly_right(draw: st.DrawFn) -> dict[str, Any]:
    """A policy's document in which up to two values were dropped, put in or replaced."""
    document = deepcopy(draw(DOCUMENTS))
    for _ in range(draw(st.integers(0, 2))):
        within = draw(st.sampled_from(list(_containers(document))))
        places = list(within) if isinstance(within, dict) else list(range(len(within)))
        if isinstance(within, list) and not places:
            within.append(draw(STRAYS))
        elif draw(st.booleans()) and places:
            place = draw(st.sampled_from(places))
            if draw(st.booleans()):
                del within[place]
            else:
                within[place] = deepcopy(draw(STRAYS))
        elif isinstance(within, dict):
            within[draw(STRAY_KEYS)] = deepcopy(draw(STRAYS))
    return document


def _refusal(document: object) -> PolicyError | None:
    try:
        Policy.from_document(document)
    except PolicyError as error:
        return error
    return None


def _is_beyond_a_schema(error: PolicyError, document: dict[str, Any]) -> bool:
    if error.path in (("name",), ("version",)):
        return not document[error.path[0]].isprintable()
    return error.problem.startswith(BEYOND_A_SCHEMA)


@given(document=DOCUMENTS)
def test_what_the_parser_writes_the_schema_accepts(document: dict[str, Any]) -> None:
    if _refusal(document) is None:
        VALIDATOR.validate(Policy.from_document(document).to_document())


@settings(max_examples=1000)
@given(document=_nearly_right())
def test_what_the_parser_accepts_the_schema_accepts_and_the_other_way_round(document: dict[str, Any]) -> None:
    refusal = _refusal(document)

    if refusal is None:
        VALIDATOR.validate(document)
    elif VALIDATOR.is_valid(document):
        assert _is_beyond_a_schema(refusal, document), f"only the parser refuses it: {refusal}"


A_REFINEMENT = {"content_types": {"Animated": 70}, "then": "allow"}


def _with(change: dict[str, Any]) -> dict[str, Any]:
    return {"name": "p", "version": "1", "default": "allow"} | change


def _refinements(count: int) -> list[Any]:
    return [{"content_types": {f"Kind {n}": 50}, "then": "allow"} for n in range(count)]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "n" * MAX_NAME},
        {"name": "a-b1"},
        {"version": "v" * MAX_VERSION},
        {"description": ""},
        {"description": "d" * MAX_DESCRIPTION},
        {"default": {"review": 0, "block": 100}},
        {"default": {"review": 0.5}},
        {"default": {"review": 80, "when": _refinements(MAX_REFINEMENTS)}},
        {"default": {"allow": True, "when": _refinements(MAX_REFINEMENTS)}},
        {"default": {"block": 80, "when": [{"content_types": {"k" * MAX_CONTENT_TYPE: 0}, "then": {"block": 100}}]}},
    ],
)
def test_parser_and_schema_accept_all_up_to_the_bounds(change: dict[str, Any]) -> None:
    assert _refusal(_with(change)) is None
    VALIDATOR.validate(_with(change))


@pytest.mark.parametrize(
    "document",
    [
        ["name", "version", "default"],
        _with({"name": "n" * (MAX_NAME + 1)}),
        _with({"name": "1a"}),
        _with({"name": "a--b"}),
        _with({"name": "a b"}),
        _with({"version": ""}),
        _with({"version": "v" * (MAX_VERSION + 1)}),
        _with({"description": "d" * (MAX_DESCRIPTION + 1)}),
        _with({"description": 7}),
        _with({"default": {"review": -0.1}}),
        _with({"default": {"block": 100.1}}),
        _with({"default": {"review": 80, "when": []}}),
        _with({"default": {"review": 80, "when": _refinements(MAX_REFINEMENTS + 1)}}),
        _with({"default": {"allow": True, "when": []}}),
        _with({"default": {"allow": True, "when": _refinements(MAX_REFINEMENTS + 1)}}),
        _with({"default": {"allow": True, "review": 80, "when": [A_REFINEMENT]}}),
        _with({"default": {"allow": "yes", "when": [A_REFINEMENT]}}),
        _with({"default": {"when": [A_REFINEMENT]}}),
        _with({"rules": {"Violence": "deny"}}),
        *(
            _with({"default": {"block": 80, "when": [{"content_types": kinds, "then": "allow"}]}})
            for kinds in (
                {"Animated": 101},
                {"Illustrated": -1},
                {"Sports": "80"},
                {"": 80},
                {"k" * (MAX_CONTENT_TYPE + 1): 80},
                {},
                "Animated",
            )
        ),
    ],
)
def test_parser_and_schema_refuse_all_beyond_the_bounds(document: Any) -> None:
    assert _refusal(document) is not None
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    "rule",
    [
        {"review": 80, "block": 80},
        {"review": 80, "when": [{"content_types": {"Animated": 70}, "then": {"review": 9, "block": 8}}]},
        {"review": 80, "when": [A_REFINEMENT, A_REFINEMENT]},
        {"review": 80, "when": [{"content_types": {"animated": 70}, "then": "allow"}]},
    ],
)
def test_only_the_parser_compares_values_and_sees_misspelled_kinds(rule: object) -> None:
    document = _with({"default": rule})

    VALIDATOR.validate(document)
    refusal = _refusal(document)
    assert refusal is not None
    assert _is_beyond_a_schema(refusal, document)


def test_the_published_schema_is_current() -> None:
    renew = "run: .venv/bin/python -m gatehouse.configuration.policy_schema > policies/policy.schema.json"
    assert SCHEMA_FILE.read_text("utf-8") == schema_text(), renew


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json.loads(schema_text()))


def test_an_editor_shows_each_labels_level_and_parents() -> None:
    labels = policy_schema()["properties"]["rules"]["properties"]

    assert list(labels) == list(taxonomy.PARENTS)
    assert labels["Violence"]["description"] == "Level 1."
    assert labels["Blood & Gore"]["description"] == "Level 3, under Violence > Graphic Violence."


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_shipped_policy_names_the_schema_and_keeps_to_it(file: Path) -> None:
    text = file.read_text("utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("# yaml-language-server: $schema=")]

    assert (FOLDER / line.partition("=")[2]).resolve() == SCHEMA_FILE
    VALIDATOR.validate(yaml.safe_load(text))
