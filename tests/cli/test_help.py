"""Every help ends with examples that can be typed, and the first help has every command in its place."""

from collections.abc import Iterator

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from gatehouse.cli.__main__ import app
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.examples import EXAMPLES
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


@pytest.mark.parametrize("path", ALL)
def test_a_help_ends_with_its_examples_whichever_way_it_is_asked_for(gatehouse: Run, path: str) -> None:
    asked = [gatehouse(*path.split(), flag) for flag in ("-h", "--help")]

    assert asked[0].stdout == asked[1].stdout
    lines = [line.strip() for line in asked[0].stdout.rstrip().splitlines()]
    assert lines[-len(EXAMPLES[path]) :] == [f"{COMMAND} {example}" for example in EXAMPLES[path]]


@pytest.mark.parametrize("example", [example for examples in EXAMPLES.values() for example in examples])
def test_an_example_is_understood(example: str) -> None:
    understand(example)


def test_examples_are_of_the_command_they_stand_below() -> None:
    assert sorted(EXAMPLES) == ALL
    for path, examples in EXAMPLES.items():
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


def test_an_interrupted_command_leaves_a_sentence(gatehouse: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gatehouse.cli.deployment.Deployment.find", interrupted)

    result = gatehouse("verdict", "cat.jpg")

    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == "Interrupted. What was done before that stands; the same command may be run again.\n"
