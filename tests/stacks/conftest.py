"""The stacks, synthesized once for each set of settings the tests look at."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from gatehouse.configuration.policies import compile_policies
from gatehouse.configuration.settings import Settings, load_settings
from stacks.lambda_dependencies import install_dependencies
from stacks.node_runtime import use_packaged_node
from tests.stacks.workflow import Workflow

use_packaged_node()
hypothesis.settings.register_profile("gatehouse", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("gatehouse")

ROOT = Path(__file__).resolve().parents[2]

#: Settings that turn on what the shipped ones leave off.
ELABORATE = """
name: images
upload_bucket: somebody-elses-bucket
notify: [APPROVED, FAILED]
decision_reasons: [spam, other]
events: {bus: pictures, statuses: [BLOCKED, FAILED]}
log_retention_days: 14
work_retention_days: 45
verdict_retention_days: 365
alarm_topic_arn: arn:aws:sns:eu-west-1:111122223333:alarms
image_engine:
  calls_per_second: 40
  shares: {fast: 25, live: 50, backfill: 25}
backfill_batches: 3
model_version: "8.0"
lanes:
  default:
    exclude_prefixes: [internal/]
    policy_overrides: {kids/: strict, art/: permissive}
  profile-pictures:
    prefixes: [profiles/, avatars/]
    suffixes: [.jpg]
    max_size: 5000000
    max_wait: 0
    max_concurrency: 5
    policy: strict
    adapter: arn:aws:rekognition:eu-west-1:111122223333:project/faces/version/v1/1700000000000
    job_deadline_hours: 2
  chat:
    prefixes: [chat/]
    priority: fast
  archive:
    prefixes: [archive/]
    priority: backfill
    max_wait: 300
"""

#: Settings of an account that has no bulk, and says so; approvals need no look for animations.
IMAGE_ONLY = """
animation_check: false
lanes:
  default: {engine: image}
  archive: {prefixes: [archive/], priority: backfill, engine: image}
"""

#: What was in the bucket before is moderated: by lanes of other priorities, and by one of the same.
EXISTING_OBJECTS = """
existing_objects: true
lanes:
  default: {}
  chat: {prefixes: [chat/], priority: fast}
  archive: {prefixes: [archive/], priority: backfill}
"""

#: Everything encrypted with a key that is made, that of events included.
OWN_KEY = "{encryption_key: create, events: {bus: default}, lanes: {default: {}}}"

#: Everything encrypted with a key that exists, and what the elaborate settings have.
EXISTING_KEY = (
    f"{ELABORATE}\nencryption_key: arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab\n"
)

Template = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Assembly:
    """What a synthesis wrote: the folder, and the templates by the last word of their stacks' names."""

    folder: Path
    storage: Template
    pipeline: Template
    monitoring: Template

    @property
    def templates(self) -> tuple[Template, Template, Template]:
        return self.storage, self.pipeline, self.monitoring


def resources(template: Template, kind: str) -> Mapping[str, Any]:
    """The resources of a CloudFormation type, by logical id."""
    return {name: resource for name, resource in template["Resources"].items() if resource["Type"] == kind}


def only(template: Template, kind: str, beginning: str = "") -> Any:
    """The one resource of a type whose logical id begins so."""
    found = [resource for name, resource in resources(template, kind).items() if name.startswith(beginning)]
    assert len(found) == 1, f"{len(found)} resources of type {kind} begin with {beginning!r}"
    return found[0]


@pytest.fixture(scope="session")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Assembly]:
    """Synthesize settings given as YAML."""
    install_dependencies()

    @cache
    def synthesize(yaml: str) -> Assembly:
        from stacks.application import build_application

        folder = tmp_path_factory.mktemp("assembly")
        settings, policies = settings_of(yaml, folder), compile_policies(ROOT / "policies")
        build_application(settings, policies, folder / "cdk.out").synth()
        templates = [
            json.loads((folder / "cdk.out" / f"{settings.name}-{stack}.template.json").read_text("utf-8"))
            for stack in ("storage", "pipeline", "monitoring")
        ]
        return Assembly(folder / "cdk.out", *templates)

    return synthesize


def settings_of(yaml: str, folder: Path) -> Settings:
    """Load settings given as YAML."""
    file = folder / "gatehouse.yaml"
    file.write_text(yaml, encoding="utf-8")
    return load_settings(file, compile_policies(ROOT / "policies"))


@pytest.fixture(scope="session")
def shipped(synthesized: Callable[[str], Assembly]) -> Assembly:
    """The stacks of the settings in the repository."""
    return synthesized((ROOT / "gatehouse.yaml").read_text("utf-8"))


@pytest.fixture(scope="session")
def elaborate(synthesized: Callable[[str], Assembly]) -> Assembly:
    """The stacks of settings that use everything."""
    return synthesized(ELABORATE)


@pytest.fixture(scope="session")
def image_only(synthesized: Callable[[str], Assembly]) -> Assembly:
    """The stacks of settings where no lane may use bulk."""
    return synthesized(IMAGE_ONLY)


@pytest.fixture(scope="session")
def own_key(synthesized: Callable[[str], Assembly]) -> Assembly:
    """The stacks of settings that have a key made."""
    return synthesized(OWN_KEY)


@pytest.fixture(scope="session")
def existing_key(synthesized: Callable[[str], Assembly]) -> Assembly:
    """The stacks of settings that use everything, and a key that exists."""
    return synthesized(EXISTING_KEY)


@pytest.fixture(scope="session")
def live(shipped: Assembly) -> Workflow:
    """The workflow of the shipped settings, in a Region with a small quota: 5 calls a second."""
    return workflow(shipped, "Live")


@pytest.fixture(scope="session")
def live_in_large_region(shipped: Assembly) -> Workflow:
    """The workflow of the shipped settings, where the quota is 50 calls a second."""
    return workflow(shipped, "Live", is_large_region=True)


@pytest.fixture(scope="session")
def fast(elaborate: Assembly) -> Workflow:
    """The workflow of a fast lane."""
    return workflow(elaborate, "Fast")


@pytest.fixture(scope="session")
def backfill(elaborate: Assembly) -> Workflow:
    """The workflow of a backfill lane, of which three batches are let on."""
    return workflow(elaborate, "Backfill")


def workflow(assembly: Assembly, priority: str, *, is_large_region: bool = False) -> Workflow:
    """The workflow of a priority."""
    machine = only(assembly.pipeline, "AWS::StepFunctions::StateMachine", f"{priority}Analysis")
    return Workflow.of(machine, is_large_region=is_large_region)
