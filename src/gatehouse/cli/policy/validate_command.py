"""`policy validate`: checks policies as `make synth` does, but fast and offline."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from gatehouse.cli.errors import CommandError
from gatehouse.cli.output import Format, Output, OutputFormat
from gatehouse.cli.policy.policy_source import POLICIES_FOLDER, short
from gatehouse.moderation.policy.policy import Policy

_SETTINGS = Path("gatehouse.yaml")


@dataclass(frozen=True, slots=True)
class _Checked:
    """A policy file, with the policy or its mistakes. The notes are warnings."""

    file: Path
    policy: Policy | None
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """For scripts."""
        document: dict[str, Any] = {"file": str(self.file), "ok": self.policy is not None}
        if policy := self.policy:
            document |= policy.reference.to_document()
        return document | {"errors": list(self.errors), "notes": list(self.notes)}

    def show(self, out: Output) -> None:
        """For people."""
        for error in self.errors:
            out.say(error, style="red")
        if policy := self.policy:
            out.say(f"{self.file}: ok, {policy.name} version {policy.version} ({short(policy.hash)})", style="green")
        for note in self.notes:
            out.say(f"  note: {note}", style="yellow")


@dataclass(frozen=True, slots=True)
class _CheckedSettings:
    """A settings file, checked against the policies in the folder."""

    file: Path
    errors: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """For scripts."""
        return {"file": str(self.file), "ok": not self.errors, "errors": list(self.errors)}

    def show(self, out: Output, already_shown: Collection[str]) -> None:
        """For people. `already_shown` are mistakes that are not shown again."""
        for error in self.errors:
            if error not in already_shown:
                out.say(error, style="red")
        if not self.errors:
            out.say(f"{self.file}: ok, its lanes can use the policies in {POLICIES_FOLDER}", style="green")


def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Policy files.", show_default="./policies/*.yaml"),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="GATEHOUSE_SETTINGS",
            help="The settings whose lanes use the policies.",
            show_default="./gatehouse.yaml",
        ),
    ] = None,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Check policy files, and that the lanes of gatehouse.yaml can use them. Needs no AWS account.

    Each mistake is one line: file, line, what is wrong, what to write instead. Exits with 1 if there is any. A note
    is about something valid that may be unintended.
    """
    out = Output.of(output)
    checked, ignored = _check(files)
    checked_settings = _check_settings(settings)
    for entry in checked:
        entry.show(out)
    for note in ignored:
        out.say(note, style="yellow")
    if checked_settings is None:
        out.say(f"There is no ./{_SETTINGS}, so the lanes' min_confidence was not compared with the policies.")
    else:
        checked_settings.show(out, {error for entry in checked for error in entry.errors})
    ok = all(entry.policy for entry in checked) and not (checked_settings and checked_settings.errors)
    document = {
        "ok": ok,
        "policies": [entry.to_document() for entry in checked],
        "notes": list(ignored),
        "settings": checked_settings and checked_settings.to_document(),
    }
    out.document(document)
    if not ok:
        raise typer.Exit(1)


def _check(files: Sequence[Path] | None) -> tuple[list[_Checked], tuple[str, ...]]:
    """The checked files, and sentences about ignored files in the folder."""
    from gatehouse.configuration.policies import find_ignored

    if files:
        folder = POLICIES_FOLDER.resolve()
        return [_compile(path, as_deployed=path.resolve().parent == folder) for path in files], ()
    checked = [_compile(path, as_deployed=True) for path in sorted(POLICIES_FOLDER.glob("*.yaml"))]
    ignored = tuple(f"{path} is ignored; rename it to {path.stem}.yaml" for path in find_ignored(POLICIES_FOLDER))
    if not checked:
        remedy = f"{ignored[0]}." if ignored else "name files, or run this beside that folder."
        raise CommandError(f"There is no policy in ./{POLICIES_FOLDER}; {remedy}")
    return checked, ignored


def _compile(path: Path, *, as_deployed: bool = False) -> _Checked:
    from gatehouse.configuration.policies import compile_policy, find_mistakes, find_notes

    if mistakes := find_mistakes(path, as_deployed=as_deployed):
        return _Checked(path, None, tuple(map(str, mistakes)))
    policy = compile_policy(path)
    return _Checked(path, policy, notes=find_notes(policy))


def _check_settings(named: Path | None) -> _CheckedSettings | None:
    from gatehouse.configuration.policies import compile_policies
    from gatehouse.configuration.settings_mistakes import find_settings_mistakes
    from gatehouse.configuration.settings_section import SettingsError

    path = named or _SETTINGS
    if not path.is_file():
        return _CheckedSettings(path, (f"{path} is not a file; name one with --settings",)) if named else None
    try:
        policies = compile_policies(POLICIES_FOLDER)
    except SettingsError as error:
        return _CheckedSettings(path, (str(error),))
    return _CheckedSettings(path, tuple(map(str, find_settings_mistakes(path, policies))))
