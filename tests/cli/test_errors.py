"""What can go wrong for anyone ends in one line on stderr with what to do, and never in a traceback."""

from collections.abc import Callable

import pytest
from botocore import exceptions
from typer.testing import CliRunner

from gatehouse.aws.queue_sender import MessageNotSentError
from gatehouse.aws.verdict_table import VerdictTableBusyError
from gatehouse.cli.__main__ import app
from gatehouse.cli.errors import CommandError, user_message
from gatehouse.moderation.flag_publisher import FlagNotPublishedError
from tests.cli.conftest import Deployed, Run


def error_line(run: Run, *arguments: str) -> str:
    """The one line on stderr of a `status` that fails."""
    result = run("status", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    line, end = result.stderr.split("\n")
    assert end == ""
    return line


REFUSALS = {
    "AccessDeniedException": (
        "GetParameters was refused: User x may not. Ask whoever manages the account for that permission, or choose "
        "other credentials with --profile."
    ),
    "ExpiredTokenException": "AWS does not accept these credentials (ExpiredTokenException: User x may not); sign in",
    "UnrecognizedClientException": "AWS does not accept these credentials (UnrecognizedClientException: User x may",
    "ThrottlingException": (
        "AWS asks for fewer calls (GetParameters: ThrottlingException); wait a minute and run the same command again."
    ),
    "ResourceNotFoundException": "GetParameters found nothing (User x may not): something the deployment names does",
    "SomethingNew": "GetParameters failed (SomethingNew: User x may not); if running it again does not help, look that",
}


@pytest.mark.parametrize("code", REFUSALS)
def test_a_call_that_aws_refuses_is_told_with_the_remedy(run: Run, deployed: Deployed, code: str) -> None:
    deployed.calls.answer_next("GetParameters", {"Error": {"Code": code, "Message": "User x may\nnot."}}, status=400)

    assert error_line(run).startswith(REFUSALS[code])


def test_missing_credentials_are_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert error_line(run) == (
        "No AWS credentials were found; sign in (aws sso login, aws configure), name a profile with --profile, or set "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    )


def test_a_missing_region_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    assert error_line(run) == "No AWS Region is chosen; name it with --region, in AWS_REGION or in your profile."


def test_an_unknown_profile_is_told(run: Run) -> None:
    assert error_line(run, "--profile", "nobody") == (
        "The config profile (nobody) could not be found; `aws configure list-profiles` lists those there are."
    )


@pytest.mark.parametrize("region", ["us east", "-"])
def test_what_is_no_region_is_told(run: Run, region: str) -> None:
    line = error_line(run, "--region", region)

    assert "doesn't match a supported format" in line
    assert "--endpoint-url" not in line


def test_an_endpoint_that_is_no_address_is_told(run: Run) -> None:
    assert error_line(run, "--endpoint-url", "localhost") == (
        "Invalid endpoint: localhost; write, for example, --endpoint-url http://127.0.0.1:4566."
    )


UNREACHABLE: list[Callable[[], exceptions.BotoCoreError]] = [
    lambda: exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:4566"),
    lambda: exceptions.ConnectTimeoutError(endpoint_url="http://127.0.0.1:4566"),
    lambda: exceptions.ReadTimeoutError(endpoint_url="http://127.0.0.1:4566"),
    lambda: exceptions.SSLError(endpoint_url="http://127.0.0.1:4566", error=ValueError("self-signed")),
    lambda: exceptions.ConnectionClosedError(endpoint_url="http://127.0.0.1:4566"),
]


@pytest.mark.parametrize("error", UNREACHABLE)
def test_an_endpoint_that_does_not_answer_is_told(error: Callable[[], exceptions.BotoCoreError]) -> None:
    sentence = user_message(error())

    assert sentence is not None
    assert sentence.startswith("AWS can't be reached (")
    assert sentence.endswith("the local cloud answers only while `make local` runs in a checkout of Gatehouse")


SIGNED_OUT: list[exceptions.BotoCoreError] = [
    exceptions.UnauthorizedSSOTokenError(),
    exceptions.LoginRefreshRequired(),
    exceptions.TokenRetrievalError(provider="sso", error_msg="expired"),
    exceptions.CredentialRetrievalError(provider="process", error_msg="failed"),
]


@pytest.mark.parametrize("error", SIGNED_OUT)
def test_a_session_that_ended_is_told(error: exceptions.BotoCoreError) -> None:
    sentence = user_message(error)

    assert sentence is not None
    assert sentence.startswith("The AWS credentials could not be read (")
    assert "aws sso login" in sentence


@pytest.mark.parametrize(
    "error",
    [
        VerdictTableBusyError("busy"),
        FlagNotPublishedError("refused", frozenset()),
        MessageNotSentError("refused", frozenset()),
    ],
)
def test_what_passes_by_itself_is_told_to_be_run_again(error: Exception) -> None:
    assert user_message(error) == f"{error}; run the same command again later"


def test_a_mistake_of_ours_is_not_dressed_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatehouse.cli.policy.status_command.Deployment.find", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        run("status")
    assert user_message(CommandError("It\nfailed.")) == "It failed."


def test_wrong_usage_exits_with_2(run: Run) -> None:
    result = run("judge", "standard.yaml")

    assert result.exit_code == 2
    assert "Missing argument 'ANSWER'" in result.stderr


def test_every_command_has_help_that_names_its_options() -> None:
    runner = CliRunner()
    overview = runner.invoke(app, ["policy", "--help"]).stdout
    for command in ("validate", "status", "diff", "apply", "explain", "judge"):
        help_text = runner.invoke(app, ["policy", command, "--help"]).stdout
        assert f"\n  {command} " in overview
        assert "--output" in help_text
        assert ("--endpoint-url" in help_text) == (command != "validate")


@pytest.mark.parametrize(
    "command",
    [
        *("queue list", "queue show", "queue redrive", "queue drop", "batch list", "batch show", "batch resubmit"),
        *("retry", "reconcile", "upload-again"),
    ],
)
def test_every_command_for_whoever_is_on_call_has_help_that_names_its_options(command: str) -> None:
    help_text = CliRunner().invoke(app, [*command.split(), "--help"]).stdout

    for option in ("--output", "--endpoint-url", "--deployment"):
        assert option in help_text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Uploads and their verdicts:"),
        (["policy"], "Commands:"),
        (["queue"], "Commands:"),
        (["batch"], "Commands:"),
    ],
)
def test_a_command_that_lacks_its_verb_says_what_there_is(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert said in result.output
