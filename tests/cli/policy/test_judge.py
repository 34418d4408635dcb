"""`policy judge`: an answer of Rekognition's, judged by a policy file, offline."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gatehouse.cli.__main__ import app
from tests.cli.conftest import STANDARD, Deployed, Run, policy_of
from tests.unit.builders import an_answer, result_line

REFINED = """\
name: standard
version: "2"
default: allow
rules:
  Graphic Violence:
    block: 80
    when:
      - content_types: {Illustrated: 70}
        then: {review: 80}
"""


@pytest.fixture
def files(here: Path) -> Path:
    """A policy, and an answer with a weapon at 92.6."""
    (here / "standard.yaml").write_text(STANDARD, encoding="utf-8")
    (here / "refined.yaml").write_text(REFINED, encoding="utf-8")
    answer = an_answer({"Violence": 92.6, "Weapons": 92.6, "Alcohol": 99.0})
    (here / "answer.json").write_text(json.dumps(answer), encoding="utf-8")
    return here


@pytest.mark.usefixtures("files")
def test_the_label_that_decides_is_told_with_its_rule_and_threshold(run: Run) -> None:
    result = run("judge", "./standard.yaml", "answer.json")

    assert result.stdout.startswith("BLOCKED under standard version 1 (")
    assert "Weapons 92.6 reaches block from 90, by the rule Violence" in result.stdout
    assert result.exit_code == 0


@pytest.mark.usefixtures("files")
def test_the_way_to_each_other_outcome_is_told(run: Run) -> None:
    result = run("judge", "./standard.yaml", "answer.json")

    assert "It would be REVIEW with Violence: block above 92.6 (now 90)." in result.stdout
    assert "It would be APPROVED with all of:" in result.stdout
    assert "  Violence: review above 92.6 (now 50)" in result.stdout


@pytest.mark.usefixtures("files")
def test_a_parent_that_comes_with_its_child_is_told_to_do_so(run: Run) -> None:
    result = run("judge", "./standard.yaml", "answer.json")

    violence = next(line for line in result.stdout.splitlines() if line.startswith("| Violence"))
    assert "comes with Weapons" in violence
    assert "fired" not in violence


def test_a_kind_of_image_that_chose_the_thresholds_is_told(run: Run, files: Path) -> None:
    answer = an_answer({"Violence": 92.6, "Graphic Violence": 92.6})
    answer["ContentTypes"] = [{"Name": "Illustrated", "Confidence": 93.9}]
    (files / "answer.json").write_text(json.dumps(answer), encoding="utf-8")

    result = run("judge", "refined.yaml", "answer.json")

    assert result.stdout.startswith("REVIEW under standard version 2 (")
    assert "Graphic Violence 92.6 reaches review from 80, by the rule Graphic Violence for Illustrated images" in (
        result.stdout
    )


@pytest.mark.usefixtures("files")
def test_a_result_line_is_judged_like_an_answer(run: Run, here: Path) -> None:
    (here / "line.json").write_text(result_line("s3://uploads/cat.jpg", {"Violence": 92.6}), encoding="utf-8")

    result = run("judge", "standard.yaml", "line.json", "--output", "json")

    assert json.loads(result.stdout)["status"] == "BLOCKED"


@pytest.mark.usefixtures("files")
def test_an_answer_may_come_from_a_pipe(run: Run) -> None:
    result = run("judge", "standard.yaml", "-", input=json.dumps(an_answer()))

    assert result.stdout.startswith("APPROVED under standard version 1 (")
    assert "Rekognition returned no labels." in result.stdout


@pytest.mark.usefixtures("files")
def test_scripts_get_one_document(run: Run) -> None:
    document = json.loads(run("judge", "standard.yaml", "answer.json", "--output", "json").stdout)

    assert document["policy"] == policy_of(STANDARD).reference.to_document()
    assert document["status"] == "BLOCKED"
    assert document["reasons"] == [
        {"rule": "Violence", "label": "Weapons", "confidence": 92.6, "outcome": "block", "threshold": 90.0}
    ]
    assert document["unknown_labels"] == []
    by_name = {label["name"]: label for label in document["labels"]}
    assert by_name["Violence"] == {
        "name": "Violence",
        "confidence": 92.6,
        "rule": "Violence",
        "review": 50.0,
        "block": 90.0,
        "content_type": None,
        "explained_by": ["Weapons"],
        "outcome": "block",
        "threshold": 90.0,
        "counts": False,
    }
    assert by_name["Alcohol"]["outcome"] == "allow"
    assert [alternative["status"] for alternative in document["alternatives"]] == ["APPROVED", "REVIEW"]
    assert document["alternatives"][1]["changes"] == [
        {
            "rule": "Violence",
            "content_type": None,
            "key": "block",
            "now": 90.0,
            "above": 92.6,
            "at_most": None,
            "drops_review": False,
            "text": "Violence: block above 92.6 (now 90)",
        }
    ]


@pytest.mark.usefixtures("files")
def test_a_label_nobody_knows_is_named(run: Run) -> None:
    answer = an_answer() | {"ModerationLabels": [{"Name": "New\x1b[2J", "Confidence": 77.0}]}

    result = run("judge", "standard.yaml", "-", input=json.dumps(answer))

    assert "REVIEW" in result.stdout
    assert "Not in the taxonomy: New\\x1b[2J." in result.stdout


@pytest.mark.usefixtures("files")
def test_a_name_of_model_6_1_is_told_to_be_one(run: Run) -> None:
    labels = [{"Name": name, "Confidence": 77.0} for name in ("Nudity", "Something New")]

    result = run("judge", "standard.yaml", "-", input=json.dumps(an_answer() | {"ModerationLabels": labels}))

    assert "Names from model 6.1: Nudity (now Exposed Female Nipple or Exposed Buttocks or Anus)." in result.stdout
    assert "Not in the taxonomy: Something New. Rekognition's model may be newer." in result.stdout


@pytest.mark.usefixtures("files")
def test_an_active_policy_is_found_by_its_name(run: Run, deployed: Deployed) -> None:
    deployed.record(policy_of(STANDARD))

    assert run("judge", "standard", "answer.json").stdout.startswith("BLOCKED under standard version 1 (")


MISTAKES = {
    "": "is not one JSON document",
    "[1": "is not one JSON document",
    '{"a": 1}\n{"a": 2}': "is not one JSON document: Extra data",
    "\xff": "is not one JSON document",
    "[]": "an analysis has no ModerationLabels",
    '{"ModerationLabels": [{"Name": "Violence", "Confidence": 101}]}': "has a Confidence of 101",
    '{"source-ref": "s3://uploads/cat.jpg"}': "says that the image could not be analyzed",
    '{"source-ref": 1, "ModerationLabels": []}': "a result line has no source-ref",
}


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("content", MISTAKES)
def test_what_is_no_answer_is_told_in_one_line(run: Run, content: str) -> None:
    result = run("judge", "standard.yaml", "-", input=content.encode("latin-1"))

    assert MISTAKES[content] in result.stderr
    assert result.stderr.count("\n") == 1
    assert (result.stdout, result.exit_code) == ("", 1)


@pytest.mark.usefixtures("files")
def test_a_file_that_is_not_there_is_told(run: Run) -> None:
    result = run("judge", "standard.yaml", "nothing.json")

    assert result.stderr == "nothing.json can't be read: No such file or directory; name a file, or - for stdin.\n"
    assert result.exit_code == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["Name", "Confidence"]), inner),
    max_leaves=8,
)
ANSWERS = st.fixed_dictionaries(
    {"ModerationLabels": JSON}, optional={"source-ref": JSON, "detect-moderation-labels": JSON, "ContentTypes": JSON}
)


@given(JSON | ANSWERS | st.binary())
def test_nothing_that_is_fed_to_it_ends_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, content: Any) -> None:
    policy = tmp_path_factory.getbasetemp() / "any.yaml"
    policy.write_text(STANDARD, encoding="utf-8")
    text = content if isinstance(content, bytes) else json.dumps(content).encode()

    result = CliRunner().invoke(app, ["policy", "judge", str(policy), "-"], input=text)

    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code in (0, 1)
    assert result.stderr.count("\n") == result.exit_code
