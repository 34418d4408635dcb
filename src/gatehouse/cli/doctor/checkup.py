"""All checks of `doctor`, each by itself: what one may not look at hides no other."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gatehouse.cli.doctor import account_checks, deployment_checks, limit_checks, machinery_checks
from gatehouse.cli.doctor.bucket_checks import MISSING, BucketChecks
from gatehouse.cli.doctor.finding import Finding, Health
from gatehouse.cli.doctor.machinery_checks import PipelineResources
from gatehouse.cli.doctor.stack_checks import DeployedStacks
from gatehouse.cli.errors import CommandError, user_message
from gatehouse.configuration.policies import compile_policies
from gatehouse.configuration.settings import Settings, load_name, load_settings
from gatehouse.configuration.settings_section import SettingsError

if TYPE_CHECKING:
    from gatehouse.cli.clock import Clock
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment
    from gatehouse.cli.paste import Paste

_SETTINGS, _POLICIES = Path("gatehouse.yaml"), Path("policies")

#: Checks without whose answer nothing works.
_ESSENTIAL = frozenset({"credentials"})

Found = Finding | Iterable[Finding] | None
Look = tuple[str, Callable[[], Found]]


class Checkup:
    """What there is to look at.

    Args:
        find: finds the deployment; None where it is not to be looked at.

    Attributes:
        has_settings: whether there is a settings file here.
        settings: of a deploy from here; None where there are none that can be read.
        deployment: None before the first deploy, or where it can't be looked at.
        is_deployed: whether there are stacks of that name; None if nobody could look.
    """

    def __init__(
        self,
        connection: "Connection",
        paste: "Paste",
        clock: "Clock",
        find: "Callable[[], Deployment] | None",
    ) -> None:
        self._connection, self._paste, self._clock, self._find = connection, paste, clock, find
        self.has_settings = settings_file() is not None
        self.settings: Settings | None = None
        self.deployment: Deployment | None = None
        self.is_deployed: bool | None = None

    def findings(self, say: Callable[[str], None] = lambda _: None) -> Iterator[Finding]:
        """What each check found, in order. Without credentials nothing else is looked at.

        Args:
            say: hears which check is next.
        """
        identity = _looked("credentials", lambda: account_checks.credentials(self._connection))
        yield from identity
        if any(finding.health is not Health.OK for finding in identity):
            return
        for group in (self._preliminaries, self._of_account, self._of_bucket, self._of_deployment):
            for check, look in group():
                say(f"Looking at {check}")
                found = _looked(check, look)
                yield from found
                if any(finding.check == MISSING for finding in found):
                    break  # nothing else can be said of it

    @property
    def name(self) -> str | None:
        """The deployment's name; None if nothing readable says it."""
        if self._paste.deployment_name:
            return self._paste.deployment_name
        file = settings_file()
        try:
            return load_name(file) if file else Settings(lanes=()).name
        except SettingsError:
            return None

    def _preliminaries(self) -> Iterator[Look]:
        yield "settings", self._read_settings
        if self._find is not None and self.name is not None:
            yield "stacks", self._look_up

    def _read_settings(self) -> Finding | None:
        file = settings_file()
        if file is None:
            return None
        if not _POLICIES.is_dir():
            return Finding(
                "settings",
                Health.UNKNOWN,
                f"There is {file}, and no folder {_POLICIES} that its lanes' policies could be in, so quotas and "
                "adapters were not compared with it: run this in the checkout you deploy from.",
            )
        try:
            self.settings = load_settings(file, compile_policies(_POLICIES))
        except SettingsError as error:
            return Finding("settings", Health.BROKEN, str(error))
        return Finding("settings", Health.OK, f"{file} can be deployed.")

    def _look_up(self) -> Found:
        """The stacks, and the deployment that they are."""
        assert self._find is not None and self.name is not None  # noqa: S101, PT018 - narrows the types
        stacks = DeployedStacks.look(self._connection, self.name)
        self.is_deployed = bool(stacks.statuses)
        if not stacks.statuses:
            return None
        problem = None
        try:
            self.deployment = self._find()
        except CommandError as error:
            problem = str(error)
        return stacks.findings(problem, self._paste)

    def _of_account(self) -> Iterator[Look]:
        connection, settings, paste = self._connection, self.settings, self._paste
        yield "detection", lambda: account_checks.detection(connection, settings, paste)
        if settings is not None:
            yield "bulk", lambda: account_checks.bulk(connection, settings, paste)
            yield "rekognition-quota", lambda: account_checks.rekognition_quota(connection, settings, paste)
            yield "lambda-quota", lambda: account_checks.lambda_quota(connection, settings, paste)
            yield "workflow-quota", lambda: account_checks.workflow_quota(connection, settings, paste)
            yield "adapter", lambda: account_checks.adapters(connection, settings, paste)

    def _of_bucket(self) -> Iterator[Look]:
        deployment = self.deployment
        bucket = (self.settings and self.settings.upload_bucket) or (deployment and deployment.upload_bucket)
        if not bucket:
            return
        roles = deployment.reading_roles if deployment else ()
        lists = any(each is not None and not each.animation_check for each in (deployment, self.settings))
        checks = BucketChecks(self._connection, bucket, self._clock, self._paste, self._granted_key(), roles, lists)
        yield "bucket-region", checks.region
        yield "eventbridge", checks.notifications
        yield "versioning", checks.versioning
        yield "bucket-policy", checks.policy
        yield "encryption", checks.encryption

    def _granted_key(self) -> str | None:
        """ARN of the key that the stacks let their roles use, or will; one that they are still to make has none."""
        if self.deployment is not None:
            return self.deployment.encryption_key
        return self.settings.encryption_key if self.settings else None

    def _of_deployment(self) -> Iterator[Look]:
        connection, deployment, paste, clock = self._connection, self.deployment, self._paste, self._clock
        if deployment is None:
            return
        resources: list[PipelineResources] = []
        yield "machinery", lambda: resources.append(PipelineResources.find(connection, deployment))
        if resources:
            yield "readers", lambda: machinery_checks.readers(connection, resources[0], paste)
            yield "rules", lambda: machinery_checks.rules(connection, resources[0], paste)
            yield "recursion", lambda: machinery_checks.recursion(connection, resources[0], paste)
        yield "subscribers", lambda: deployment_checks.subscribers(connection, deployment, paste)
        yield "subscriber-queues", lambda: deployment_checks.subscriber_queues(connection, deployment, paste)
        yield "lambda-in-use", lambda: limit_checks.lambda_in_use(connection, clock, paste)
        yield "in-flight", lambda: limit_checks.messages_in_flight(connection, deployment, paste)
        yield "dead-letters", lambda: limit_checks.dead_letters(connection, deployment, clock, paste)
        yield "alarm-listeners", lambda: deployment_checks.alarm_listeners(connection, deployment, paste)
        yield "alarms", lambda: deployment_checks.alarms(connection, deployment, paste)


def settings_file() -> Path | None:
    """The settings file that a deploy from here would take; None where there is none."""
    named = os.environ.get("GATEHOUSE_SETTINGS")
    if named:
        return Path(named)
    return _SETTINGS if _SETTINGS.is_file() else None


def _looked(check: str, look: Callable[[], Found]) -> list[Finding]:
    """What a check found; one that fails for a reason that anybody may meet could not be looked at.

    What it had found by then stands.
    """
    found: list[Finding] = []
    try:
        seen = look()
        found.extend([seen] if isinstance(seen, Finding) else seen or ())
    except Exception as error:
        sentence = user_message(error)
        if sentence is None:
            raise
        health = Health.BROKEN if check in _ESSENTIAL or isinstance(error, CommandError) else Health.UNKNOWN
        found.append(Finding(check, health, sentence))
    return found
