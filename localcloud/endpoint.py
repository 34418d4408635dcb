"""The local cloud's address, its fixed test credentials, and clients that can reach nothing else."""

import ipaddress
import os
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

from localcloud.process_environment import ACCESS_KEY, REGION, SECRET_KEY

# The user's profile, configuration file and credentials file must never be used for a local call.
_ISOLATED = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


class NotLoopbackError(ValueError):
    """An endpoint that is not this machine was passed to code that only works locally."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            f"{endpoint!r} is not a loopback endpoint: only http(s)://127.0.0.0/8, [::1] and localhost are accepted. "
            "To deploy to AWS, use `make deploy`."
        )


def require_loopback(endpoint: str) -> str:
    """Return `endpoint` (a URL) without a trailing slash.

    Raises NotLoopbackError unless its host is 127.0.0.0/8, ::1 or the name localhost. Nothing is resolved or sent.
    """
    try:
        parts = urlsplit(endpoint)
        host = parts.hostname or ""
        _ = parts.port  # a port that is not a number is refused here, not by a later request
    except ValueError:
        raise NotLoopbackError(endpoint) from None
    if parts.scheme not in ("http", "https") or not _is_loopback(host):
        raise NotLoopbackError(endpoint)
    return endpoint.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return address in ipaddress.IPv4Network("127.0.0.0/8")
    return address == ipaddress.IPv6Address("::1")


def local_client(service: str, endpoint: str, region: str = REGION, *, connections: int = 10) -> Any:
    """A boto3 client of `service` that calls `endpoint` as the local cloud's administrator.

    `connections` is the size of its connection pool: pass the number of threads that share the client.
    The environment's proxies are not used: they would send a local request to another machine.
    Raises NotLoopbackError as `require_loopback` does.
    """
    session = boto3.Session(botocore_session=botocore.session.Session(session_vars=_ISOLATED))
    return session.client(  # type: ignore[call-overload]
        service,
        endpoint_url=require_loopback(endpoint),
        region_name=region,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(
            proxies={},
            max_pool_connections=connections,
            retries={"mode": "standard", "total_max_attempts": 2},
            s3={"addressing_style": "path"},
        ),
    )


def command_line_environment(endpoint: str) -> dict[str, str]:
    """Environment variables that make the AWS CLI and the CDK CLI use the local cloud, and nothing else.

    Pass this mapping instead of the caller's environment, so that the user's credentials are not used.
    """
    return {
        "AWS_ENDPOINT_URL": require_loopback(endpoint),
        "AWS_ENDPOINT_URL_S3": require_loopback(endpoint),
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_PAGER": "",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }
