"""`gate policy`: the policy for a bucket that Gatehouse does not own."""

import json
import sys
from typing import Annotated

import typer

from gatehouse.cli.aws.bucket_policy import read_policy, with_gate
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.contracts.gate_policy import MOST_POLICY_BYTES


@about_deployment
def policy(
    invocation: Invocation,
    remove: Annotated[
        bool, typer.Option("--remove", help="Without the gate's statements, to open the bucket.")
    ] = False,
) -> None:
    """Print the policy of the uploads bucket with the statements of the gate, ready for `put-bucket-policy`.

    The bucket's other statements stay as they are. Changes nothing: the policy of a bucket that Gatehouse made is
    deployed with it, and that of another one is its owner's to set.
    """
    deployment = invocation.deployment.at_rest()
    policy = read_policy(invocation.connection.client("s3"), deployment.upload_bucket)
    found = with_gate(policy, () if remove else deployment.gate_statements)
    short, text = json.dumps(found, separators=(",", ":")), json.dumps(found, indent=2)
    if (size := len(short.encode())) > MOST_POLICY_BYTES:
        others = len(json.dumps(with_gate(policy, ()), separators=(",", ":")).encode())
        raise CommandError(
            f"The policy of {deployment.upload_bucket} would have {size:,} bytes, and S3 takes {MOST_POLICY_BYTES:,}: "
            f"{others:,} are its own statements, the rest is the gate's. Join statements of its own, or name fewer or "
            "shorter roles, VPC endpoints and open prefixes under `gate` in gatehouse.yaml and deploy; then run the "
            "same command again."
        )
    sys.stdout.write(f"{text if len(text.encode()) <= MOST_POLICY_BYTES else short}\n")
