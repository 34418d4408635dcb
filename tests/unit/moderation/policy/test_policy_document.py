from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_document import PolicyError
from gatehouse.moderation.policy.rule import Refinement, Rule, Thresholds
from gatehouse.moderation.policy.taxonomy import PARENTS
from gatehouse.moderation.policy.taxonomy_6_1 import SUCCESSORS
from tests.unit.builders import POLICY_DOCUMENT
from tests.unit.moderation.test_upload import JSON

RULE_KEYS = "the keys are allow, review, block, when"
POLICY_KEYS = "the keys are schema, name, version, description, unseen_frames, default, rules"
CONFIDENCE = "is not a confidence; write a plain number from 0 to 100"
NOT_A_RULE = 'not a rule; write "allow", or thresholds such as {review: 50, block: 80}'
NOT_REFINEMENTS = "not a list of refinements; write, for example, - {content_types: {Illustrated: 70}, then: allow}"
NOT_CONTENT_TYPES = "not a mapping of content types to confidences; write, for example, {Illustrated: 70, Animated: 70}"
REFINEMENT = {"content_types": {"Illustrated": 70}, "then": "allow"}


def _refused(document: object) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        Policy.from_document(document)
    return caught.value


def _with(**change: Any) -> dict[str, Any]:
    return {**POLICY_DOCUMENT, **change}


def _ruled(rule: Any) -> dict[str, Any]:
    return _with(rules={"Violence": rule})


def _refined(*refinements: Any) -> dict[str, Any]:
    return _ruled({"block": 80, "when": list(refinements)})


def _by_kind(**content_types: Any) -> dict[str, Any]:
    return {"content_types": content_types, "then": "allow"}


@pytest.mark.parametrize("document", [None, [], "allow", 5])
def test_a_policy_is_a_mapping(document: object) -> None:
    error = _refused(document)

    assert error.path == ()
    assert str(error) == "the policy is not a mapping; write name, version, default and rules"


@pytest.mark.parametrize(
    ("change", "path", "problem"),
    [
        ({"color": "red"}, ("color",), f"unknown key; {POLICY_KEYS}"),
        ({"rule": {}}, ("rule",), "unknown key; did you mean rules?"),
        ({"Default": {}}, ("Default",), "unknown key; did you mean default?"),
        (
            {"schema": "gatehouse.policy/2"},
            ("schema",),
            "'gatehouse.policy/2' is not gatehouse.policy/1; use a policy written for this version of Gatehouse",
        ),
        (
            {"name": ""},
            ("name",),
            "'' is not one line of text up to 40 characters; write, for example, name: standard",
        ),
        (
            {"name": "a" * 41},
            ("name",),
            f"'{'a' * 41}' is not one line of text up to 40 characters; write, for example, name: standard",
        ),
        *(
            (
                {"name": name},
                ("name",),
                f"{name!r} is no policy's name; join words of small letters and digits, each from a letter on, by -",
            )
            for name in ("Standard", "my policy", "a--b", "-a", "a-", "1a", "ä")
        ),
        (
            {"version": 1},
            ("version",),
            '1 is not one line of text up to 64 characters; write, for example, version: "1"',
        ),
        (
            {"version": "1\n2"},
            ("version",),
            "'1\\n2' is not one line of text up to 64 characters; write, for example, version: \"1\"",
        ),
        (
            {"version": "1" * 65},
            ("version",),
            f'\'{"1" * 56}... is not one line of text up to 64 characters; write, for example, version: "1"',
        ),
        ({"description": None}, ("description",), "None is not text of up to 1024 characters"),
        ({"description": "d" * 1025}, ("description",), f"'{'d' * 56}... is not text of up to 1024 characters"),
        ({"rules": None}, ("rules",), "not a mapping of labels to rules; write, for example, Violence: {review: 60}"),
        (
            {"rules": ["Violence"]},
            ("rules",),
            "not a mapping of labels to rules; write, for example, Violence: {review: 60}",
        ),
        ({"default": "block"}, ("default",), NOT_A_RULE),
        (
            {"default": {"review": 90, "block": 80}},
            ("default", "review"),
            "never fires: at 90 and above, block at 80 does; lower review or drop it",
        ),
    ],
)
def test_a_mistake_in_a_policy_is_told_with_its_place(change: Any, path: tuple[Any, ...], problem: str) -> None:
    error = _refused(_with(**change))

    assert (error.path, error.problem) == (path, problem)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("name", "name: missing; write, for example, name: standard"),
        ("version", 'version: missing; write, for example, version: "1"'),
        ("default", 'default: missing; say what happens to labels without a rule, as in "default: {review: 60}"'),
    ],
)
def test_a_key_that_is_missing_is_told_with_an_example(key: str, sentence: str) -> None:
    error = _refused({name: value for name, value in POLICY_DOCUMENT.items() if name != key})

    assert error.path == ()
    assert str(error) == sentence


