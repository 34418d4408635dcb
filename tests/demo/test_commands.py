"""The lines that `make local` prints first."""

import pytest

from demo.commands import gatehouse_commands
from tests.cli.understood import understand


@pytest.mark.parametrize("line", [command.line for command in gatehouse_commands("cat.jpg")])
def test_a_printed_line_is_understood(line: str) -> None:
    understand(line.removeprefix("./gatehouse "))


def test_there_are_five() -> None:
    assert len(gatehouse_commands("cat.jpg")) == 5
