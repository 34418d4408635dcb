"""Policies are checked when the stacks are synthesized, and shipped in one form only."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from demo.samples import sample_images
from gatehouse.configuration.policies import PolicyCatalog, compile_policies, compile_policy, find_mistakes, find_notes
from gatehouse.configuration.settings_section import SettingsError
from gatehouse.moderation.analysis import Analysis, parse_answer
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.rule import CONTENT_TYPES
from gatehouse.moderation.status import Status
from localcloud.rekognition.analysis import answer
from localcloud.rekognition.images import MOST_BYTES_OF_AN_OBJECT, open_image
from localcloud.rekognition.planted_labels import find

ROOT = Path(__file__).resolve().parents[3]

HEAD = """\
# a comment
name: strict
version: "1"
default: {review: 60}
"""
POLICY = (
    HEAD
    + """\
rules:
  Violence: {review: 10, block: 50}
"""
)

SHIPPED = compile_policies(ROOT / "policies").policies
SAMPLES = {sample.key: sample.body for sample in sample_images()}
EXAMPLE = "illustrated-explosion.jpg"


def compile_one(tmp_path: Path, text: str, name: str = "strict") -> PolicyCatalog:
    (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return compile_policies(tmp_path)


def message(tmp_path: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        compile_one(tmp_path, text)
    return str(caught.value).removeprefix(str(tmp_path) + "/")


def message_about(tmp_path: Path, rules: str) -> str:
    """What is said of rules that begin on line 6."""
    indented = "".join(f"  {line}\n" for line in rules.strip("\n").splitlines())
    return message(tmp_path, f"{HEAD}rules:\n{indented}").removeprefix("strict.yaml:")


def sample(key: str) -> Analysis:
    """What Rekognition answers for a sample when it is asked for 30, as lanes do."""
    return parse_answer(answer(find(open_image(SAMPLES[key], MOST_BYTES_OF_AN_OBJECT)), 30.0, None))


def test_a_compiled_policy_is_the_policy_that_was_written(tmp_path: Path) -> None:
    catalog = compile_one(tmp_path, POLICY)

    shipped = Policy.from_document(json.loads(catalog.files(["strict"])["strict.json"]))

    assert shipped == catalog.policies["strict"]
    assert shipped.rules["Violence"].thresholds.block == 50


def test_comments_and_order_do_not_change_what_is_shipped(tmp_path: Path) -> None:
    written = compile_one(tmp_path, POLICY).files(["strict"])
    first, *rest = POLICY.removeprefix("# a comment\n").splitlines(keepends=True)

    assert compile_one(tmp_path, "".join([*rest, first])).files(["strict"]) == written


def test_only_the_policies_in_use_are_shipped(tmp_path: Path) -> None:
    compile_one(tmp_path, POLICY)
    catalog = compile_one(tmp_path, POLICY.replace("strict", "lax"), "lax")

    assert set(catalog.policies) == {"lax", "strict"}
    assert set(catalog.files(["lax"])) == {"lax.json"}


def test_a_policy_compiles_by_itself_whatever_its_file_is_called(tmp_path: Path) -> None:
    catalog = compile_one(tmp_path, POLICY)
    draft, compiled = tmp_path / "draft", tmp_path / "recorded.json"
    draft.write_text(POLICY, encoding="utf-8")
    compiled.write_text(catalog.files(["strict"])["strict.json"], encoding="utf-8")

    assert compile_policy(draft) == compile_policy(compiled) == catalog.policies["strict"]


def test_a_policy_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"none\.yaml: can't be read: No such file or directory; give the path of a policy"
    ):
        compile_policy(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ((), 2),
        (("default", "review"), 4),
        (("rules", "Violence"), 6),
        (("rules", "Violence", "block"), 8),
        (("rules", "Violence", "when", 1, "then", "review"), 13),
        (("rules", "Violence", "when", 0, "then"), 10),
        (("rules", "Violence", "when", 2), 9),
        (("rules", "Weapons", "review"), 5),
        (("color",), 2),
    ],
)
def test_a_place_in_a_policy_has_the_line_of_its_deepest_key_in_the_file(
    tmp_path: Path, place: tuple[str | int, ...], line: int
) -> None:
    catalog = compile_one(
        tmp_path,
        HEAD
        + """\
