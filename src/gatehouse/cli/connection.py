"""A command's connection to AWS: profile, Region and endpoint, chosen as in the AWS tools."""

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gatehouse.cli.errors import CommandError

if TYPE_CHECKING:
    import boto3

#: Far longer than connecting takes, and short enough to wait for if a wrong address never answers.
_CONNECT_SECONDS = 5


@dataclass(frozen=True)
class Connection:
    """A connection to AWS or to another endpoint. For values that are None, the AWS tools' defaults apply."""

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None

    def client(
        self,
        service: str,
        connections: int = 10,
        *,
        is_patient: bool = False,
        region: str | None = None,
        signature: str | None = None,
    ) -> Any:
        """A boto3 client.

        Args:
            connections: the number of threads that share the client.
            is_patient: for a table that may be read faster than it allows: if it throttles, all threads together reduce
                their rate, and a call is retried for a minute or two. Not for calls that are useless when late.
            region: a Region other than the connection's.
            signature: the version of signatures, if it matters; the SDK still signs S3's forms by one that most Regions
                refuse.

        Raises:
            CommandError: the endpoint is not a web address.
            BotoCoreError: no such profile, no Region.
        """
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        config = Config(
            max_pool_connections=connections,
            connect_timeout=_CONNECT_SECONDS,
            signature_version=signature,
            # Retries after up to 1 second, then twice that, up to 20. The adaptive mode also reduces the rate while the
            # table throttles; it is meant for a client of one table (AWS SDKs and Tools reference, Retry behavior).
            retries=(
                {"mode": "adaptive", "total_max_attempts": 10}
                if is_patient
                else {"mode": "standard", "total_max_attempts": 5}
            ),
            # Path style: at another endpoint, the bucket's name can't be a part of the host name as in S3.
            s3={"addressing_style": "path" if self.endpoint_url else "auto"},
        )
        try:
            return self._session.client(  # type: ignore[call-overload]
                service, region_name=region, endpoint_url=self.endpoint_url, config=config
            )
        except ValueError as error:
            if isinstance(error, BotoCoreError):
                raise
            raise CommandError(f"{error}; write, for example, --endpoint-url http://127.0.0.1:4566.") from error

    @property
    def region_name(self) -> str | None:
        """The clients' Region."""
        return self._session.region_name

    @cached_property
    def _session(self) -> "boto3.Session":
        import boto3

        # boto3 does not read AWS_REGION, which the AWS CLI prefers.
        return boto3.Session(profile_name=self.profile, region_name=self.region or os.environ.get("AWS_REGION") or None)
