"""docs/policies.md does not lie: its examples are judged, its files compiled, its commands and labels looked up."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.main import get_command

from gatehouse.cli.__main__ import app
from gatehouse.cli.aws.work_bucket import MIN_HASH_DIGITS
from gatehouse.configuration.policies import compile_policies, compile_policy, find_mistakes
from gatehouse.configuration.settings import load_settings
from gatehouse.configuration.settings_section import SettingsError
from gatehouse.moderation.analysis import Analysis, ContentType, Label
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_document import (
    MAX_NAME,
    MAX_VERSION,
    POLICY_KEYS,
    REFINEMENT_KEYS,
    RULE_KEYS,
    SCHEMA,
)
from gatehouse.moderation.status import Status

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "policies.md").read_text("utf-8")
CATALOG = compile_policies(ROOT / "policies")

_FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)
_SHIPPED = re.compile(r"by policies/(?P<shipped>\w+)\.yaml as it is shipped:$", re.MULTILINE)
_ANSWER_ROW = re.compile(
    r"^\| (?P<answer>[A-Z][^|]+?) \| (?P<status>APPROVED|REVIEW|BLOCKED)"
    r"(?: by \*(?P<label>[^*]+)\*: \*(?P<rule>[^*]+)\*, (?P<outcome>review|block) from (?P<threshold>[\d.]+)"
    r"(?: for (?P<content_type>\w+))?)? \| .+ \|$",
    re.MULTILINE,
)
_NAMED = re.compile(r"(?P<name>[^,\d()]+?) (?:\(under (?P<parent>[^)]+)\) )?(?P<confidence>[\d.]+)(?:, |$)")
_JUDGED_ROW = re.compile(r"^\| \*(.+)\* (\d+)(?:, (\w+) (\d+))? \| (\w+) \| (\w+) \| (\w+) \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Example:
    """An answer of Rekognition, the policy that the page judges it by, and the outcome that the page states."""

    policy: Policy
    analysis: Analysis
    stated: re.Match[str]


def _blocks(language: str) -> list[str]:
    return [match["content"] for match in _FENCE.finditer(PAGE) if match["language"] == language]


def _analysis(answer: str) -> Analysis:
    """`Name 92.6, Other (under Parent) 70 [Kind 90]`; parents that are not named are the taxonomy's."""
    labels, _, kinds = answer.rstrip("]").partition(" [")
    return Analysis(
        tuple(
            Label(named["name"], named["parent"] or taxonomy.PARENTS.get(named["name"], ""), float(named["confidence"]))
            for named in _NAMED.finditer(labels)
        ),
        tuple(ContentType(named["name"], float(named["confidence"])) for named in _NAMED.finditer(kinds)),
    )


def _examples() -> Iterator[Example]:
    """Each answer of the page with the policy that stands nearest above it."""
    policy = None
    parts = [*_FENCE.finditer(PAGE), *_SHIPPED.finditer(PAGE), *_ANSWER_ROW.finditer(PAGE)]
    for part in sorted(parts, key=lambda match: match.start()):
        if part.re is _SHIPPED:
            policy = CATALOG.policies[part["shipped"]]
        elif part.re is _ANSWER_ROW:
            assert policy is not None
            yield Example(policy, _analysis(part["answer"]), part)
        elif part["language"] == "yaml" and part["content"].startswith("name:"):
            policy = Policy.from_document(yaml.safe_load(part["content"]))


EXAMPLES = list(_examples())
EXEMPTION = next(
    block for block in _blocks("yaml") if block.startswith("# Add under `rules:` in policies/standard.yaml\n")
)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.stated["answer"] for example in EXAMPLES])
def test_an_example_comes_out_as_the_page_says(example: Example) -> None:
    judged, stated = example.policy.judge(example.analysis), example.stated

    assert judged.status == stated["status"]
    if judged.status is Status.APPROVED:
        assert judged.reasons == ()
    else:
        first = judged.reasons[0]
        said = (stated["label"], stated["rule"], stated["outcome"], float(stated["threshold"]), stated["content_type"])
        assert (first.label, first.rule, first.outcome, first.threshold, first.content_type) == said