rules:
  Violence:
    review: 10
    block: 50
    when:
      - {content_types: {Animated: 80}, then: allow}
      - content_types: {Illustrated: 80}
        then:
          review: 40
""",
    )

    assert catalog.line_of("strict", place) == line


MISTAKES = {
    POLICY + "name: again": "7: name is a duplicate of line 2; keep one of them",
    POLICY.replace("strict", "lax"): "2: name: 'lax' is not the file name; write name: strict, or rename the file",
    "rules: [": "1: not YAML: expected the node content, but found '<stream end>'",
    "": "1: the policy is not a mapping; write name, version, default and rules",
    "# nothing\n\n- allow": "3: the policy is not a mapping; write name, version, default and rules",
    HEAD
    + "color: red": "5: color: unknown key; the keys are schema, name, version, description, unseen_frames, default, "
    "rules",
    HEAD.replace(
        "default: {review: 60}\n", ""
    ): '2: default: missing; say what happens to labels without a rule, as in "default: {review: 60}"',
    HEAD.replace("{review: 60}", "60"): '4: default: not a rule; write "allow", or thresholds such as '
    "{review: 50, block: 80}",
    HEAD
    + "rules: [Violence]": "5: rules: not a mapping of labels to rules; write, for example, Violence: {review: 60}",
    HEAD.replace('"1"', "1"): "3: version: 1 is not one line of text up to 64 characters; write, for example, "
    'version: "1" (YAML reads it as a number or a date; put it in quotes)',
    HEAD.replace('"1"', "yes"): "3: version: True is not one line of text up to 64 characters; write, for example, "
    'version: "1" (YAML reads yes, no, on and off as true and false)',
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    assert message(tmp_path, text) == f"strict.yaml:{MISTAKES[text]}"


NOT_A_RULE = 'not a rule; write "allow", or thresholds such as {review: 50, block: 80}'
TRUTHS = "(YAML reads yes, no, on and off as true and false)"

MISTAKEN_RULES = {
    "Violence: allow\nViolense: allow": "7: rules: Violense: 'Violense' is not a label of taxonomy 7.0; did you mean "
    "'Violence'?",
    "VIOLENCE: allow": "6: rules: VIOLENCE: 'VIOLENCE' is not a label of taxonomy 7.0; did you mean 'Violence'?",
    "Zebra: allow": "6: rules: Zebra: 'Zebra' is not a label of taxonomy 7.0; docs/policies.md lists all of them",
    "Nudity: allow": "6: rules: Nudity: 'Nudity' is a label of model 6.1; in taxonomy 7.0 write "
    "'Exposed Female Nipple' and 'Exposed Buttocks or Anus'",
    "Violence:\n  review: 10\nViolence:\n  block: 50": "8: Violence is a duplicate of line 6; keep one of them",
    "Violence:\n  review: 10\n  review: 20": "8: review is a duplicate of line 7; keep one of them",
    "Violence: off": f"6: rules: Violence: {NOT_A_RULE} {TRUTHS}",
    "Violence: ALLOW": f"6: rules: Violence: {NOT_A_RULE} (write allow in lowercase)",
    "Violence: {}": f"6: rules: Violence: {NOT_A_RULE}",
    'Violence: "80"': f"6: rules: Violence: {NOT_A_RULE}",
    "no: allow": "6: the key False is not text; put it in quotes",
    "Violence:\n  allow: true": '7: rules: Violence: allow: nothing refines it; write "Violence: allow"',
    "Violence:\n  reveiw: 50": "7: rules: Violence: reveiw: unknown key; did you mean review?",
    "Violence:\n  review: 90\n  block: 80": "7: rules: Violence: review: never fires: at 90 and above, block at 80 "
    "does; lower review or drop it",
    "Violence:\n  review: 80\n  block: 80": "7: rules: Violence: review: never fires: at 80 and above, block at 80 "
    "does; lower review or drop it",
}

MISTAKEN_CONFIDENCES = {
    "101": "101 is not a confidence; write a plain number from 0 to 100",
    "-0.5": "-0.5 is not a confidence; write a plain number from 0 to 100",
    ".nan": "nan is not a confidence; write a plain number from 0 to 100",
    "on": f"True is not a confidence; write a plain number from 0 to 100 {TRUTHS}",
    '"80"': "'80' is not a confidence; write a plain number from 0 to 100 (write 80)",
    "80%": "'80%' is not a confidence; write a plain number from 0 to 100 (write 80)",
    "8o": "'8o' is not a confidence; write a plain number from 0 to 100",
    "[80]": "[80] is not a confidence; write a plain number from 0 to 100",
}


@pytest.mark.parametrize("text", ['"1"', "1", "0.5", "true", "allow", "block", "2026-11-22", "~", "[]", "[1]", "{}"])
def test_a_file_that_holds_one_value_and_no_policy_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    problem = message(tmp_path, text)

    assert problem.startswith("strict.yaml:1: ")
    assert "\n" not in problem


@pytest.mark.parametrize("rules", MISTAKEN_RULES)
def test_a_mistaken_rule_is_told_with_its_line_and_a_fix(tmp_path: Path, rules: str) -> None:
    assert message_about(tmp_path, rules) == MISTAKEN_RULES[rules]


@pytest.mark.parametrize("confidence", MISTAKEN_CONFIDENCES)
def test_what_is_no_confidence_is_told_wherever_it_stands(tmp_path: Path, confidence: str) -> None:
    problem = MISTAKEN_CONFIDENCES[confidence]

    assert message_about(tmp_path, f"Violence:\n  block: {confidence}") == f"7: rules: Violence: block: {problem}"
    refined = "Violence:\n  block: 90\n  when:\n    - content_types: {Animated: 80}\n      then:\n        review: "
    assert message_about(tmp_path, f"{refined}{confidence}") == f"11: rules: Violence: when: 1: then: review: {problem}"
    kind = f"Violence:\n  block: 90\n  when:\n    - then: allow\n      content_types:\n        Animated: {confidence}"
    assert message_about(tmp_path, kind) == f"11: rules: Violence: when: 1: content_types: Animated: {problem}"


@pytest.mark.parametrize(("written", "read"), [("060", 48), ("1:20", 80), ("-010", -8), ("1:20.5", 80.5)])
def test_a_number_that_yaml_reads_otherwise_than_people_is_refused(tmp_path: Path, written: str, read: float) -> None:
    told = message_about(tmp_path, f"Violence: {{review: {written}}}")

    assert told == f"6: {written} would be read as {read}; write a plain number, or put it in quotes"


#: The refinements begin on line 9; what is said of them begins with `rules: Violence: when: `.
MISTAKEN_REFINEMENTS = {
    "- then: allow": (9, "1: content_types: missing; write {content_types: {Illustrated: 70}, then: allow}"),
    "- content_types: {Animated: 70}": (9, "1: then: missing; write {content_types: {Illustrated: 70}, then: allow}"),
    "- content_types: {}\n  then: allow": (
        9,
        (
            "1: content_types: not a mapping of content types to confidences; write, for example, "
            "{Illustrated: 70, Animated: 70}"
        ),
    ),
    "- content_types:\n    illustrated: 70\n  then: allow": (
        10,
        "1: content_types: illustrated: not a content type that Rekognition's guide names; did you mean Illustrated?",
    ),
    "- content_types: {Animated: 70}\n  then: {review: 95, block: 90}": (
        10,
        "1: then: review: never fires: at 95 and above, block at 90 does; lower review or drop it",
    ),
    "- content_types: {Animated: 70, Illustrated: 70}\n  then: allow\n"
    "- content_types: {Illustrated: 70}\n  then: {block: 99}": (
        11,
        "2: never reached: number 1 holds wherever it would; put it first or drop it",
    ),
}


@pytest.mark.parametrize("refinements", MISTAKEN_REFINEMENTS)
def test_a_mistaken_refinement_is_told_with_its_line_and_a_fix(tmp_path: Path, refinements: str) -> None:
    indented = "".join(f"    {line}\n" for line in refinements.splitlines())
    line, problem = MISTAKEN_REFINEMENTS[refinements]

    told = message_about(tmp_path, f"Violence:\n  review: 80\n  when:\n{indented}")

    assert told == f"{line}: rules: Violence: when: {problem}"


def test_three_policies_are_shipped_and_standard_is_the_one_a_lane_has_unless_it_says_otherwise() -> None:
    assert set(SHIPPED) == {"strict", "standard", "permissive"}
    assert Lane(name="default").policy == "standard"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_policy_begins_with_whom_it_suits(name: str) -> None:
    first = (ROOT / "policies" / f"{name}.yaml").read_text("utf-8").splitlines()[0]

    assert first.startswith("# For ")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_policy_judges_nothing_that_lanes_do_not_ask_for(name: str) -> None:
    assert SHIPPED[name].lowest_threshold >= Lane(name="default").min_confidence


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_rules_on_level_3_only_take_concepts_out(name: str) -> None:
    """As Amazon's guide advises: moderate on levels 1 and 2, remove concepts on level 3 (moderation-api.html)."""
    policy = SHIPPED[name]
    kinds: list[Mapping[str, float]] = [{}, *({kind: 100.0} for kind in CONTENT_TYPES)]
    exemptions = [label for label in policy.rules if taxonomy.level(label) == 3]

    for label in exemptions:
        above = next((policy.rules[name] for name in taxonomy.ancestors(label) if name in policy.rules), policy.default)
        for kind in kinds:
            here, there = policy.rules[label].thresholds_for(kind)[0], above.thresholds_for(kind)[0]
            for confidence in range(101):
                assert here.severity(confidence) <= there.severity(confidence), (label, kind)
    assert exemptions


