"""Activates a policy without a deploy, waits until every function follows, and then judges stored uploads by it."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gatehouse.aws.upload_bucket import PARALLEL_LOOKS, UploadBucket
from gatehouse.cli.aws.policy_parameters import FOLLOWED_AFTER, OperatorsPolicyParameters, StoredPointer
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable, Selection
from gatehouse.cli.aws.work_bucket import OperatorsWorkBucket
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.connection import Connection
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.errors import CommandError
from gatehouse.cli.policy.policy_source import short
from gatehouse.cli.policy.replay_run import PARALLEL_WRITES, ReplayRun, Report
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer, PolicyVersion

_SHOWN_AFTER = 10.0  # seconds; a moved pointer is nearly always visible immediately


@dataclass(slots=True)
class ApplyRun:
    """A run for one policy of a deployment. It can be repeated at any time: finished work is not repeated.

    Attributes:
        deployment: the deployment at the beginning; if it changes, the run ends.
        parameters: the pointers of the deployment's policies.
        stored: the policy's pointer; if somebody else moves it, the run ends.
    """

    policy: Policy
    connection: Connection
    deployment: Deployment
    clock: Clock
    parameters: OperatorsPolicyParameters
    stored: StoredPointer

    @classmethod
    def of(cls, policy: Policy, file: Path, connection: Connection, deployment: Deployment, clock: Clock) -> "ApplyRun":
        """Check that a run is possible, and return it. Changes nothing.

        Args:
            file: the policy's file.

        Raises:
            CommandError: no lane uses the policy, its pointer can't be read, its version exists with another content,
                or a lane's min_confidence is above its lowest threshold.
        """
        parameters = OperatorsPolicyParameters(connection.client("ssm"), deployment.policy_parameters)
        run = cls(policy, connection, deployment, clock, parameters, _pointer(parameters, policy, deployment))
        if not run.is_active_already:
            _check_version(policy, [*parameters.history(run.stored), run.stored.pointer], file)
        _check_thresholds(policy, deployment)
        return run

    @property
    def is_active_already(self) -> bool:
        """Whether the pointer already names the policy."""
        return self.stored.pointer.hash == self.policy.hash

    @property
    def intention(self) -> str:
        """A sentence that says what the run will do."""
        policy, pointer = self.policy, self.stored.pointer
        lanes = ", ".join(sorted(self.deployment.min_confidence_for(policy.name)))
        new = f"{policy.version} ({short(policy.hash)})"
        if self.is_active_already:
            return (
                f"{policy.name} {new} is already active (lanes: {lanes}). Uploads it has not decided are judged again."
            )
        old = f"{pointer.version} ({short(pointer.hash)})"
        if policy.hash == pointer.shipped.hash:
            new = f"{new}, the deployed version,"
        return (
            f"{policy.name} goes from version {old} to version {new} in {self.deployment.name} (lanes: {lanes}), and "
            "stored uploads are judged again."
        )

    def check_unmoved(self) -> None:
        """Check again after the confirmation, which may have taken a while.

        Raises:
            CommandError: the pointer was moved, or the deployment changed.
        """
        self.deployment.ensure_unchanged(self.connection)
        shown, self.stored = self.stored, self._look()
        if self.stored.version != shown.version:
            raise CommandError(
                f"The pointer of {self.policy.name} was moved in the meantime; run the same command again."
            )

    def make_active(self, tell: Callable[[str], None]) -> None:
        """Record the policy, move its pointer, and wait until every function follows.

        Raises:
            CommandError: somebody else moved the pointer, or the move is not visible yet.
        """
        work = OperatorsWorkBucket(self.connection.client("s3"), self.deployment.work_bucket)
        recorded = work.record_policy(self.policy)
        if not self.is_active_already:
            self._move()
        self._wait_for_functions(recorded or self.stored.now, tell)

    def judge_again(
        self, selection: Selection, *, segments: int, wait_seconds: float, publish: bool, tell: Callable[[str], None]
    ) -> Report:
        """Judge stored uploads again by the policy; see `ReplayRun`.

        Args:
            publish: whether changes are published to the sinks.
        """
        connection, deployment, pause = self.connection, self.deployment, self.clock.pause
        run = ReplayRun(
            self.policy,
            policy_name_for=deployment.policy_name_for,
            table=OperatorsVerdictTable.of(connection, deployment, segments, pause=pause),
            rewrite=OperatorsVerdictTable.of(connection, deployment, PARALLEL_WRITES, is_patient=False).rewrite,
            uploads=UploadBucket(
                connection.client("s3", connections=PARALLEL_LOOKS), finds_animations=deployment.animation_check
            ),
            announce=publish,
            retention=deployment.verdict_retention,
            is_active=self._is_as_it_was,
            clock=self.clock,
            tell=tell,
        )
        return run.run(selection, segments=segments, wait_seconds=wait_seconds)

    def _look(self) -> StoredPointer:
        return _pointer(self.parameters, self.policy, self.deployment)

    def _move(self) -> None:
        """Move the pointer to the policy. A read right after a write may return the old value."""
        name = self.policy.name
        version = self.parameters.move(self.stored, self.stored.pointer.moved_to(self.policy))
        if version != self.stored.version + 1:
            raise CommandError(
                f"Somebody else moved the pointer of {name} at the same time, and {self.policy.version} replaced that "
                f"version: see `{COMMAND} policy status`, and run the command again for the version you want."
            )
        moved = self.clock.moment()
        self.stored = self._look()
        while self.stored.version < version:
            if self.clock.seconds_since(moved) > _SHOWN_AFTER:
                raise CommandError(
                    f"The pointer of {name} was moved, but the move is not visible yet; run the same command again."
                )
            self.clock.pause(1)
            self.stored = self._look()

    def _wait_for_functions(self, recorded: datetime, tell: Callable[[str], None]) -> None:
        """Wait until no function uses a policy from before the last change of the pointer, or before the last deploy.

        Nor the policy in its own asset, which it uses while it can't find the deployed version's document.
        """
        changed = [self.stored.modified, recorded]
        if deployed := self.deployment.functions_deployed(self.connection):
            changed.append(deployed)
        left = FOLLOWED_AFTER - (self.stored.now - max(changed)).total_seconds()
        if left > 0:
            tell(
                f"Waiting {left:.0f} s until every function follows. Ctrl-C is safe: run the same command again to go "
                "on."
            )
            self.clock.pause(left)

    def _is_as_it_was(self) -> bool:
        """Whether neither the pointer nor the deployment changed, not even there and back, which may judge uploads."""
        now = self.parameters.look()[0].get(self.policy.name)
        if now is None or (now.pointer.hash, now.version) != (self.policy.hash, self.stored.version):
            return False
        return Deployment.find(self.connection, self.deployment.name) == self.deployment


def _pointer(parameters: OperatorsPolicyParameters, policy: Policy, deployment: Deployment) -> StoredPointer:
    found, unreadable = parameters.look()
    if policy.name in found:
        return found[policy.name]
    for broken in unreadable:
        if broken.parameter == deployment.policy_parameters.get(policy.name):
            raise CommandError(
                f"The pointer of {policy.name} can't be read ({broken.parameter}: {broken.problem}); "
                f"`{COMMAND} policy status` says how to fix it."
            )
    raise CommandError(
        f"No lane of {deployment.name} has a policy named {policy.name}; those in use are "
        f"{', '.join(deployment.policies)}. Change the name in the file, or give a lane this policy in gatehouse.yaml "
        "and deploy."
    )


def _check_version(policy: Policy, pointers: Iterable[PolicyPointer], file: Path) -> None:
    """Refuse another content for a version that has been active, because verdicts name the version."""
    taken: dict[str, set[str]] = {}
    for pointer in pointers:
        for version in (pointer.shipped, PolicyVersion(pointer.version, pointer.hash)):
            taken.setdefault(version.version, set()).add(version.hash)
    if others := sorted(taken.get(policy.version, set()) - {policy.hash}):
        free = _next_version(policy.version)
        while free in taken:
            free = _next_version(free)
        raise CommandError(
            f"{file}: version {policy.version} of {policy.name} exists with different content "
            f'({short(others[0])}); write version: "{free}".'
        )


def _check_thresholds(policy: Policy, deployment: Deployment) -> None:
    lowest = policy.lowest_threshold
    for lane, min_confidence in sorted(deployment.min_confidence_for(policy.name).items()):
        if lowest < min_confidence:
            raise CommandError(
                f"{policy.name} {policy.version} has a threshold at {lowest:g}, but lane {lane} requests only labels "
                f"from {min_confidence:g}; set its min_confidence to {lowest:g} or less in gatehouse.yaml and deploy "
                "first."
            )


def _next_version(version: str) -> str:
    number = re.fullmatch(r"(.*?)(\d+)", version)
    return f"{number[1]}{int(number[2]) + 1:0{len(number[2])}}" if number else f"{version}-2"