@pytest.mark.parametrize("key", [None, 1, True, 1.5])
def test_keys_are_text(key: Any) -> None:
    policy = _refused(dict(POLICY_DOCUMENT) | {key: "allow"})
    rule = _refused(_ruled({"review": 50} | {key: 80}))
    label = _refused(_with(rules={key: "allow"}))
    content_type = _refused(_refined({"content_types": {key: 70}, "then": "allow"}))

    assert str(policy) == f"{key!r} is a key but not text; {POLICY_KEYS}"
    assert str(rule) == f"rules: Violence: {key!r} is a key but not text; {RULE_KEYS}"
    assert str(label) == f"rules: {key!r} is not a label of taxonomy 7.0; put it in quotes"
    assert str(content_type) == (
        f"rules: Violence: when: 1: content_types: {key!r} is not the name of a content type; "
        "write, for example, Illustrated"
    )


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("Violense", "'Violense' is not a label of taxonomy 7.0; did you mean 'Violence'?"),
        ("violence", "'violence' is not a label of taxonomy 7.0; did you mean 'Violence'?"),
        ("SELF-HARM", "'SELF-HARM' is not a label of taxonomy 7.0; did you mean 'Self-Harm'?"),
        ("Blood and Gore", "'Blood and Gore' is not a label of taxonomy 7.0; did you mean 'Blood & Gore'?"),
        ("qqqq", "'qqqq' is not a label of taxonomy 7.0; docs/policies.md lists all of them"),
        ("", "'' is not a label of taxonomy 7.0; docs/policies.md lists all of them"),
        ("default", "'default' is not a label of taxonomy 7.0; docs/policies.md lists all of them"),
        ("Self Injury", "'Self Injury' is a label of model 6.1; in taxonomy 7.0 write 'Self-Harm'"),
        (
            "Explosions And Blasts",
            "'Explosions And Blasts' is a label of model 6.1; in taxonomy 7.0 write 'Explosions and Blasts'",
        ),
        (
            "Adult Toys",
            "'Adult Toys' is a label of model 6.1; in taxonomy 7.0 write 'Sex Toys'",
        ),
        (
            "Suggestive",
            (
                "'Suggestive' is a label of model 6.1; in taxonomy 7.0 write "
                "'Non-Explicit Nudity of Intimate parts and Kissing' and 'Swimwear or Underwear'"
            ),
        ),
        (
            "Illustrated Explicit Nudity",
            (
                "'Illustrated Explicit Nudity' is a label of model 6.1; in taxonomy 7.0 write 'Explicit Nudity' and "
                "'Explicit Sexual Activity', refined by the content types Animated and Illustrated"
            ),
        ),
    ],
)
def test_a_label_the_taxonomy_lacks_is_answered_with_the_one_that_was_meant(name: str, advice: str) -> None:
    error = _refused(_with(rules={"Alcohol": "allow", name: "allow"}))

    assert (error.path, error.problem) == (("rules", name), advice)


@pytest.mark.parametrize("name", sorted(SUCCESSORS.keys() - PARENTS.keys()))
def test_a_label_of_6_1_that_is_gone_is_answered_with_its_successors(name: str) -> None:
    problem = _refused(_with(rules={name: "allow"})).problem

    assert problem.startswith(f"{name!r} is a label of model 6.1; in taxonomy 7.0 write {SUCCESSORS[name][0]!r}")