def test_of_the_shipped_policies_each_is_milder_than_the_one_before_on_every_label_alone() -> None:
    severity = {Status.APPROVED: 0, Status.REVIEW: 1, Status.BLOCKED: 2}
    content_types: list[list[dict[str, Any]]] = [[], *([{"Name": kind, "Confidence": 100}] for kind in CONTENT_TYPES)]
    for label in taxonomy.PARENTS:
        for confidence in range(30, 101):
            for kinds in content_types:
                labels = [
                    {"Name": name, "ParentName": taxonomy.PARENTS[name], "Confidence": confidence}
                    for name in (label, *taxonomy.ancestors(label))
                ]
                analysis = parse_answer({"ModerationLabels": labels, "ContentTypes": kinds})
                strict, standard, permissive = (
                    severity[SHIPPED[name].judge(analysis).status] for name in ("strict", "standard", "permissive")
                )
                assert strict >= standard >= permissive, (label, confidence, kinds)


def test_the_standard_policy_judges_the_samples_as_the_demo_shows_them() -> None:
    pictures = [key for key, body in SAMPLES.items() if body.startswith((b"\xff\xd8", b"\x89PNG"))]

    assert {key: SHIPPED["standard"].judge(sample(key)).status for key in pictures} == {
        "sunset.jpg": Status.APPROVED,
        EXAMPLE: Status.REVIEW,
        "beach-umbrella.jpg": Status.REVIEW,
        "wine-still-life.jpg": Status.APPROVED,
        "cigarette.png": Status.REVIEW,
        "gray-card.png": Status.BLOCKED,
        "party/50% off + 🎉 for you.png": Status.APPROVED,
    }


