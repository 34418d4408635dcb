"""A policy is changed without a deploy, and a deploy undoes only what it changes itself."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatehouse.configuration.policies import compile_policies
from gatehouse.configuration.settings import load_settings
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer, policy_key
from gatehouse.moderation.status import Status
from localcloud.cloud import LocalCloud
from stacks.lambda_dependencies import install_dependencies
from stacks.node_runtime import use_packaged_node
from tests.e2e.conftest import TIME_SCALE
from tests.e2e.images import REVIEW, image
from tests.e2e.pipeline import Pipeline
from tests.e2e.short_waits import PART, with_short_waits

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = """
log_retention_days: {log_retention_days}
lanes:
  default:
    policy_overrides: {{kids/: strict}}
"""

#: Under policies/standard.yaml both are reviewed.
GRAPHIC_VIOLENCE, DRUGS = REVIEW, image("Smoking", 85.0)


def synthesized(folder: Path, log_retention_days: int = 90, **versions: str) -> Path:
    """The assembly of a deployment, in which some policies' files have another version."""
    use_packaged_node()
    from stacks.application import build_application

    policies = folder / "policies"
    policies.mkdir(parents=True)
    for source in (ROOT / "policies").glob("*.yaml"):
        text = source.read_text("utf-8")
        if source.stem in versions:
            text = text.replace('version: "1"', f'version: "{versions[source.stem]}"')
        (policies / source.name).write_text(text, "utf-8")
    settings = folder / "gatehouse.yaml"
    settings.write_text(SETTINGS.format(log_retention_days=log_retention_days), "utf-8")
    catalog = compile_policies(policies)
    build_application(load_settings(settings, catalog), catalog, folder / "cdk.out").synth()
    return folder / "cdk.out"


class Team:
    """Those who change policies, and upload to see what comes of it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._uploads = 0

    def pointer(self, policy: str) -> PolicyPointer:
        """What a policy's parameter holds."""
        answer = self.pipeline.cloud.client("ssm").get_parameters(Names=[self._parameter(policy)])
        return PolicyPointer.from_text(answer["Parameters"][0]["Value"])

    def apply(self, change: Policy) -> None:
        """Change a policy live: the document first, then the pointer."""
        self.pipeline.cloud.client("s3").put_object(
            Bucket=self.pipeline.outputs["WorkBucketName"], Key=policy_key(change.hash), Body=change.to_text().encode()
        )
        self.pipeline.cloud.client("ssm").put_parameter(
            Name=self._parameter(change.name),
            Value=self.pointer(change.name).moved_to(change).to_text(),
            Overwrite=True,
        )

    def verdict(self, prefix: str, body: bytes) -> dict[str, Any]:
        """Upload an image, and wait for its verdict."""
        self._uploads += 1
        key = f"{prefix}{self._uploads}.jpg"
        self.pipeline.upload(key, body)
        (verdict,) = self.pipeline.wait_for_verdicts(1, key)
        return verdict

    def recorded(self, policy_hash: str) -> Policy:
        """A document of the work bucket."""
        return Policy.from_document(json.loads(self.pipeline.work_object(policy_key(policy_hash))))

    def _parameter(self, policy: str) -> str:
        return self.pipeline.outputs[f"{policy.capitalize()}PolicyParameterName"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    install_dependencies()
    return tmp_path_factory.mktemp("deployments")


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Iterator[Pipeline]:
    """A lane with a policy of its own for one prefix."""
    assembly = with_short_waits(synthesized(folder / "first"), folder)
    with LocalCloud.start(time_scale=TIME_SCALE) as cloud:
        yield Pipeline(cloud, cloud.deploy(assembly))


@pytest.fixture
def team(pipeline: Pipeline) -> Team:
    return Team(pipeline)


def changed(policy: Policy, version: str, **rules: object) -> Policy:
    """Another version of a policy."""
    document = policy.to_document()
    return Policy.from_document({**document, "version": version, "rules": {**document["rules"], **rules}})


def test_a_live_change_is_followed_within_a_minute_where_its_policy_holds(team: Team, prefix: str) -> None:
    before = team.verdict(prefix, GRAPHIC_VIOLENCE)
    standard = team.recorded(before["policy"]["hash"])
    assert (before["status"], standard.name) == (Status.REVIEW, "standard")
    children = team.verdict(f"kids/{prefix}", GRAPHIC_VIOLENCE)
    assert (children["status"], children["policy"]["name"]) == (Status.BLOCKED, "strict")

    change = changed(standard, "tried", Violence="allow")
    team.apply(change)
    moved = time.monotonic()
    while (after := team.verdict(prefix, GRAPHIC_VIOLENCE))["policy"]["hash"] == standard.hash:
        assert time.monotonic() - moved < 60 / PART, "a minute later an upload is still judged by the policy of before"

    assert (after["status"], after["policy"]["version"]) == (Status.APPROVED, "tried")
    assert after["policy"]["hash"] == change.hash
    assert team.verdict(f"kids/{prefix}", GRAPHIC_VIOLENCE)["policy"] == children["policy"]


def test_a_deployment_leaves_a_live_change_alone_unless_it_changes_the_policy_itself(
    team: Team, folder: Path, prefix: str
) -> None:
    shipped = {name: compile_policies(ROOT / "policies").policies[name] for name in ("standard", "strict")}
    for policy in shipped.values():
        team.apply(changed(policy, "live", Violence="allow"))
    live = {name: team.pointer(name) for name in shipped}
    assert all(pointer.is_live for pointer in live.values())

    team.pipeline.cloud.deploy(synthesized(folder / "unchanged", log_retention_days=30))
    assert {name: team.pointer(name) for name in shipped} == live

    team.pipeline.cloud.deploy(synthesized(folder / "changed", standard="2"))
    assert team.pointer("strict") == live["strict"]
    assert team.pointer("standard") == PolicyPointer.to_shipped(replace(shipped["standard"], version="2"))
    assert team.verdict(prefix, DRUGS)["policy"]["version"] == "2"
    assert team.verdict(f"kids/{prefix}", GRAPHIC_VIOLENCE)["policy"]["version"] == "live"


def test_a_batcher_that_may_not_look_starts_nothing_until_it_may(team: Team, prefix: str) -> None:
    pipeline, key = team.pipeline, f"{prefix}picture.jpg"
    functions, iam = pipeline.cloud.client("lambda"), pipeline.cloud.client("iam")
    (batcher,) = [each for each in functions.list_functions()["Functions"] if "Batcher" in each["FunctionName"]]
    role = batcher["Role"].rpartition("/")[2]
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    granted: Mapping[str, Any] = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    others = [statement for statement in granted["Statement"] if statement["Action"] != "ssm:GetParameters"]
    assert len(others) == len(granted["Statement"]) - 1

    def grant(statements: object) -> None:
        document = json.dumps({**granted, "Statement": statements})
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)

    grant(others)
    # A new configuration means new instances, which have not looked yet; and dead claims are taken over sooner.
    functions.update_function_configuration(FunctionName=batcher["FunctionName"], Timeout=5)
    pipeline.upload(key, GRAPHIC_VIOLENCE)
    denied = "not authorized to perform: ssm:GetParameters"

    def refused() -> bool:
        return bool(pipeline.pending(key)) and denied in pipeline.cloud.log.read_text(errors="replace")

    pipeline.wait_until(refused, why="the batcher to be refused")
    (held,) = pipeline.pending(key)
    assert pipeline.batch_keys(held["batch_id"]) == []

    grant(granted["Statement"])

    (verdict,) = pipeline.wait_for_verdicts(1, key)
    assert verdict["batch_id"] != held["batch_id"]
