"""The policies a deployment ships: policies/*.yaml, checked and compiled to canonical JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lambdas.moderation.policy import Policy, PolicyError
from stacks.settings_section import SettingsError
from stacks.yaml_source import YamlError, read_yaml

#: Characters of a standard parameter (Systems Manager User Guide, parameter-store-advanced-parameters.html).
_MAX_PARAMETER = 4096


@dataclass(frozen=True, slots=True)
class PolicyCatalog:
    """The compiled policies by name."""

    policies: Mapping[str, Policy]

    def files(self) -> dict[str, str]:
        """What the functions' asset holds: file name under `policies/` -> canonical JSON."""
        return {f"{name}.json": _canonical(policy.to_document()) for name, policy in sorted(self.policies.items())}

    def pointer(self) -> str:
        """Which policies are in force: JSON of `{name: {"version", "hash"}}`."""
        return _canonical(
            {name: {"version": policy.version, "hash": policy.hash} for name, policy in self.policies.items()}
        )


def compile_policies(folder: Path) -> PolicyCatalog:
    """Compile every `*.yaml` of a folder.

    Raises:
        SettingsError: a policy is malformed, is not named like its file, or there are too many to point to.
    """
    policies = {path.stem: _compile(path) for path in sorted(folder.glob("*.yaml"))}
    catalog = PolicyCatalog(policies)
    if (length := len(catalog.pointer())) > _MAX_PARAMETER:
        problem = (
            f"{len(policies)} policies take {length} characters of a parameter of {_MAX_PARAMETER}; drop unused ones"
        )
        raise SettingsError(folder, 1, problem)
    return catalog


def _compile(path: Path) -> Policy:
    try:
        source = read_yaml(path)
    except YamlError as error:
        raise SettingsError(path, error.line, error.problem) from error
    try:
        policy = Policy.from_document(source.plain())
    except PolicyError as error:
        raise SettingsError(path, source.line, str(error)) from error
    if policy.name != path.stem:
        line = source.value["name"].line
        raise SettingsError(path, line, f"name: {policy.name!r} differs from the file's; write name: {path.stem}")
    return policy


def _canonical(document: object) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))
