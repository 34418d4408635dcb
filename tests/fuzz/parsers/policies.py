"""Policies: files that people write, documents that batches carry, and the pointers between them."""

import json
from functools import cache
from itertools import product
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from gatehouse.cli.policy.policy_source import read_policy_file
from gatehouse.configuration.policies import compile_policy, find_mistakes, find_notes
from gatehouse.configuration.settings_section import SettingsError
from gatehouse.moderation.analysis import Analysis, Label
from gatehouse.moderation.batch import read_terms
from gatehouse.moderation.policy.policy import Policy, PolicyError
from gatehouse.moderation.policy.policy_pointer import PolicyPointer, PolicyPointerError, read_recorded_policy
from tests.fuzz.mutation import encoded, mutated_document, mutated_json, mutated_text, written
from tests.fuzz.parser import Case, Parser
from tests.unit.builders import a_batch, a_claim, a_policy, an_analysis, content_types

_TEXT = """\
# What nobody wants to see.
name: small
version: "1"
description: For tests.
default: {review: 60}
rules:
  Explicit:
    review: 45
    block: 80
    when:
      - content_types: {Animated: 70, Illustrated: 70}
        then: {review: 50}
  Violence: {review: 80, block: 95}
  Weapons: allow
  Alcohol: {allow: true, when: [{content_types: {Animated: 5}, then: {block: 60.5}}]}
"""
_DOCUMENT: dict[str, Any] = yaml.safe_load(_TEXT)
_WORDS = (
    *("name", "version", "schema", "default", "rules", "description", "allow", "review", "block", "when", "then"),
    *("content_types", "Animated", "Illustrated", "Illustratd", "Explicit", "Explicit Nudity", "Violence", "Corpses"),
    *(
        "Nudity",
        "gatehouse.policy/1",
        {"review": 50},
        {"block": 100},
        {"review": 90, "block": 20},
        {"allow": True},
        0,
        60.5,
    ),
)
_YAML_TOKENS = (
    *(
        "!!int ''",
        "!!float ''",
        "!!bool x",
        "!!timestamp x",
        "!!binary x",
        "!!python/object:os.system x",
        "0o17",
        "017",
    ),
    *(
        "0x" + "f" * 4000,
        "0" + "7" * 5000,
        "0b1",
        "1:20",
        "1_000",
        "&a [*a]",
        "*a",
        "&a {}",
        "<<",
        "!!set {a}",
        ".nan",
        ".inf",
    ),
    *(
        '"\\ud800"',
        '"\\0"',
        '"\\x85"',
        "2026-11-22",
        "? [a, b]",
        "? {a: b}\n: c",
        "null",
        "~",
        "yes",
        "!!null x",
        "=",
        "!x y",
    ),
)

_SURE = (0.0, 4.9, 30.0, 45.0, 50.0, 60.5, 79.9, 80.0, 95.0, 100.0)
_ANALYSES: tuple[Analysis, ...] = (
    *(an_analysis({name: sure}) for name, sure in product(("Explicit", "Weapons", "Alcohol", "Gambling"), _SURE)),
    an_analysis(
        {"Explicit": 90.0, "Explicit Nudity": 89.5}, content_types=content_types({"Animated": 71.0, "Odd": 3.0})
    ),
    an_analysis({"Violence": 96.0, "Weapons": 96.0, "Graphic Violence": 95.5}),
    Analysis((Label("Odd", "Odder", 60.0), Label("Odder", "Odd", 55.0), Label("Odd", "Violence", 60.0))),
)


@cache
def _folder() -> "TemporaryDirectory[str]":
    return TemporaryDirectory(prefix="gatehouse-fuzz-")  # goes with the process


def file_with(case: Case, name: str) -> Path:
    """A file of these contents; the next case overwrites it."""
    path = Path(_folder().name) / name
    path.write_bytes(case if isinstance(case, bytes) else case.encode("utf-8", "surrogatepass"))
    return path


def mutated_yaml(random: Random, text: str) -> bytes:
    """A YAML file with values replaced by YAML's oddities, and characters changed."""
    for _ in range(random.randint(0, 2)):
        lines = text.split("\n")
        n = random.randrange(len(lines))
        key, colon, value = lines[n].partition(": ")
        token = random.choice(_YAML_TOKENS)
        if colon and random.random() < 0.7:
            lines[n] = f"{key}: {token}" if random.random() < 0.7 else f"{token}: {value}"
        else:
            lines.insert(n, random.choice((token, lines[n], f"  - {token}", f"x: {token}")))
        text = "\n".join(lines)
    return encoded(random, mutated_text(random, text) if random.random() < 0.6 else text)


