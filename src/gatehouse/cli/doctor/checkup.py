"""All checks of `doctor`, each by itself: what one may not look at hides no other."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatehouse.cli.doctor import account_checks, deployment_checks
from gatehouse.cli.doctor.bucket_checks import BucketChecks
from gatehouse.cli.doctor.finding import Finding, Health
from gatehouse.cli.errors import CommandError, user_message
from gatehouse.configuration.policies import compile_policies
from gatehouse.configuration.settings import Settings, load_settings

if TYPE_CHECKING:
    from gatehouse.cli.clock import Clock
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment

_SETTINGS, _POLICIES = Path("gatehouse.yaml"), Path("policies")

#: Checks without whose answer nothing works.
_ESSENTIAL = frozenset({"credentials"})

Found = Finding | Iterable[Finding] | None


@dataclass(frozen=True, slots=True)
class Checkup:
    """What there is to look at.

    Attributes:
        settings: of a deploy from here; None where there are none.
        deployment: None before the first deploy, or where it is not to be looked at.
    """

    connection: "Connection"
    settings: Settings | None
    deployment: "Deployment | None"
    clock: "Clock"

    def findings(self) -> Iterator[Finding]:
        """What each check found, in order. Without credentials nothing else is looked at."""
        (identity,) = _looked("credentials", lambda: account_checks.credentials(self.connection))
        yield identity
        if identity.health is not Health.OK:
            return
        for check, look in self._looks():
            yield from _looked(check, look)

    def _granted_key(self) -> str | None:
        """ARN of the key that the stacks let their roles use, or will; one that they are still to make has none."""
        if self.deployment is not None:
            return self.deployment.encryption_key
        return self.settings.encryption_key if self.settings else None

    def _looks(self) -> Iterator[tuple[str, Callable[[], Found]]]:
        connection, settings, deployment = self.connection, self.settings, self.deployment
        yield "detection", lambda: account_checks.detection(connection)
        if settings is not None:
            yield "bulk", lambda: account_checks.bulk(connection, settings)
            yield "rekognition-quota", lambda: account_checks.rekognition_quota(connection, settings)
            yield "lambda-quota", lambda: account_checks.lambda_quota(connection, settings)
            yield "workflow-quota", lambda: account_checks.workflow_quota(connection, settings)
            yield "adapter", lambda: account_checks.adapters(connection, settings)
        bucket = settings.upload_bucket if settings else None
        if bucket is None and deployment is not None:
            bucket = deployment.upload_bucket
        if bucket is not None:
            roles = deployment.reading_roles if deployment else ()
            checks = BucketChecks(connection, bucket, self.clock, self._granted_key(), roles)
            yield "bucket-region", checks.region
            yield "eventbridge", checks.notifications
            yield "versioning", checks.versioning
            yield "bucket-policy", checks.policy
            yield "encryption", checks.encryption
        if deployment is not None:
            yield "subscribers", lambda: deployment_checks.subscribers(connection, deployment)
            yield "announcements", lambda: deployment_checks.announcements(connection, deployment)
            yield "alarms", lambda: deployment_checks.alarms(connection, deployment)


def settings_here() -> Settings | None:
    """The settings that a deploy from here would take; None where there are none.

    Raises:
        SettingsError: they, or a policy, have a mistake.
    """
    named = os.environ.get("GATEHOUSE_SETTINGS")
    path = Path(named) if named else _SETTINGS
    if not named and not path.is_file():
        return None
    return load_settings(path, compile_policies(_POLICIES))


def _looked(check: str, look: Callable[[], Found]) -> list[Finding]:
    """What a check found; one that fails for a reason that anybody may meet could not be looked at."""
    try:
        found = look()
    except Exception as error:
        sentence = user_message(error)
        if sentence is None:
            raise
        health = Health.BROKEN if check in _ESSENTIAL or isinstance(error, CommandError) else Health.UNKNOWN
        return [Finding(check, health, sentence)]
    if found is None:
        return []
    return [found] if isinstance(found, Finding) else list(found)
