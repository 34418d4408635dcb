"""The policies of a deployment: policies/*.yaml, checked and compiled to canonical JSON."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from os.path import isfile
from pathlib import Path
from typing import Any

from gatehouse.configuration.settings_section import SettingsError, every_mistake
from gatehouse.configuration.yaml_source import Entry, YamlError, read_yaml
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.policy.policy import Policy, PolicyError
from gatehouse.moderation.policy.policy_document import DEFAULT, SCHEMA, THRESHOLD_KEYS
from gatehouse.moderation.policy.policy_document import Path as Place
from gatehouse.moderation.policy.rule import Outcome, Rule

_ALLOW = Outcome.ALLOW.value
#: Correct values that replace wrong ones, to find further mistakes.
_IN_ORDER: Mapping[str, Any] = {
    "schema": SCHEMA,
    "name": "in-order",
    "version": "1",
    "description": "",
    DEFAULT: _ALLOW,
    "rules": {},
}
_TEXTS = (("name",), ("version",), ("description",))
_FOLDER = Path("policies")
_NUMBER = re.compile(r"\s*0*(\d+(?:\.\d+)?)\s*%?\s*")


class PolicyFileError(SettingsError):
    """A file can't be read at all. Reported without a line: `file: what is wrong; what to do instead`."""

    def __init__(self, file: Path, problem: str) -> None:
        ValueError.__init__(self, f"{file}: {problem}")
        self.line = 1


@dataclass(frozen=True, slots=True)
class PolicySource:
    """A policy and its source file."""

    file: Path
    document: Entry
    policy: Policy

    def line_of(self, place: Place) -> int:
        """The line of the deepest of these keys and positions that the file has, or of the whole policy."""
        return _look_up(self.document, place)[0].line


@dataclass(frozen=True, slots=True)
class PolicyCatalog:
    """The compiled policies by name, with their sources."""

    sources: Mapping[str, PolicySource]

    @property
    def policies(self) -> Mapping[str, Policy]:
        """The policies by name."""
        return {name: source.policy for name, source in self.sources.items()}

    def files(self, names: Iterable[str]) -> dict[str, str]:
        """The files of these policies in the functions' asset: file name under `policies/` -> canonical JSON."""
        return {f"{name}.json": self.sources[name].policy.to_text() for name in sorted(names)}

    def line_of(self, name: str, place: Place) -> int:
        """The line of a rule or a threshold in its policy's file, for example of `("rules", "Violence", "review")`."""
        return self.sources[name].line_of(place)


def compile_policies(folder: Path) -> PolicyCatalog:
    """Compile every `*.yaml` of a folder.

    Raises:
        SettingsError: a policy is malformed, or its name differs from its file's.
    """
    sources = {path.stem: _compile(path) for path in sorted(folder.glob("*.yaml"))}
    for name, source in sources.items():
        if source.policy.name != name:
            raise _misnamed(source.file, source.policy.name, source.line_of(("name",)))
    return PolicyCatalog(sources)


def find_ignored(folder: Path) -> tuple[Path, ...]:
    """Files of a folder that look like policies but that `compile_policies` ignores, sorted."""
    return tuple(sorted(folder.glob("*.yml")))


def compile_policy(path: Path) -> Policy:
    """Compile one file, whatever its name is. JSON files work as well, because JSON is YAML.

    Raises:
        SettingsError: the file can't be read or is not a policy.
    """
    return _compile(path).policy


def find_mistakes(path: Path, *, as_deployed: bool = False) -> tuple[SettingsError, ...]:
    """All mistakes in a file, in the order of its lines; none if it compiles.

    Args:
        as_deployed: also compare the policy's name with the file's, as `compile_policies` does.
    """
    try:
        document = _read(path)
    except SettingsError as error:
        return (error,)
    plain = document.plain()
    mistakes: list[SettingsError] = []
    name, is_named = _look_up(document, ("name",))
    for mistake in every_mistake(lambda: _mistake(plain), lambda mistake: _mend(plain, mistake.path)):
        mistakes.append(_located(path, document, mistake))
        is_named = is_named and mistake.path != ("name",)
    if as_deployed and is_named and name.value != path.stem:
        mistakes.append(_misnamed(path, name.value, name.line))
    return tuple(sorted(mistakes, key=lambda mistake: mistake.line))


def find_notes(policy: Policy) -> tuple[str, ...]:
    """Warnings: rules that change nothing, confidences that look like fractions, and a label that has been narrowed."""
    return tuple(_notes(policy))


