"""`policy validate`: what `make synth` would say of the policies, in a moment and offline."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.errors import CommandError
from cli.output import Format, Output, OutputFormat
from cli.policy_source import POLICIES_FOLDER, short
from lambdas.moderation.policy import Policy

_SETTINGS = Path("gatehouse.yaml")


@dataclass(frozen=True, slots=True)
class _Checked:
    """A policy's file, and the policy or what is wrong with it."""

    file: Path
    policy: Policy | None
    error: str | None = None

    def to_document(self) -> dict[str, Any]:
        """For scripts."""
        if self.policy is None:
            return {"file": str(self.file), "ok": False, "error": self.error}
        policy = self.policy
        return {"file": str(self.file), "ok": True, "name": policy.name, "version": policy.version, "hash": policy.hash}

    def to_line(self) -> str:
        """For people."""
        if self.policy is None:
            return str(self.error)
        return f"{self.file}: ok, {self.policy.name} version {self.policy.version} ({short(self.policy.hash)})"


@dataclass(frozen=True, slots=True)
class _CheckedSettings:
    """A settings file, held against the policies of the folder."""

    file: Path
    error: str | None = None

    def to_document(self) -> dict[str, Any]:
        """For scripts."""
        document = {"file": str(self.file), "ok": self.error is None}
        return document | ({"error": self.error} if self.error else {})

    def to_line(self) -> str:
        """For people."""
        return self.error or f"{self.file}: ok, its lanes can use the policies in {POLICIES_FOLDER}"


def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Policy files.", show_default="./policies/*.yaml"),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings whose lanes use the policies.", show_default="./gatehouse.yaml"),
    ] = None,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Check policy files, and that the lanes of gatehouse.yaml can use them. Needs no AWS account.

    Each mistake is one line: file, line, what is wrong, what to write instead. Exits with 1 if there is any.
    """
    out = Output.of(output)
    checked = _check(files)
    checked_settings = _check_settings(settings)
    for entry in checked:
        out.say(entry.to_line(), style="green" if entry.policy else "red")
    if checked_settings is None:
        out.say(f"There is no ./{_SETTINGS}: what the lanes ask of Rekognition was not compared with the policies.")
    elif checked_settings.error not in [entry.error for entry in checked if entry.error]:
        out.say(checked_settings.to_line(), style="red" if checked_settings.error else "green")
    ok = all(entry.policy for entry in checked) and not (checked_settings and checked_settings.error)
    document = {
        "ok": ok,
        "policies": [entry.to_document() for entry in checked],
        "settings": checked_settings and checked_settings.to_document(),
    }
    out.document(document)
    if not ok:
        raise typer.Exit(1)


def _check(files: Sequence[Path] | None) -> list[_Checked]:
    from stacks.policies import compile_policies
    from stacks.settings_section import SettingsError

    if files:
        return [_compile(path) for path in files]
    checked = [_compile(path) for path in sorted(POLICIES_FOLDER.glob("*.yaml"))]
    if not checked:
        raise CommandError(f"There is no policy in ./{POLICIES_FOLDER}; name files, or run this beside that folder.")
    try:
        compile_policies(POLICIES_FOLDER)
    except SettingsError as error:  # also where a policy is right by itself and has another name than its file
        checked = [
            replace(entry, policy=None, error=str(error)) if str(error).startswith(f"{entry.file}:") else entry
            for entry in checked
        ]
    return checked


def _compile(path: Path) -> _Checked:
    from stacks.policies import compile_policy
    from stacks.settings_section import SettingsError

    try:
        return _Checked(path, compile_policy(path))
    except SettingsError as error:
        return _Checked(path, None, str(error))


def _check_settings(named: Path | None) -> _CheckedSettings | None:
    from stacks.policies import compile_policies
    from stacks.settings import load_settings
    from stacks.settings_section import SettingsError

    path = named or _SETTINGS
    if not named and not path.is_file():
        return None
    try:
        load_settings(path, compile_policies(POLICIES_FOLDER))
    except SettingsError as error:
        return _CheckedSettings(path, str(error))
    return _CheckedSettings(path)