@pytest.mark.parametrize(
    ("rule", "at", "problem"),
    [
        ("deny", (), NOT_A_RULE),
        ("Allow", (), NOT_A_RULE),
        ({}, (), NOT_A_RULE),
        (None, (), NOT_A_RULE),
        (True, (), NOT_A_RULE),
        (50, (), NOT_A_RULE),
        ([], (), NOT_A_RULE),
        (
            {"when": [REFINEMENT]},
            (),
            "nothing holds where no refinement does; add thresholds such as review: 60, or allow: true",
        ),
        ({"reveiw": 5}, ("reveiw",), "unknown key; did you mean review?"),
        ({"Block": 5}, ("Block",), "unknown key; did you mean block?"),
        ({"deny": 5}, ("deny",), f"unknown key; {RULE_KEYS}"),
        (
            {"review": 90, "block": 80},
            ("review",),
            "never fires: at 90 and above, block at 80 does; lower review or drop it",
        ),
        (
            {"review": 80.5, "block": 80.5},
            ("review",),
            "never fires: at 80.5 and above, block at 80.5 does; lower review or drop it",
        ),
        ({"review": 101}, ("review",), f"101 {CONFIDENCE}"),
        ({"review": 100.1}, ("review",), f"100.1 {CONFIDENCE}"),
        ({"review": -1}, ("review",), f"-1 {CONFIDENCE}"),
        ({"block": True}, ("block",), f"True {CONFIDENCE}"),
        ({"block": None}, ("block",), f"None {CONFIDENCE}"),
        ({"block": "80"}, ("block",), f"'80' {CONFIDENCE}"),
        ({"block": float("nan")}, ("block",), f"nan {CONFIDENCE}"),
        ({"block": float("inf")}, ("block",), f"inf {CONFIDENCE}"),
        ({"allow": True}, ("allow",), 'nothing refines it; write "Violence: allow"'),
        *(
            (rule, ("allow",), "can only be true; leave it out and write thresholds such as review: 60")
            for rule in (
                {"allow": False, "when": [REFINEMENT]},
                {"allow": 1, "when": [REFINEMENT]},
                {"allow": "true"},
            )
        ),
        *(
            (rule, ("allow",), "contradicts the thresholds beside it; write one or the other")
            for rule in (
                {"allow": True, "review": 50},
                {"allow": True, "block": 50, "when": [REFINEMENT]},
            )
        ),
        ({"block": 80, "when": None}, ("when",), NOT_REFINEMENTS),
        ({"block": 80, "when": []}, ("when",), NOT_REFINEMENTS),
        ({"block": 80, "when": REFINEMENT}, ("when",), NOT_REFINEMENTS),
        ({"block": 80, "when": "allow"}, ("when",), NOT_REFINEMENTS),
        (
            {"block": 80, "when": [_by_kind(Animated=n) for n in range(11, 0, -1)]},
            ("when",),
            "11 refinements; keep to 10",
        ),
    ],
)
def test_a_mistake_in_a_rule_is_told_with_its_place(rule: Any, at: tuple[Any, ...], problem: str) -> None:
    error = _refused(_ruled(rule))

    assert (error.path, error.problem) == (("rules", "Violence", *at), problem)


def test_a_refined_default_that_only_allows_is_told_how_to_say_so() -> None:
    error = _refused(_with(default={"allow": True}))

    assert str(error) == 'default: allow: nothing refines it; write "default: allow"'