def test_a_photograph_of_what_the_published_example_draws_is_judged_more_strictly() -> None:
    drawing = sample(EXAMPLE)
    photograph = Analysis(drawing.labels)
    (drawn,) = SHIPPED["standard"].judge(drawing).reasons
    (photographed,) = SHIPPED["standard"].judge(photograph).reasons

    assert (drawn.label, drawn.threshold, drawn.content_type) == ("Explosions and Blasts", 90, "Illustrated")
    assert (photographed.label, photographed.threshold, photographed.content_type) == (drawn.label, 80, None)


def test_all_mistakes_of_a_file_are_found_in_the_order_of_its_lines(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        "name: Bad Name\nversion: 1\ncolor: red\nrules:\n  Violense: {review: 50}\n"
        "  Violence: {review: 90, block: 80}\n  Nudity: allow\n  Gambling: {review: 50, block: 40}\n",
        "utf-8",
    )

    found = [str(mistake).removeprefix(f"{tmp_path}/p.yaml:") for mistake in find_mistakes(tmp_path / "p.yaml")]

    assert [mistake[:24] for mistake in found] == [
        "1: name: 'Bad Name' is n",
        "1: default: missing; say",
        "2: version: 1 is not one",
        "3: color: unknown key; t",
        "5: rules: Violense: 'Vio",
        "6: rules: Violence: revi",
        "7: rules: Nudity: 'Nudit",
        "8: rules: Gambling: revi",
    ]


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        (POLICY, 0),
        ("", 1),
        ("[1, 2]", 1),
        ("rules: [", 1),
        ("{}", 3),
        ("name: p\nversion: '1'\ndefault: allow\nrules: {Violense: allow, Violence: {block: 101}}", 2),
        ("name: p\nversion: '1'\ndefault: {block: -1}\nschema: other\ndescription: [1]\nrules: [1]", 4),
    ],
)
def test_looking_for_mistakes_comes_to_an_end(tmp_path: Path, text: str, mistakes: int) -> None:
    (tmp_path / "p.yaml").write_text(text, "utf-8")

    assert len(find_mistakes(tmp_path / "p.yaml")) == mistakes


