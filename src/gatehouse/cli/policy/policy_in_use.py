"""A policy in use, looked up: its file here, and its pointer in the deployment."""

from gatehouse.cli.aws.policy_parameters import StoredPointer
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.policy.drift import PolicyInUse
from gatehouse.cli.policy.policy_source import POLICIES_FOLDER
from gatehouse.moderation.policy.policy import Policy


def policy_in_use(name: str, deployment: Deployment, stored: StoredPointer | None) -> PolicyInUse:
    """The policy of this name, with the pointer that was read of it."""
    from gatehouse.configuration.policies import compile_policy
    from gatehouse.configuration.settings_section import SettingsError

    file = POLICIES_FOLDER / f"{name}.yaml"
    written: Policy | None = None
    mistake: str | None = None
    if file.is_file():
        try:
            written = compile_policy(file)
        except SettingsError as error:
            mistake = str(error)
    return PolicyInUse(name, tuple(sorted(deployment.min_confidence_for(name))), file, written, mistake, stored)
