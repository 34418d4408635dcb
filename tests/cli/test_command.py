"""`./gatehouse` runs from any folder, and nothing in that folder becomes part of it."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

import gatehouse as package
from demo.synthesis import ROOT
from tests.cli.conftest import STANDARD

_ESCAPE = re.compile("\x1b\\[[0-9;]*m")


def gatehouse(
    folder: Path,
    *arguments: str,
    command: Path = ROOT / "gatehouse",
    search_path: str | None = None,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(command), *arguments],
        cwd=folder,
        env={"PATH": search_path or os.environ["PATH"], "HOME": str(folder), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_runs_from_any_folder_and_reads_that_folders_files(here: Path) -> None:
    (here / "policies").mkdir()
    (here / "policies" / "standard.yaml").write_text(STANDARD, encoding="utf-8")
    for module in ("gatehouse", "typer", "json"):
        (here / f"{module}.py").write_text("raise SystemExit('not this one')", encoding="utf-8")
    (here / "link").symlink_to(ROOT / "gatehouse")
    (here / "bin").mkdir()
    (here / "bin" / "link").symlink_to("../link")

    result = gatehouse(here, "policy", "validate", command=here / "bin" / "link")

    assert result.stdout.startswith("policies/standard.yaml: ok, standard version 1")
    assert result.returncode == 0


def test_its_name_in_help_is_the_commands(here: Path) -> None:
    assert gatehouse(here, "policy", "judge", "--help").stdout.startswith("Usage: ./gatehouse policy judge [OPTIONS]")


def test_the_help_that_an_error_names_can_be_pasted(here: Path) -> None:
    (here / "gatehouse").symlink_to(ROOT / "gatehouse")

    refused = gatehouse(here, "verdict", "--no-such-option")
    named = re.search("Try '(.*)' for help", refused.stderr)

    assert named
    pasted = subprocess.run(named[1], shell=True, cwd=here, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert pasted.stdout.startswith(b"Usage: ./gatehouse verdict")


def test_it_tells_its_version(here: Path) -> None:
    assert gatehouse(here, "--version").stdout == f"gatehouse {package.__version__}\n"


@pytest.mark.parametrize(
    ("typed", "completions"),
    [
        (["pol"], ["policy"]),
        (["queue", "re"], ["redrive"]),
        (["policy", "judge", "--out"], ["--output"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
    ],
    ids=str,
)
def test_bash_completes_what_is_typed(typed: list[str], completions: list[str], here: Path) -> None:
    (here / "gatehouse").symlink_to(ROOT / "gatehouse")
    program = """
        eval "$(gatehouse completion bash)"
        COMP_WORDS=(gatehouse "$@")
        COMP_CWORD=$#
        $(complete -p gatehouse | sed 's/.*-F \\([^ ]*\\) .*/\\1/') gatehouse
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    answer = subprocess.run(
        ["bash", "-c", program, "bash", *typed],
        env={"PATH": f"{here}:{os.environ['PATH']}", "HOME": str(here)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )

    assert (answer.stdout.split(), answer.stderr) == (completions, "")


@pytest.mark.parametrize(
    ("shell", "question"),
    [
        ("zsh", {"_TYPER_COMPLETE_ARGS": "gatehouse queue "}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "gatehouse queue ", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)
def test_other_shells_ask_what_the_command_answers(shell: str, question: dict[str, str], here: Path) -> None:
    script = gatehouse(here, "completion", shell).stdout
    answer = gatehouse(here, variables={"_GATEHOUSE_COMPLETE": f"complete_{shell}", **question})

    assert all(name in script for name in (f"_GATEHOUSE_COMPLETE=complete_{shell}", *question))
    assert all(command in answer.stdout for command in ("list", "show", "redrive", "drop"))


@pytest.mark.parametrize("typed", ["./gatehouse", "~/gatehouse", "bin/gatehouse"])
def test_a_command_that_is_not_on_the_path_is_asked_as_it_is_typed(typed: str, here: Path) -> None:
    (here / "bin").mkdir()
    for place in (here, here / "bin"):
        (place / "gatehouse").symlink_to(ROOT / "gatehouse")
    program = """
        eval "$(./gatehouse completion bash)"
        COMP_WORDS=("$1" queue re)
        COMP_CWORD=2
        $(complete -p gatehouse | sed 's/.*-F \\([^ ]*\\) .*/\\1/') "$1"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    answer = subprocess.run(
        ["bash", "-c", program, "bash", typed],
        cwd=here,
        env={"PATH": os.environ["PATH"], "HOME": str(here)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )

    assert (answer.stdout.split(), answer.stderr) == (["redrive"], "")
    for shell, calls in (("zsh", "${~words[1]})"), ("fish", "(commandline -opc)[1]")):
        script = gatehouse(here, "completion", shell, command=here / "gatehouse").stdout
        assert calls in script


def test_neither_starting_nor_validating_loads_the_cdk() -> None:
    modules = "gatehouse.cli.__main__, gatehouse.configuration.settings, gatehouse.configuration.policies"
    code = f"import sys, {modules}; sys.exit('aws_cdk' in sys.modules)"

    subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.DEVNULL, check=True)


def test_a_machine_without_a_new_enough_python_is_told_so(here: Path) -> None:
    old_python = here / "python3"
    old_python.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old_python.chmod(0o755)
    for tool in ("dirname", "readlink", "sh"):
        (here / tool).symlink_to(Path("/usr/bin") / tool)

    result = gatehouse(here, "policy", "--help", search_path=str(here))

    assert "Python 3.11 or newer" in result.stderr
    assert result.returncode == 1


def test_a_terminal_of_80_columns_is_enough(here: Path) -> None:
    (here / "standard.yaml").write_text(STANDARD, encoding="utf-8")
    labels = [{"Name": "Nudity", "ParentName": "", "Confidence": 92.5, "TaxonomyLevel": 1}]
    (here / "answer.json").write_text(
        json.dumps({"ModerationLabels": labels, "ModerationModelVersion": "6.1"}), "utf-8"
    )
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))  # rows, columns

    done = subprocess.run(
        [str(ROOT / "gatehouse"), "policy", "judge", "standard.yaml", "answer.json"],
        cwd=here,
        env={"PATH": os.environ["PATH"], "HOME": str(here), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=writing,
        check=True,
    )
    os.close(writing)

    lines = _ESCAPE.sub("", os.read(reading, 65_536).decode()).splitlines()
    os.close(reading)
    assert done.returncode == 0
    assert max(map(len, lines)) <= 80
    said = " ".join(line.strip() for line in lines)
    assert "Policies are written for taxonomy 7.0; judge an answer from the current model." in said