def test_a_file_that_is_not_there_is_its_only_mistake(tmp_path: Path) -> None:
    assert len(find_mistakes(tmp_path / "p.yaml")) == 1


@pytest.mark.parametrize(
    ("rules", "notes"),
    [
        ({}, []),
        ({"Violence": {"block": 80}, "Weapons": {"block": 81}}, []),
        ({"Violence": {"block": 80}, "Self-Harm": {"block": 80}}, ["Self-Harm: the same as the rule for Violence"]),
        (
            {"Violence": {"block": 80, "when": [{"content_types": {"Animated": 9}, "then": {"block": 80}}]}},
            ["Violence: the last refinement is the same as the rule itself"],
        ),
        ({"Explicit Nudity": {"block": 80}}, ["Explicit Nudity: in model 6.1 this was the whole category"]),
        ({"Explicit Nudity": {"block": 80}, "Explicit": {"block": 90}}, []),
    ],
)
def test_what_changes_nothing_or_once_meant_more_is_noted(rules: dict[str, Any], notes: list[str]) -> None:
    policy = Policy.from_document({"name": "p", "version": "1", "default": {"review": 60}, "rules": rules})

    assert [note[: len(start)] for note, start in zip(find_notes(policy), notes, strict=True)] == notes


@pytest.mark.parametrize("name", ["strict", "standard", "permissive"])
def test_there_is_nothing_to_note_about_a_shipped_policy(name: str) -> None:
    assert find_notes(compile_policy(ROOT / "policies" / f"{name}.yaml")) == ()


@pytest.mark.parametrize("named", ["strict", "strict.yaml", "policies/strict.yml"])
def test_a_name_where_a_file_is_needed_is_told_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "strict.yaml").write_text("name: strict", "utf-8")

    with pytest.raises(SettingsError, match=r"can't be read: .*; did you mean policies/strict\.yaml\?$"):
        compile_policy(Path(named))


@pytest.mark.parametrize("name", ["name: other", "name: Bad Name", "name: 5", "description: nameless"])
def test_a_name_is_held_against_the_files_where_it_is_deployed_unless_it_is_none(tmp_path: Path, name: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(f"version: '1'\n{name}\ndefault: forbid\n", "utf-8")

    deployed, alone = find_mistakes(file, as_deployed=True), find_mistakes(file)

    differs = f"{file}:2: name: 'other' is not the file name; write name: p, or rename the file"
    expected = [differs] if name == "name: other" else []
    assert [told for told in map(str, deployed) if told not in map(str, alone)] == expected
    assert any("default" in str(told) for told in deployed)