def test_every_row_with_an_answer_is_an_example() -> None:
    tables = PAGE.split("| Rekognition returns | outcome | why |\n| --- | --- | --- |\n")[1:]
    rows = [row for table in tables for row in table.partition("\n\n")[0].splitlines()]

    assert len(rows) == len(EXAMPLES)
    assert {example.stated["status"] for example in EXAMPLES} == {"APPROVED", "REVIEW", "BLOCKED"}


def test_the_published_example_flips_with_the_rule_that_the_page_adds(tmp_path: Path) -> None:
    (published,) = [example for example in EXAMPLES if example.policy is CATALOG.policies["standard"]]
    shipped = (ROOT / "policies" / "standard.yaml").read_text("utf-8")
    edited = tmp_path / "standard.yaml"
    edited.write_text(f"{shipped.rstrip()}\n{EXEMPTION}".replace('version: "1"', 'version: "2"'), encoding="utf-8")

    analysis = published.analysis

    assert published.policy.judge(analysis).status is Status.REVIEW
    assert compile_policy(edited).judge(analysis).status is Status.APPROVED
    photograph = Analysis(analysis.labels)
    assert compile_policy(edited).judge(photograph).status is published.policy.judge(photograph).status


def test_the_rows_that_compare_the_shipped_policies_are_true() -> None:
    rows = _JUDGED_ROW.findall(PAGE)
    for name, confidence, kind, kind_confidence, *stated in rows:
        labels = tuple(
            Label(label, taxonomy.PARENTS[label], float(confidence)) for label in (name, *taxonomy.ancestors(name))
        )
        kinds = (ContentType(kind, float(kind_confidence)),) if kind else ()
        analysis = Analysis(labels, kinds)
        judged = [CATALOG.policies[policy].judge(analysis).status for policy in ("strict", "standard", "permissive")]
        assert judged == stated, (name, kind)
    assert len(rows) == 10


def test_the_mistake_that_is_shown_is_told_like_that(tmp_path: Path) -> None:
    (shown,) = [block for block in _blocks("text") if block.startswith("policies/standard.yaml:")]
    file = tmp_path / "policies" / "standard.yaml"
    file.parent.mkdir()
    shipped = (ROOT / "policies" / "standard.yaml").read_text("utf-8")
    file.write_text(shipped.replace("  Violence:", "  Violense:"), encoding="utf-8")

    with pytest.raises(SettingsError) as caught:
        compile_policy(file)

    assert f"{caught.value}\n" == f"{tmp_path}/{shown}"


def test_the_lanes_that_are_shown_can_be_deployed(tmp_path: Path) -> None:
    (lanes,) = [block for block in _blocks("yaml") if block.startswith("lanes:")]
    file = tmp_path / "gatehouse.yaml"
    file.write_text(lanes, encoding="utf-8")

    (settings,) = load_settings(file, CATALOG).lanes

    keys = ("cat.jpg", "kids/cat.jpg", "kids/teachers/cat.jpg")
    assert [settings.lane.policy_for(key) for key in keys] == ["standard", "strict", "standard"]


