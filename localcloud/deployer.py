"""Deploys a synthesized cloud assembly to the local cloud: publishes its files, creates or updates its stacks.

    python -m localcloud.deployer cdk.out --endpoint http://127.0.0.1:4566

It does the same as `cdk deploy`, with boto3 and without Node, and refuses every endpoint that is not this machine.
"""

import argparse
import json
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, EndpointConnectionError

from localcloud.assembly import AssemblyError, Stack, read_assembly
from localcloud.endpoint import NotLoopbackError, local_client, require_loopback
from localcloud.process_environment import ACCOUNT, REGION

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_s3.client import S3Client

__all__ = ["DeployError", "NotLoopbackError", "Outputs", "deploy"]

Outputs = dict[str, dict[str, str]]
"""Stack name -> output key -> value."""

_BOOTSTRAP_STACK = "CDKToolkit"
_STACK_DEADLINE_SECONDS = 180.0
_POLL_SECONDS = 0.05


class DeployError(Exception):
    """A stack's deployment failed; the message lists the failed resources and the reasons."""


def deploy(
    assembly: Path, endpoint: str, region: str = REGION, on_progress: Callable[[str], None] | None = None
) -> Outputs:
    """Publish the files of the assembly in folder `assembly`, create or update its stacks, and return their outputs.

    Stacks are deployed one after the other, each after those it depends on. An up-to-date stack is not changed.
    `on_progress` is called with a line of text for every step.
    Raises NotLoopbackError before any request, AssemblyError if the folder can't be deployed, and DeployError if a
    stack fails (it is then rolled back as in CloudFormation).
    """
    endpoint = require_loopback(endpoint)
    stacks = read_assembly(assembly, ACCOUNT, region)
    return _Deployment(endpoint, region, on_progress or _say_nothing).run(stacks)


def _say_nothing(_line: str) -> None:
    return None


