"""Finds the policy that a command line names: by its file, its name (the active version), or a recorded hash."""

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatehouse.cli.aws.policy_parameters import OperatorsPolicyParameters, StoredPointer
from gatehouse.cli.aws.work_bucket import HASH, MIN_HASH_DIGITS, OperatorsWorkBucket
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.errors import CommandError
from gatehouse.moderation.policy.policy import Policy

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment
    from gatehouse.cli.invocation import Invocation

POLICIES_FOLDER = Path("policies")

_FILE_ENDINGS = (".yaml", ".yml", ".json")

_TOO_SHORT_A_HASH = re.compile(rf"[0-9a-f]{{1,{MIN_HASH_DIGITS - 1}}}")

SOURCE_HELP = (
    "a file (YAML or JSON), a policy's name (the active version), "
    f"or {MIN_HASH_DIGITS} or more digits of a policy's hash"
)


def read_policy_file(source: str) -> Policy | None:
    """The policy in a file, or None if `source` does not look like a file's path.

    Raises:
        SettingsError: the file can't be read or is not a policy.
    """
    from gatehouse.configuration.policies import compile_policy

    looks_like_a_file = "/" in source or source.endswith(_FILE_ENDINGS)
    return compile_policy(Path(source)) if looks_like_a_file else None


@dataclass(frozen=True, slots=True)
class PolicySources:
    """Finds policies in files and in a deployment.

    Attributes:
        pointers, documents: read the deployment's; called only when they are needed.
        folder: the folder of policy files, for active versions that have not been recorded yet.
    """

    pointers: Callable[[], OperatorsPolicyParameters]
    documents: Callable[[], OperatorsWorkBucket]
    folder: Path = POLICIES_FOLDER

    @classmethod
    def of(cls, connection: "Connection", deployment: "Callable[[], Deployment]") -> "PolicySources":
        """The policies of a deployment."""
        return cls(
            pointers=lambda: OperatorsPolicyParameters(connection.client("ssm"), deployment().policy_parameters),
            documents=lambda: OperatorsWorkBucket(connection.client("s3"), deployment().work_bucket),
        )

    def resolve(self, source: str) -> Policy:
        """The policy that `source` names.

        Raises:
            CommandError: there is none.
            SettingsError: the file is not a policy.
        """
        policy = read_policy_file(source)
        if policy is not None:
            return policy
        # Names come first: a name such as `decade` could also be a hash.
        pointers, unreadable = self.pointers().look()
        if source in pointers:
            return self.active(pointers[source])
        if HASH.fullmatch(source):
            policy = self.by_hash(source)
            if policy is None:
                raise CommandError(f"No policy whose hash begins with {source} is recorded; name its file instead.")
            return policy
        close = difflib.get_close_matches(source, pointers, n=1)
        if close:
            advice = f"did you mean {close[0]}?"
        elif unreadable:
            advice = f"a pointer can't be read: see `{COMMAND} policy status`."
        elif _TOO_SHORT_A_HASH.fullmatch(source):
            advice = f"write at least {MIN_HASH_DIGITS} digits of a policy's hash."
        else:
            advice = f"the policies in use are {', '.join(sorted(pointers))}; a file name ends in .yaml or .json."
        raise CommandError(f"{source} is not a policy of this deployment; {advice}")

    def active(self, stored: StoredPointer) -> Policy:
        """The active policy.

        Raises:
            CommandError: its document is neither recorded nor in the folder.
        """
        policy = self.by_hash(stored.pointer.hash)
        if policy is None:
            pointer = stored.pointer
            raise CommandError(
                f"{pointer.name} {pointer.version} ({short(pointer.hash)}) is active, but no batch has recorded it "
                f"yet, and it is not in {self.folder}; name the file that it was deployed from."
            )
        return policy

    def by_hash(self, digits: str) -> Policy | None:
        """The policy whose hash begins with these digits: a recorded one, else one in the folder.

        Raises:
            CommandError: several recorded policies match.
        """
        policy = self.documents().find_recorded(digits)
        return policy or next((found for found in self._files() if found.hash.startswith(digits)), None)

    def _files(self) -> Iterator[Policy]:
        """The policies in the folder; files with mistakes are skipped."""
        from gatehouse.configuration.policies import compile_policy
        from gatehouse.configuration.settings_section import SettingsError

        for path in sorted(self.folder.glob("*.yaml")):
            try:
                yield compile_policy(path)
            except SettingsError:
                continue


def sources_of(invocation: "Invocation") -> PolicySources:
    """The policies of a command's deployment, which is only looked up when it is needed."""
    return PolicySources.of(invocation.connection, lambda: invocation.deployment)


def short(policy_hash: str) -> str:
    """A hash shortened for people."""
    return policy_hash[:8]