@pytest.mark.parametrize(
    ("overrides", "prefix", "stated"),
    [
        (100, "tenants/{:04}/", 'for 100 such as `"tenants/0042/": strict`'),
        (50, "customers/acme-corporation-{:03}/incoming/", "for 50 whose prefixes have 40 characters"),
    ],
)
def test_a_lane_has_room_for_as_many_overrides_as_the_page_says(
    tmp_path: Path, overrides: int, prefix: str, stated: str
) -> None:
    def load(count: int) -> None:
        written = ", ".join(f'"{prefix.format(n)}": strict' for n in range(count))
        (tmp_path / "gatehouse.yaml").write_text(
            f"lanes:\n  default:\n    policy: standard\n    policy_overrides: {{{written}}}\n", encoding="utf-8"
        )
        load_settings(tmp_path / "gatehouse.yaml", CATALOG)

    assert stated in " ".join(PAGE.split())
    load(overrides)
    with pytest.raises(SettingsError, match=r"bytes of its function's environment"):
        load(overrides + overrides // 4)


def test_one_word_says_which_version_judges() -> None:
    commands = get_command(app).commands["policy"].commands.values()  # type: ignore[attr-defined]
    helps = [
        text
        for entry in commands
        for text in (entry.help, entry.short_help, *(getattr(parameter, "help", "") for parameter in entry.params))
    ]

    assert "active" in PAGE
    assert not [text for text in (PAGE, *helps) if text and "in force" in text]


def test_every_key_of_a_policy_is_told() -> None:
    (example,) = [block for block in _blocks("yaml") if "# the file's name without .yaml" in block]
    _, _, table = PAGE.partition("| key | value |\n| --- | --- |\n")
    rows = {
        key: told
        for keys, told in re.findall(r"^\| (`.+?) \| (.+) \|$", table.partition("\n\n")[0], re.MULTILINE)
        for key in re.findall(r"`(\w+)`", keys)
    }

    for key in {*POLICY_KEYS, *RULE_KEYS, *REFINEMENT_KEYS}:
        assert key in rows or re.search(rf"\b{key}:", example), key
    assert SCHEMA in rows["schema"]
    assert f"up to {MAX_NAME} characters" in rows["name"]
    assert f"up to {MAX_VERSION} characters" in rows["version"]


def test_as_many_digits_of_a_hash_are_asked_for_as_are_needed() -> None:
    assert f"the first {MIN_HASH_DIGITS} or more digits of a hash" in PAGE


def test_a_prefix_takes_what_the_page_says(tmp_path: Path) -> None:
    assert '`"kids"` also takes `kidsgarden/`' in PAGE
    (tmp_path / "gatehouse.yaml").write_text("lanes: {default: {policy_overrides: {kids: strict}}}\n", encoding="utf-8")

    (settings,) = load_settings(tmp_path / "gatehouse.yaml", CATALOG).lanes

    assert settings.lane.policy_for("kidsgarden/cat.jpg") == "strict"


def test_what_the_page_says_the_schema_cannot_see_it_does_not_and_validation_does(tmp_path: Path) -> None:
    schema = json.loads((ROOT / "policies" / "policy.schema.json").read_text("utf-8"))
    file = tmp_path / "p.yaml"
    file.write_text('name: other\nversion: "1"\ndefault: {review: 90, block: 80}\n', encoding="utf-8")

    assert "such as `review` against `block`, a name against its file's" in PAGE
    assert Draft202012Validator(schema).is_valid(yaml.safe_load(file.read_text("utf-8")))
    told = [str(mistake) for mistake in find_mistakes(file, as_deployed=True)]
    assert len(told) == 2
    assert "name: 'other' is not the file name" in told[0]
    assert "default: review: never fires" in told[1]


def test_every_block_of_yaml_is_one_that_is_tried() -> None:
    beginnings = {re.split(r"[ :\n]", block)[0] for block in _blocks("yaml") if block != EXEMPTION}

    assert beginnings == {"name", "lanes"}


def test_every_command_exists_with_the_options_that_are_shown() -> None:
    commands = get_command(app).commands["policy"].commands  # type: ignore[attr-defined]
    lines = [line for block in _blocks("sh") for line in block.splitlines() if line.startswith("./gatehouse")]
    used = set()
    for line in lines:
        _, group, name, *arguments = line.split()
        assert group == "policy"
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert {argument for argument in arguments if argument.startswith("--")} <= known, line
        used.add(name)
    options = {option for command in commands.values() for entry in command.params for option in entry.opts}

    assert used == set(commands)
    assert set(re.findall(r"`(--[a-z-]+)", PAGE)) <= options | {"--help"}


def test_every_label_is_listed_under_its_parent() -> None:
    listed: dict[str, str] = {}
    _, _, table = PAGE.partition("| level 1 | level 2 (level 3) |\n| --- | --- |\n")
    for row in table.partition("\n\n")[0].splitlines():
        category, children = row.strip("| ").split(" | ")
        listed[category] = ""
        for child in children.split("; ") if children != "-" else []:
            name, _, grandchildren = child.partition(" (")
            listed[name] = category
            listed |= dict.fromkeys(filter(None, grandchildren.rstrip(")").split(", ")), name)

    assert listed == taxonomy.PARENTS


def test_every_link_leads_somewhere() -> None:
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        file, _, anchor = target.partition("#")
        assert (ROOT / "docs" / file).exists(), target
        assert file or anchor in headings, target
