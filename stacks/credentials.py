"""Checks that this shell has AWS credentials, before a synthesis that would be useless without them.

python -m stacks.credentials
"""

import sys

import boto3
from botocore.exceptions import BotoCoreError

_FIX = "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (aws configure, aws sso login), then try again"


def problem() -> str | None:
    """Why there are no credentials and what to do about it, in one line; None if there are some."""
    try:
        found = boto3.Session().get_credentials()
    except BotoCoreError as error:
        return f"AWS credentials can't be read: {' '.join(str(error).split())}; {_FIX}"
    return None if found else f"This shell has no AWS credentials; {_FIX}"


if __name__ == "__main__":
    sys.exit(problem())
