"""The CDK application: settings and policies in, three stacks out."""

import json
from pathlib import Path

import aws_cdk as cdk

from gatehouse.configuration.policies import PolicyCatalog
from gatehouse.configuration.settings import Settings
from stacks.monitoring_stack import MonitoringStack
from stacks.pipeline_stack import PipelineStack
from stacks.storage_stack import StorageStack

_CDK_JSON = Path(__file__).resolve().parent.parent / "cdk.json"


def build_application(settings: Settings, policies: PolicyCatalog, outdir: Path | None = None) -> cdk.App:
    """Build the stacks; `synth()` of the result writes them.

    The same settings give the same templates, byte for byte, on any machine: no account or Region is looked up (they
    are CloudFormation's to fill in), and neither paths nor usage data are written into them. The feature flags come
    from cdk.json whether or not the CDK's command line hands them over.

    Args:
        outdir: where to write, or None for where the command line or CDK_OUTDIR says.

    Raises:
        DependenciesError: the functions' dependencies were not fetched yet.
    """
    app = cdk.App(
        outdir=str(outdir) if outdir else None,
        context=json.loads(_CDK_JSON.read_text(encoding="utf-8"))["context"],
        analytics_reporting=False,
    )
    kept = StorageStack(app, settings=settings, policies=policies)
    pipeline = PipelineStack(app, settings=settings, policies=policies, storage=kept.storage, key=kept.key)
    MonitoringStack(app, settings=settings, flags=kept.storage.flags, pipeline=pipeline)
    return app