class _Deployment:
    def __init__(self, endpoint: str, region: str, say: Callable[[str], None]) -> None:
        self._endpoint = endpoint
        self._say = say
        self._s3: S3Client = local_client("s3", endpoint, region)
        self._cloudformation: CloudFormationClient = local_client("cloudformation", endpoint, region)

    def run(self, stacks: tuple[Stack, ...]) -> Outputs:
        self._bootstrap(stacks)
        outputs: Outputs = {}
        for stack in stacks:
            self._publish(stack)
            outputs[stack.name] = self._deploy(
                stack.name,
                {"TemplateURL": f"{self._endpoint}/{stack.template_bucket}/{stack.template_key}"},
                parameters=stack.parameters,
                tags=stack.tags,
            )
            self._cloudformation.update_termination_protection(
                StackName=stack.name, EnableTerminationProtection=stack.is_protected
            )
        return outputs

    def _bootstrap(self, stacks: tuple[Stack, ...]) -> None:
        """Create what every stack expects from `cdk bootstrap`: the bucket for files, and the version parameter.

        It is a stack with the names and logical ids of the real one, so `cdk bootstrap` can update it later. If
        `cdk bootstrap` has run, its stack is not changed.
        """
        buckets = sorted({asset.bucket for stack in stacks for asset in stack.assets})
        parameters = sorted({stack.bootstrap_parameter for stack in stacks if stack.bootstrap_parameter})
        if not buckets or self._status(_BOOTSTRAP_STACK) is not None:
            return
        if len(buckets) > 1 or len(parameters) > 1:
            raise AssemblyError("stacks with different bootstrap qualifiers can't be deployed locally together")
        version = max(stack.bootstrap_version or 0 for stack in stacks)
        resources: dict[str, object] = {
            "StagingBucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": buckets[0]}}
        }
        for name in parameters:
            resources["CdkBootstrapVersion"] = {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": name, "Type": "String", "Value": str(version)},
            }
        self._deploy(_BOOTSTRAP_STACK, {"TemplateBody": json.dumps({"Resources": resources})})

    def _publish(self, stack: Stack) -> None:
        for asset in stack.assets:
            if self._is_published(asset.bucket, asset.key):
                continue  # keys are hashes of the content
            self._say(f"publishing {asset.path.name}")
            self._s3.put_object(Bucket=asset.bucket, Key=asset.key, Body=asset.body())

    def _is_published(self, bucket: str, key: str) -> bool:
        try:
            self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
        return True

    def _deploy(
        self,
        name: str,
        template: Mapping[str, str],
        *,
        parameters: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        token = f"deploy-{uuid.uuid4().hex}"
        request: dict[str, object] = {
            "StackName": name,
            **template,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()],
            "Tags": [{"Key": key, "Value": value} for key, value in (tags or {}).items()],
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            "ClientRequestToken": token,
        }
        status = self._status(name)
        if status == "ROLLBACK_COMPLETE":
            # A stack whose creation failed can only be deleted.
            self._say(f"{name}: removing the remains of a failed creation")
            self._cloudformation.delete_stack(StackName=name)
            status = self._settled(name)
        try:
            if status in (None, "DELETE_COMPLETE"):
                self._say(f"{name}: creating")
                self._cloudformation.create_stack(**request)  # type: ignore[arg-type]
            else:
                self._say(f"{name}: updating")
                self._cloudformation.update_stack(**request)  # type: ignore[arg-type]
        except ClientError as error:
            if "No updates are to be performed" in error.response["Error"].get("Message", ""):
                self._say(f"{name}: no changes")
                return self._outputs(name)
            raise DeployError(f"{name}: {error.response['Error'].get('Message', error)}") from error
        status = self._settled(name)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise DeployError(f"{name} ended as {status}:\n{self._failures(name, token)}")
        self._say(f"{name}: {'created' if status == 'CREATE_COMPLETE' else 'updated'}")
        return self._outputs(name)

    def _status(self, name: str) -> str | None:
        try:
            return self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        except ClientError as error:
            if "does not exist" in error.response["Error"].get("Message", ""):
                return None
            raise

    def _settled(self, name: str) -> str | None:
        """The stack's status after its operation has ended; raises DeployError if that takes too long."""
        deadline = time.monotonic() + _STACK_DEADLINE_SECONDS
        while True:
            status = self._status(name)
            if status is None or not status.endswith("_IN_PROGRESS"):
                return status
            if time.monotonic() > deadline:
                raise DeployError(f"{name} is still {status} after {_STACK_DEADLINE_SECONDS:.0f} seconds")
            time.sleep(_POLL_SECONDS)

    def _outputs(self, name: str) -> dict[str, str]:
        stack = self._cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def _failures(self, name: str, token: str) -> str:
        """The resources that failed in the operation marked with `token`, in the order they failed."""
        lines: list[str] = []
        for page in self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=name):
            lines.extend(
                f"  {event.get('LogicalResourceId')} ({event.get('ResourceType')}): "
                f"{event.get('ResourceStatusReason', 'no reason given')}"
                for event in page["StackEvents"]
                if event.get("ResourceStatus", "").endswith("_FAILED") and event.get("ClientRequestToken") == token
            )
        return "\n".join(reversed(lines)) or "  no failed resource was reported"


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status (0 deployed, 1 failed, 2 refused)."""
    parser = argparse.ArgumentParser(prog="python -m localcloud.deployer", description=__doc__)
    parser.add_argument("assembly", type=Path, help="the folder that `make synth` wrote, cdk.out")
    parser.add_argument("--endpoint", required=True, help="the local cloud, e.g. http://127.0.0.1:4566")
    parser.add_argument("--region", default=REGION)
    options = parser.parse_args(arguments)
    try:
        outputs = deploy(
            options.assembly,
            options.endpoint,
            options.region,
            on_progress=lambda line: print(line, file=sys.stderr),
        )
    except (NotLoopbackError, AssemblyError) as error:
        print(error, file=sys.stderr)
        return 2
    except DeployError as error:
        print(error, file=sys.stderr)
        return 1
    except EndpointConnectionError:
        print(f"nothing answers at {options.endpoint}; start the local cloud with `make local`", file=sys.stderr)
        return 1
    print(json.dumps(outputs, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
