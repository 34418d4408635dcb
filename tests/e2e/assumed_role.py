"""Somebody who has assumed a role, with one policy alone."""

import json
from collections.abc import Mapping
from typing import Final

from tests.e2e.pipeline import Pipeline

ACCOUNT: Final = "000000000000"


def assume(pipeline: Pipeline, role: str, session: str, policy: str) -> Mapping[str, str]:
    """The environment of whoever has assumed a new role with this policy."""
    iam, name = pipeline.cloud.client("iam"), f"{role}-{session}"
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    iam.put_role_policy(RoleName=name, PolicyName="least", PolicyDocument=policy)
    answer = pipeline.cloud.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}", RoleSessionName=session
    )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": answer["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": answer["SecretAccessKey"],
        "AWS_SESSION_TOKEN": answer["SessionToken"],
    }
