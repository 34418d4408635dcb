"""What a command advises is about the deployment that it was asked about."""

from collections.abc import Iterator

import pytest

from gatehouse.cli.command_name import COMMAND, remember_options, with_options
from tests.cli.conftest import Deployed, Run
from tests.unit.builders import a_claim


@pytest.fixture(autouse=True)
def _nothing_given() -> Iterator[None]:
    yield
    remember_options()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            f"`{COMMAND} verdict KEY --watch` waits.",
            f"`{COMMAND} verdict KEY --watch --deployment mine --profile 'my own'` waits.",
        ),
        (f"`{COMMAND} list --deployment other`", f"`{COMMAND} list --deployment other --profile 'my own'`"),
        (f"`{COMMAND} policy validate` first", f"`{COMMAND} policy validate` first"),
        ("`make deploy`, then `review list`", "`make deploy`, then `review list`"),
    ],
)
def test_commands_get_what_was_given(line: str, said: str) -> None:
    assert with_options(line) == line

    remember_options(deployment="mine", region=None, profile="my own")

    assert with_options(line) == said


def test_advice_and_errors_can_be_pasted(gatehouse: Run, deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed.put(a_claim())
    given = ("--deployment", "gatehouse", "--region", "us-east-1")

    assert f"`{COMMAND} batch show batch-1 --deployment gatehouse --region us-east-1`" in (
        gatehouse("verdict", "cat.jpg", *given).stdout
    )
    refused = " ".join(gatehouse("policy", "explain", "gone.jpg", *given).stderr.split())
    assert f"`{COMMAND} queue list --deployment gatehouse --region us-east-1`" in refused

    monkeypatch.setenv("GATEHOUSE_DEPLOYMENT", "gatehouse")
    assert f"`{COMMAND} batch show batch-1`" in gatehouse("verdict", "cat.jpg").stdout
