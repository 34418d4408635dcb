"""The CDK application: builds three stacks from the settings and policies."""

import json
from pathlib import Path

import aws_cdk as cdk

from gatehouse.configuration.policies import PolicyCatalog
from gatehouse.configuration.settings import Settings
from gatehouse.contracts.gate_policy import role_path
from stacks.constructs.role_path import RolePath
from stacks.monitoring_stack import MonitoringStack
from stacks.pipeline_stack import PipelineStack
from stacks.storage_stack import StorageStack

_CDK_JSON = Path(__file__).resolve().parent.parent / "cdk.json"


def build_application(settings: Settings, policies: PolicyCatalog, outdir: Path | None = None) -> cdk.App:
    """Build the stacks; `synth()` of the result writes them.

    The same settings produce the same templates, byte for byte, on any machine: no account or Region is looked up
    (CloudFormation fills them in), and the templates contain no paths or usage data. The feature flags are read from
    cdk.json, with or without the CDK's command line.

    Args:
        outdir: where to write, or None for where the command line or CDK_OUTDIR says.

    Raises:
        DependenciesError: the functions' dependencies have not been fetched.
    """
    app = cdk.App(
        outdir=str(outdir) if outdir else None,
        context=json.loads(_CDK_JSON.read_text(encoding="utf-8"))["context"],
        analytics_reporting=False,
    )
    kept = StorageStack(app, settings=settings, policies=policies)
    pipeline = PipelineStack(app, settings=settings, policies=policies, storage=kept.storage, key=kept.key)
    cdk.Aspects.of(app).add(RolePath(role_path(settings.name)))
    MonitoringStack(app, settings=settings, flags=kept.storage.flags, pipeline=pipeline, key=kept.key)
    return app