@pytest.mark.parametrize(
    ("refinement", "at", "problem"),
    [
        ("allow", (), "not a refinement; write content_types and then"),
        ({}, (), "content_types: missing; write {content_types: {Illustrated: 70}, then: allow}"),
        ({"then": "allow"}, (), "content_types: missing; write {content_types: {Illustrated: 70}, then: allow}"),
        (
            {"content_types": {"Illustrated": 70}},
            (),
            "then: missing; write {content_types: {Illustrated: 70}, then: allow}",
        ),
        ({**REFINEMENT, "content_type": 1}, ("content_type",), "unknown key; did you mean content_types?"),
        ({**REFINEMENT, "review": 1}, ("review",), "unknown key; the keys are content_types, then"),
        ({**REFINEMENT, "content_types": {}}, ("content_types",), NOT_CONTENT_TYPES),
        ({**REFINEMENT, "content_types": ["Illustrated"]}, ("content_types",), NOT_CONTENT_TYPES),
        ({**REFINEMENT, "content_types": "Illustrated"}, ("content_types",), NOT_CONTENT_TYPES),
        (_by_kind(Illustrated=101), ("content_types", "Illustrated"), f"101 {CONFIDENCE}"),
        (_by_kind(Illustrated=True), ("content_types", "Illustrated"), f"True {CONFIDENCE}"),
        *(
            (
                _by_kind(**{name: 70}),
                ("content_types", name),
                f"not a content type that Rekognition's guide names; did you mean {meant}?",
            )
            for name, meant in {
                "illustrated": "Illustrated",
                "Ilustrated": "Illustrated",
                "Animatd": "Animated",
            }.items()
        ),
        *(
            (
                _by_kind(**{name: 70}),
                ("content_types",),
                f"{shown} is not the name of a content type; write, for example, Illustrated",
            )
            for name, shown in {"": "''", "x" * 129: f"'{'x' * 56}..."}.items()
        ),
        ({**REFINEMENT, "then": {}}, ("then",), NOT_A_RULE),
        ({**REFINEMENT, "then": "deny"}, ("then",), NOT_A_RULE),
        ({**REFINEMENT, "then": {"when": []}}, ("then", "when"), "unknown key; the keys are review, block"),
        ({**REFINEMENT, "then": {"allow": True}}, ("then", "allow"), "is no key here; write then: allow"),
        ({**REFINEMENT, "then": {"review": -1}}, ("then", "review"), f"-1 {CONFIDENCE}"),
        (
            {**REFINEMENT, "then": {"review": 60, "block": 60}},
            ("then", "review"),
            "never fires: at 60 and above, block at 60 does; lower review or drop it",
        ),
    ],
)
def test_a_mistake_in_a_refinement_is_told_with_its_position(
    refinement: Any, at: tuple[Any, ...], problem: str
) -> None:
    error = _refused(_refined(_by_kind(Animated=99), refinement))

    assert (error.path, error.problem) == (("rules", "Violence", "when", 1, *at), problem)


def test_people_count_from_one() -> None:
    error = _refused(_refined(_by_kind(Animated=99), _by_kind(Animated=101)))

    assert str(error) == f"rules: Violence: when: 2: content_types: Animated: 101 {CONFIDENCE}"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"Animated": 70}, {"Animated": 70}),
        ({"Animated": 70}, {"Animated": 70.1}),
        ({"Animated": 70, "Illustrated": 70}, {"Illustrated": 80}),
        ({"Animated": 70, "Illustrated": 70}, {"Illustrated": 80, "Animated": 70}),
    ],
)
def test_a_refinement_that_an_earlier_one_shadows_is_refused(
    earlier: Mapping[str, float], later: Mapping[str, float]
) -> None:
    first = _by_kind(Cartoon=50)

    error = _refused(_refined(first, _by_kind(**earlier), {"content_types": later, "then": {"review": 1}}))

    assert error.path == ("rules", "Violence", "when", 2)
    assert error.problem == "never reached: number 2 holds wherever it would; put it first or drop it"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"Animated": 70}, {"Animated": 69.9}),
        ({"Animated": 70}, {"Illustrated": 70}),
        ({"Animated": 70}, {"Animated": 80, "Illustrated": 80}),
        ({"Animated": 70, "Illustrated": 70}, {"Animated": 90, "Illustrated": 60}),
    ],
)
def test_a_refinement_that_may_be_reached_is_accepted(earlier: Mapping[str, float], later: Mapping[str, float]) -> None:
    policy = Policy.from_document(_refined(_by_kind(**earlier), _by_kind(**later)))

    assert len(policy.rules["Violence"].when) == 2


