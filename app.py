"""Synthesizes the stacks: `python app.py`, or the CDK's command line through cdk.json.

GATEHOUSE_SETTINGS names another settings file than gatehouse.yaml; CDK_OUTDIR says where to write.
"""

import os
import sys
from pathlib import Path

from gatehouse.configuration.policies import compile_policies
from gatehouse.configuration.settings import load_settings
from gatehouse.configuration.settings_mistakes import find_settings_mistakes
from gatehouse.configuration.settings_section import SettingsError
from stacks.lambda_dependencies import DependenciesError
from stacks.node_runtime import use_packaged_node

ROOT = Path(__file__).resolve().parent

_NO_LISTENER = (
    "Warning: nobody is told when an alarm rings. Write alarm_email: you@example.com into gatehouse.yaml, or the ARN "
    "of your own topic as alarm_topic_arn."
)


def main() -> int:
    """Synthesize; returns the exit status. Each mistake in settings or policies is one line."""
    try:
        policies = compile_policies(ROOT / "policies")
        settings_file = Path(os.environ.get("GATEHOUSE_SETTINGS") or ROOT / "gatehouse.yaml")
        if mistakes := find_settings_mistakes(settings_file, policies):
            print(*mistakes, sep="\n", file=sys.stderr)
            return 1
        settings = load_settings(settings_file, policies)
        use_packaged_node()
        # Loading the CDK library starts Node.js and takes seconds: not before the settings are known to be right.
        from stacks.application import build_application

        build_application(settings, policies).synth()
        if not settings.has_alarm_listener:
            print(_NO_LISTENER, file=sys.stderr)
    except (SettingsError, DependenciesError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
