"""Every help ends with examples that can be typed, and the first help has every command in its place."""

from collections.abc import Iterator

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from gatehouse.cli.__main__ import app
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.examples import EXAMPLES, GROUP_EXAMPLES
from tests.cli.conftest import Run
from tests.cli.understood import understand

ROOT = get_command(app)


def commands(group: object = ROOT, path: tuple[str, ...] = ()) -> Iterator[str]:
    """What is typed behind `gatehouse` for each command."""
    if not isinstance(group, TyperGroup):
        yield " ".join(path)
        return
    for name, command in group.commands.items():
        yield from commands(command, (*path, name))


ALL = sorted(commands())


def groups() -> list[str]:
    """The groups below the app."""
    assert isinstance(ROOT, TyperGroup)
    return [name for name, command in ROOT.commands.items() if isinstance(command, TyperGroup)]


HELPED = {**EXAMPLES, **GROUP_EXAMPLES}


@pytest.mark.parametrize("path", [*ALL, *groups()])
def test_a_help_ends_with_its_examples_whichever_way_it_is_asked_for(gatehouse: Run, path: str) -> None:
    asked = [gatehouse(*path.split(), flag) for flag in ("-h", "--help")]

    assert asked[0].stdout == asked[1].stdout
    lines = [line.strip() for line in asked[0].stdout.rstrip().splitlines()]
    assert lines[-len(HELPED[path]) :] == [f"{COMMAND} {example}" for example in HELPED[path]]


@pytest.mark.parametrize("example", [example for examples in HELPED.values() for example in examples])
def test_an_example_is_understood(example: str) -> None:
    understand(example)


def test_examples_are_of_the_command_they_stand_below() -> None:
    assert sorted(EXAMPLES) == ALL
    assert sorted(GROUP_EXAMPLES) == sorted(groups())
    for path, examples in HELPED.items():
        assert examples
        assert all(example == path or example.startswith(f"{path} ") for example in examples)


def test_the_first_help_lists_every_command_once(gatehouse: Run) -> None:
    lines = [line.split() for line in gatehouse("-h").stdout.splitlines() if line.startswith("  ")]
    names = [line[0] for line in lines if line]

    assert gatehouse("-h").stdout.splitlines()[2].startswith(f"  Begin with `{COMMAND} doctor`")
    assert isinstance(ROOT, TyperGroup)
    assert sorted(name for name in names if name in ROOT.commands) == sorted(ROOT.commands)
    assert names.index("verdict") < names.index("review") < names.index("queue") < names.index("completion")


def test_a_question_that_nobody_can_answer_is_refused_with_the_flag_to_use(gatehouse: Run) -> None:
    from gatehouse.cli.errors import CommandError
    from gatehouse.cli.output import Format, Output

    assert gatehouse("--version").exit_code == 0
    with pytest.raises(CommandError, match="give --yes"):
        Output.of(Format.TABLE).confirm()


_CHANGES = (
    ("retry",),
    ("batch", "resubmit", "b"),
    *(("review", verb, "cat.jpg", "--reason", "spam") for verb in ("approve", "block")),
    *(("review", verb, "cat.jpg") for verb in ("confirm", "appeal", "report")),
    ("adapter", "export", "--to", "s3://b/p"),
    ("adapter", "train", "--manifest", "s3://b/m", "--project", "p", "--version", "v"),
    ("queue", "drop", "--reason", "malformed"),
    ("upload-again", "cat.jpg"),
    ("moderate", "start"),
    ("policy", "apply", "standard.yaml"),
)


@pytest.mark.parametrize("line", _CHANGES, ids=" ".join)
def test_where_nobody_can_answer_no_work_is_done(
    gatehouse: Run, monkeypatch: pytest.MonkeyPatch, line: tuple[str, ...]
) -> None:
    def look_up(*_: object) -> None:
        pytest.fail("it asks AWS")

    monkeypatch.setattr("gatehouse.cli.connection.Connection.client", look_up)

    result = gatehouse(*line)

    assert (result.exit_code, "give --yes" in result.stderr) == (1, True)


def test_an_interrupted_command_leaves_a_sentence(gatehouse: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gatehouse.cli.deployment.Deployment.find", interrupted)

    result = gatehouse("verdict", "cat.jpg")

    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == "Interrupted. What was done before that stands; the same command may be run again.\n"
