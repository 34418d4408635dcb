"""What docs/operations.md and docs/commands.md tell people to type is understood, and their shell functions work."""

import os
import re
import shlex
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.understood import understand
from tests.docs.test_placeholders import ROOT

PAGES = {name: (ROOT / "docs" / name).read_text("utf-8") for name in ("operations.md", "commands.md")}

_BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TYPED = re.compile(r"^\./gatehouse (.+)$", re.MULTILINE)
_INLINE = re.compile(r"`\./gatehouse ([^`]+)`")

_INTO_A_FILE = re.compile(r" > [\w.]+$")

#: Words in the place of what the reader has to put in.
_STANDS_FOR = {"ID": "0123456789abcdef0123456789abcdef", "OBJECT": "cat.jpg"}


def typed(page: str) -> Iterator[str]:
    """The lines of the command in a page's blocks, and what is in its sentences with an option or an argument."""
    for block in _BLOCK.findall(page):
        yield from _TYPED.findall(block)
    prose = _BLOCK.sub("", page)
    for said in _INLINE.findall(prose):
        line = " ".join(said.split())
        if " --" in line:
            yield line


@pytest.mark.parametrize(
    ("page", "line"), [(name, line) for name, page in PAGES.items() for line in dict.fromkeys(typed(page))]
)
def test_what_a_page_has_people_type_is_understood(page: str, line: str) -> None:
    words = [_STANDS_FOR.get(word, word) for word in shlex.split(_INTO_A_FILE.sub("", line), comments=True)]

    understand(shlex.join(words))


def test_the_pages_use_the_commands_that_replaced_their_shell_functions() -> None:
    page = PAGES["operations.md"]

    assert page.count("./gatehouse logs --function") > 10
    assert page.count("./gatehouse list --status") > 1
    assert not re.search(r"^(logs|today)\b", page, re.MULTILINE)


def test_an_output_is_asked_for_by_the_stack_and_its_name(tmp_path: Path) -> None:
    functions = re.findall(r"^```sh\n(.*?)^```$", PAGES["operations.md"], re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "aws").write_text('#!/bin/sh\necho "$@"\n', "utf-8")
    (tmp_path / "aws").chmod(stat.S_IRWXU)

    done = subprocess.run(
        ["bash", "-c", f"{functions}\noutput storage WorkBucketName"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "--stack-name gatehouse-storage" in done.stdout
    assert "OutputKey=='WorkBucketName'" in done.stdout
