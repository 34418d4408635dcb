"""Making a policy active without a deploy, so that every function follows, before stored uploads are judged by it."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gatehouse.aws.flag_topic import FlagTopic
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
from gatehouse.moderation.flag_publisher import FlagPublisher
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer, PolicyVersion

_SHOWN_AFTER = 10.0  # seconds; a pointer that was moved shows it at once, nearly always


@dataclass(slots=True)
class ApplyRun:
    """A run for one policy of a deployment. It may be begun again at any time: what is done is done.

    Attributes:
        deployment: as it was when the run began; where it changes, the run ends.
        parameters: with the pointers of the deployment's policies.
        stored: the policy's pointer, as it is to stay.
    """

    policy: Policy
    connection: Connection
    deployment: Deployment
    clock: Clock
    parameters: OperatorsPolicyParameters
    stored: StoredPointer

    @classmethod
    def of(cls, policy: Policy, file: Path, connection: Connection, deployment: Deployment, clock: Clock) -> "ApplyRun":
        """A run that may be begun. Changes nothing.

        Args:
            file: that the policy is from.

        Raises:
            CommandError: no lane has the policy, its pointer can't be read, its version is another policy's, or
                Rekognition is not asked for all that it judges by.
        """
        parameters = OperatorsPolicyParameters(connection.client("ssm"), deployment.policy_parameters)
        run = cls(policy, connection, deployment, clock, parameters, _pointer(parameters, policy, deployment))
        if not run.is_active_already:
            _check_version(policy, [*parameters.history(run.stored), run.stored.pointer], file)
        _check_thresholds(policy, deployment)
        return run

    @property
    def is_active_already(self) -> bool:
        """Whether the pointer names the policy."""
        return self.stored.pointer.hash == self.policy.hash

    @property
    def intention(self) -> str:
        """What is going to happen, in a sentence."""
        policy, pointer = self.policy, self.stored.pointer
        lanes = ", ".join(sorted(self.deployment.min_confidence_for(policy.name)))
        new = f"{policy.version} ({short(policy.hash)})"
        if self.is_active_already:
            return (
                f"{policy.name} {new} is active already (lanes: {lanes}). Uploads it has not decided are judged again."
            )
        old = f"{pointer.version} ({short(pointer.hash)})"
        if policy.hash == pointer.shipped.hash:
            new = f"{new}, which was deployed,"
        return (
            f"{policy.name} goes from version {old} to version {new} in {self.deployment.name} (lanes: {lanes}), and "
            "stored uploads are judged again."
        )

    def check_unmoved(self) -> None:
        """Look again, after somebody has taken time to think.

        Raises:
            CommandError: the pointer was moved, or something deployed.
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
            CommandError: somebody else moved the pointer, or it does not show yet that it was moved.
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
            publish: whether flags are sent for what changes.
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
            flags=FlagPublisher(FlagTopic(connection.client("sns"), deployment.flag_topic_arn), pause)
            if publish
            else None,
            notified=deployment.notified,
            is_active=self._is_as_it_was,
            clock=self.clock,
            tell=tell,
        )
        return run.run(selection, segments=segments, wait_seconds=wait_seconds)

    def _look(self) -> StoredPointer:
        return _pointer(self.parameters, self.policy, self.deployment)

    def _move(self) -> None:
        """Move the pointer to the policy. What is read right after a write may be what was there before."""
        name = self.policy.name
        version = self.parameters.move(self.stored, self.stored.pointer.moved_to(self.policy))
        if version != self.stored.version + 1:
            raise CommandError(
                f"Somebody else moved the pointer of {name} at the same time, and {self.policy.version} took its "
                f"place: see `{COMMAND} policy status`, and run the command again for the version you want."
            )
        moved = self.clock.moment()
        self.stored = self._look()
        while self.stored.version < version:
            if self.clock.seconds_since(moved) > _SHOWN_AFTER:
                raise CommandError(
                    f"The pointer of {name} was moved, and does not show it yet; run the same command again."
                )
            self.clock.pause(1)
            self.stored = self._look()

    def _wait_for_functions(self, recorded: datetime, tell: Callable[[str], None]) -> None:
        """Until no function goes by what was there before the pointer was last changed, or before the last deploy.

        Nor by what it ships, as it does while it can't find the document of the version that was deployed.
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
        """Whether pointer and deployment are: moved away and back, uploads may have been judged in between."""
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
                f"`{COMMAND} policy status` says how to mend it."
            )
    raise CommandError(
        f"No lane of {deployment.name} has a policy named {policy.name}; those in use are "
        f"{', '.join(deployment.policies)}. Change the name in the file, or give a lane this policy in gatehouse.yaml "
        "and deploy."
    )


def _check_version(policy: Policy, pointers: Iterable[PolicyPointer], file: Path) -> None:
    """A version that was ever active stays what it is: verdicts name it."""
    taken: dict[str, set[str]] = {}
    for pointer in pointers:
        for version in (pointer.shipped, PolicyVersion(pointer.version, pointer.hash)):
            taken.setdefault(version.version, set()).add(version.hash)
    if others := sorted(taken.get(policy.version, set()) - {policy.hash}):
        free = _next_version(policy.version)
        while free in taken:
            free = _next_version(free)
        raise CommandError(
            f"{file}: version {policy.version} of {policy.name} exists with another content "
            f'({short(others[0])}); write version: "{free}".'
        )


def _check_thresholds(policy: Policy, deployment: Deployment) -> None:
    lowest = policy.lowest_threshold
    for lane, min_confidence in sorted(deployment.min_confidence_for(policy.name).items()):
        if lowest < min_confidence:
            raise CommandError(
                f"{policy.name} {policy.version} has a threshold at {lowest:g}, and lane {lane} asks Rekognition for "
                f"labels from {min_confidence:g} only; set its min_confidence to {lowest:g} or less in gatehouse.yaml "
                "and deploy first."
            )


def _next_version(version: str) -> str:
    number = re.fullmatch(r"(.*?)(\d+)", version)
    return f"{number[1]}{int(number[2]) + 1:0{len(number[2])}}" if number else f"{version}-2"