@pytest.mark.parametrize("name", ["Cartoon", "Painted", "Animal", "Photographed", "x" * 128])
def test_a_content_type_of_tomorrow_is_accepted(name: str) -> None:
    (refinement,) = Policy.from_document(_refined(_by_kind(**{name: 70}))).rules["Violence"].when

    assert refinement.content_types == {name: 70.0}


def test_a_document_is_read_into_rules() -> None:
    policy = Policy.from_document(
        {
            "schema": "gatehouse.policy/1",
            "name": "a1-b",
            "version": "2026-11",
            "description": "What\nfor",
            "default": "allow",
            "rules": {
                "Violence": {"review": 0, "block": 100},
                "Weapons": {"allow": True, "when": [{"content_types": {"Animated": 70}, "then": {"block": 60}}]},
                "Alcohol": "allow",
            },
        }
    )

    refined = Refinement({"Animated": 70.0}, Thresholds(block=60.0))
    assert (policy.name, policy.version, policy.description) == ("a1-b", "2026-11", "What\nfor")
    assert policy.default == Rule("default")
    assert policy.rules == {
        "Violence": Rule("Violence", Thresholds(0.0, 100.0)),
        "Weapons": Rule("Weapons", Thresholds(), (refined,)),
        "Alcohol": Rule("Alcohol"),
    }


def test_description_rules_and_schema_may_be_left_out() -> None:
    policy = Policy.from_document({"name": "a" * 40, "version": "1" * 64, "default": {"review": 60}})

    assert (policy.rules, policy.description, policy.default) == ({}, "", Rule("default", Thresholds(review=60.0)))


def test_as_many_refinements_and_as_long_a_description_as_there_may_be_are_accepted() -> None:
    document = _refined(*(_by_kind(Animated=n) for n in range(10, 0, -1)))

    assert len(Policy.from_document({**document, "description": "d" * 1024}).rules["Violence"].when) == 10


def test_the_canonical_document_has_every_key_and_sorted_rules() -> None:
    when = [{"content_types": {"Illustrated": 70, "Animated": 60}, "then": {"block": 90}}]
    policy = Policy.from_document(
        _with(
            rules={
                "Weapons": {"allow": True, "when": when},
                "Violence": {"block": 80, "when": when},
                "Alcohol": "allow",
            }
        )
    )
    document = policy.to_document()

    assert document == {
        "schema": "gatehouse.policy/1",
        "name": "test",
        "version": "1",
        "description": "",
        "default": {"review": 60.0},
        "rules": {
            "Weapons": {"allow": True, "when": when},
            "Violence": {"block": 80.0, "when": when},
            "Alcohol": "allow",
        },
    }
    assert list(document["rules"]) == ["Alcohol", "Violence", "Weapons"]


@given(document=JSON | JSON.map(lambda value: _with(rules=value)) | JSON.map(_ruled) | JSON.map(_refined))
def test_anything_is_a_policy_or_a_policy_error(document: object) -> None:
    with suppress(PolicyError):
        assert Policy.from_document(document).to_document()["schema"] == "gatehouse.policy/1"


@given(
    keys=st.dictionaries(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(), st.just("allow"), min_size=1
    )
)
def test_whatever_yaml_makes_of_a_key_is_a_policy_error(keys: dict[Any, Any]) -> None:
    for document in (
        {**POLICY_DOCUMENT, **keys},
        _with(rules=keys),
        _ruled(keys),
        _refined(keys),
        _refined({**REFINEMENT, "content_types": keys}),
    ):
        assert str(_refused(document))


@pytest.mark.parametrize(
    "fields",
    [
        {"description": "half \ud800"},
        {"default": {"review": 1, "when": [{"content_types": {"\ud800": 1}, "then": "allow"}]}},
    ],
)
def test_text_that_no_batch_could_carry_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(PolicyError):
        Policy.from_document({"name": "p", "version": "1", "default": "allow"} | fields)