def _notes(policy: Policy) -> Iterator[str]:
    for label, rule in policy.rules.items():
        above = next((policy.rules[name] for name in taxonomy.ancestors(label) if name in policy.rules), None)
        if above and (above.thresholds, above.when) == (rule.thresholds, rule.when):
            yield f"{label}: the same as the rule for {above.name}; remove it unless that one may change"
    for rule in (policy.default, *policy.rules.values()):
        if rule.when and rule.when[-1].then == rule.thresholds:
            yield f"{rule.name}: the last refinement is the same as the rule itself; remove it"
    for rule in (policy.default, *policy.rules.values()):
        yield from (_fraction(rule.name, confidence) for confidence in _confidences(rule) if 0 < confidence <= 1)
    others = [label for label in taxonomy.descendants("Explicit") if taxonomy.level(label) == 2]
    forgotten = [label for label in others if label not in policy.rules]
    if "Explicit Nudity" in policy.rules and "Explicit" not in policy.rules and forgotten:
        yield (
            "Explicit Nudity: in model 6.1 this was the whole category; in taxonomy 7.0 the category is Explicit, and "
            f"the default applies to {' and '.join(forgotten)} here"
        )


def _confidences(rule: Rule) -> Iterator[float]:
    """All confidences in a rule."""
    for refinement in rule.when:
        yield from refinement.content_types.values()
    for thresholds in rule.alternatives:
        yield from (least for least in (thresholds.review, thresholds.block) if least is not None)


def _fraction(rule: str, confidence: float) -> str:
    size = "is below one percent" if confidence < 1 else "is one percent"
    return f"{rule}: {confidence:g} {size}; confidences go to 100; write {100 * confidence:g} if you mean that"


def _mistake(plain: Any) -> PolicyError | None:
    try:
        Policy.from_document(plain)
    except PolicyError as error:
        return error
    return None


def _mend(plain: Any, place: Place) -> bool:
    """Remove a mistake from a document; False if it can't be separated from the rest."""
    if place[:1] == ("rules",) and len(place) > 1:
        del plain["rules"][place[1]]
    elif place and (mended := _IN_ORDER.get(str(place[0]))) is not None:
        plain[place[0]] = mended
    elif place:
        del plain[place[0]]
    else:
        missing = next(
            (key for key in ("name", "version", DEFAULT) if isinstance(plain, dict) and key not in plain), ""
        )
        if not missing:
            return False
        plain[missing] = _IN_ORDER[missing]
    return True


def _compile(path: Path) -> PolicySource:
    document = _read(path)
    try:
        return PolicySource(path, document, Policy.from_document(document.plain()))
    except PolicyError as error:
        raise _located(path, document, error) from error


def _read(path: Path) -> Entry:
    try:
        return read_yaml(path)
    except YamlError as error:
        raise SettingsError(path, error.line, error.problem) from error
    except OSError as error:
        meant = _FOLDER / f"{path.stem}.yaml"
        advice = f"did you mean {meant}?" if meant != path and isfile(meant) else "give the path of a policy file"
        raise PolicyFileError(path, f"can't be read: {error.strerror}; {advice}") from error


def _misnamed(file: Path, name: str, line: int) -> SettingsError:
    return SettingsError(
        file, line, f"name: {name!r} is not the file name; write name: {file.stem}, or rename the file"
    )


def _located(path: Path, document: Entry, error: PolicyError) -> SettingsError:
    entry, whole = _look_up(document, error.path)
    hint = _hint(error.path, entry.value) if whole else ""
    return SettingsError(path, entry.line, f"{error}{hint}")


def _look_up(document: Entry, place: Place) -> tuple[Entry, bool]:
    """The deepest existing entry on the path to a place, and whether it is the place itself."""
    entry = document
    for step in place:
        inner = _child(entry, step)
        if inner is None:
            return entry, False
        entry = inner
    return entry, True


def _child(entry: Entry, step: str | int) -> Entry | None:
    if isinstance(step, str):
        return entry.value.get(step) if isinstance(entry.value, dict) else None
    within = isinstance(entry.value, list) and step < len(entry.value)
    return entry.value[step] if within else None


def _hint(place: Place, value: Any) -> str:
    """What a refused value probably means. YAML gives some values another type than people expect."""
    if isinstance(value, bool) and place[-1:] != (_ALLOW,):
        return " (YAML reads yes, no, on and off as true and false)"
    if place in _TEXTS and isinstance(value, int | float | date):
        return " (YAML reads it as a number or a date; put it in quotes)"
    if not isinstance(value, str):
        return ""
    if value != _ALLOW and value.strip().lower() == _ALLOW:
        return " (write allow in lowercase)"
    number = _NUMBER.fullmatch(value)
    return f" (write {number[1]})" if number and _is_confidence(place) else ""


def _is_confidence(place: Place) -> bool:
    return any(step in THRESHOLD_KEYS for step in place[-1:]) or place[-2:-1] == ("content_types",)
