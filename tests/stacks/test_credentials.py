import pytest

from stacks.credentials import problem


def test_a_shell_with_credentials_has_no_problem() -> None:
    assert problem() is None  # those of the tests


def test_a_shell_without_credentials_is_told_in_one_line_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    said = problem()

    assert said is not None
    assert said.startswith("This shell has no AWS credentials; set AWS_PROFILE")
    assert "\n" not in said


def test_a_profile_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobodys")

    said = problem()

    assert said is not None
    assert "nobodys" in said
    assert "\n" not in said