def bomb(random: Random) -> str:
    """A few lines of aliases that stand for thousands or billions of values."""
    width, depth = random.choice((2, 5, 9)), random.randint(2, 12)
    values = ["&a0 [x, x]"] + [f"&a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, depth)]
    return "".join(f"k{n}: {value}\n" for n, value in enumerate(values))


def _draw_file(random: Random) -> Case:
    chance = random.random()
    if chance < 0.01:
        return (_TEXT + bomb(random)).encode()
    if chance < 0.5:
        return mutated_yaml(random, _TEXT)
    if chance < 0.75:
        document = mutated_document(random, _DOCUMENT, _WORDS)
        return encoded(random, written(random, document))
    return _TEXT[: random.randint(0, len(_TEXT))].encode()


def _check_file(case: Case) -> bool:
    path = file_with(case, "small.yaml")
    mistakes = find_mistakes(path)
    assert all(str(mistake).startswith(str(path)) for mistake in mistakes)
    assert all(len(str(mistake).splitlines()) == 1 for mistake in mistakes), "an error of more than one line"
    try:
        policy = compile_policy(path)
    except SettingsError as error:
        assert mistakes, f"{error} is no mistake"
        return False
    assert not mistakes
    _assert_usable(policy)
    find_notes(policy)
    _assert_says(policy, case)
    return True


def _assert_usable(policy: Policy) -> None:
    """It judges anything, survives every way it is stored, and does so unchanged."""
    for analysis in _ANALYSES:
        decision = policy.judge(analysis)
        assert bool(decision.reasons) is (decision.status.value != "APPROVED")
    assert Policy.from_document(json.loads(policy.to_text())) == policy
    assert read_recorded_policy(policy.to_text().encode(), policy.hash) == policy
    terms = read_terms(a_batch([a_claim()], policy=policy).terms().encode())
    assert terms.policy_for("cat.jpg") == policy


def _assert_says(policy: Policy, text: Case) -> None:
    """Where the text is JSON beyond doubt: every rule and threshold of it is the policy's, and no others are."""
    try:
        document = json.loads(text, object_pairs_hook=_strictly)
    except (ValueError, RecursionError):
        return
    rules = {"default": policy.default, **policy.rules}
    said = {"default": document["default"], **document.get("rules", {})}
    assert rules.keys() == said.keys()
    for name, rule in rules.items():
        wanted = said[name] if isinstance(said[name], dict) else {}
        assert (rule.thresholds.review, rule.thresholds.block) == (wanted.get("review"), wanted.get("block"))
        assert len(rule.when) == len(wanted.get("when", []))


def _strictly(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a member twice")
    return dict(pairs)


def _draw_document(random: Random) -> Case:
    return mutated_json(random, _DOCUMENT, _WORDS, torn=0.1)


def _check_document(case: Case) -> bool:
    try:
        document = json.loads(case)
    except (ValueError, RecursionError):
        return False
    try:
        policy = Policy.from_document(document)
    except PolicyError as error:
        assert error.problem
        return False
    _assert_usable(policy)
    _assert_says(policy, case)
    return True


def _draw_recorded(random: Random) -> Case:
    text = a_policy().to_text()
    if random.random() < 0.3:
        return text[: random.randint(0, len(text))].encode()
    return encoded(random, mutated_json(random, json.loads(text), _WORDS))


def _check_recorded(case: Case) -> bool:
    expected = a_policy()
    try:
        policy = read_recorded_policy(case, expected.hash)
    except PolicyPointerError:
        return False
    assert policy == expected, "another policy passes for the recorded one"
    return True


_POINTER: dict[str, Any] = json.loads(
    PolicyPointer.to_shipped(a_policy()).moved_to(a_policy(default={"review": 7})).to_text()
)


def _draw_pointer(random: Random) -> Case:
    return mutated_json(random, _POINTER, (*_POINTER, "a" * 64, "A" * 64))


def _check_pointer(case: Case) -> bool:
    assert isinstance(case, str)
    try:
        pointer = PolicyPointer.from_text(case)
    except PolicyPointerError:
        return False
    assert PolicyPointer.from_text(pointer.to_text()) == pointer
    for text in (pointer.name, pointer.version, pointer.hash, pointer.shipped.hash):
        assert text.encode()
    return True


def _draw_source(random: Random) -> Case:
    text = mutated_text(
        random, random.choice(("policies/standard.yaml", "standard", "./x.json", "decade", "/", ".yml"))
    )
    if random.random() < 0.2:
        text += random.choice(("x" * 300, "/x" * 3000, "\udc80", "😀" * 90, "/..")) + random.choice((".yaml", "", "/"))
    # What can stand on a command line: no NUL, and half characters only for bytes that are not UTF-8.
    return "".join(letter for letter in text if letter != "\0" and not "\ud800" <= letter < "\udc80")


def _check_source(case: Case) -> bool:
    assert isinstance(case, str)
    try:
        return read_policy_file(case) is not None
    except SettingsError as error:
        assert len(str(error).replace(str(Path(case)), "").splitlines()) == 1
        return False


PARSERS = (
    Parser("policies.compile_policy", _draw_file, _check_file, 2),
    Parser("policy.Policy.from_document", _draw_document, _check_document),
    Parser("policy_pointer.read_recorded_policy", _draw_recorded, _check_recorded),
    Parser("policy_pointer.PolicyPointer.from_text", _draw_pointer, _check_pointer),
    Parser("gatehouse.cli.policy.policy_source.read_policy_file", _draw_source, _check_source, 4),
)
