"""Policies are checked when the stacks are synthesized, and shipped in one form only."""

import json
from pathlib import Path

import pytest

from lambdas.moderation.policy import Policy
from stacks.policies import PolicyCatalog, compile_policies
from stacks.settings_section import SettingsError

ROOT = Path(__file__).resolve().parents[2]

POLICY = """\
# a comment
name: strict
version: "1"
default: {review: 60}
rules:
  Violence: {review: 10, block: 50}
"""


def compile_one(tmp_path: Path, text: str, name: str = "strict") -> PolicyCatalog:
    (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return compile_policies(tmp_path)


def message(tmp_path: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        compile_one(tmp_path, text)
    return str(caught.value).removeprefix(str(tmp_path) + "/")


def test_the_shipped_policies_compile() -> None:
    catalog = compile_policies(ROOT / "policies")

    assert {path.stem for path in (ROOT / "policies").glob("*.yaml")} == set(catalog.policies) >= {"default"}


def test_a_compiled_policy_is_the_policy_that_was_written(tmp_path: Path) -> None:
    catalog = compile_one(tmp_path, POLICY)

    shipped = Policy.from_document(json.loads(catalog.files()["strict.json"]))

    assert shipped == catalog.policies["strict"]
    assert shipped.rules["Violence"].block == 50


def test_comments_and_order_do_not_change_what_is_shipped(tmp_path: Path) -> None:
    written = compile_one(tmp_path, POLICY)
    first, *rest = POLICY.removeprefix("# a comment\n").splitlines(keepends=True)
    reordered = compile_one(tmp_path, "".join([*rest, first]))

    assert (written.files(), written.pointer()) == (reordered.files(), reordered.pointer())


def test_the_pointer_names_version_and_hash_of_each_policy(tmp_path: Path) -> None:
    catalog = compile_one(tmp_path, POLICY)

    assert json.loads(catalog.pointer()) == {"strict": {"version": "1", "hash": catalog.policies["strict"].hash}}


MISTAKES = {
    POLICY + "name: again": "strict.yaml:7: name is given twice, first on line 2; keep one of them",
    POLICY.replace("strict", "lax"): "strict.yaml:2: name: 'lax' differs from the file's; write name: strict",
    "rules: [": "strict.yaml:1: not YAML: expected the node content, but found '<stream end>'",
    "": "strict.yaml:1: the policy: not a mapping of names to values",
    POLICY.replace("Violence", "Violense"): "strict.yaml:2: rules: 'Violense' is not a label of taxonomy 7.0; did you "
    "mean 'Violence'?",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    assert message(tmp_path, text) == MISTAKES[text]


def test_more_policies_than_a_parameter_can_point_to_are_refused(tmp_path: Path) -> None:
    for number in range(45):
        (tmp_path / f"p{number}.yaml").write_text(POLICY.replace("strict", f"p{number}"), encoding="utf-8")

    with pytest.raises(SettingsError, match=r"45 policies take .* of a parameter of 4096; drop unused ones"):
        compile_policies(tmp_path)
