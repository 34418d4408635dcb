"""Where a command finds AWS: profile, Region and endpoint, given as to the AWS tools."""

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gatehouse.cli.errors import CommandError

if TYPE_CHECKING:
    import boto3

#: Far above what connecting takes, and short enough to wait for when a wrong address never answers.
_CONNECT_SECONDS = 5


@dataclass(frozen=True)
class Connection:
    """AWS, or what answers in its place. What is None is looked for where the AWS tools look."""

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None

    def client(self, service: str, connections: int = 10, *, is_patient: bool = False) -> Any:
        """A boto3 client.

        Args:
            connections: the number of threads that will share it.
            is_patient: for a table that may be read faster than it can take: where it throttles, all threads together
                call it less often, and a call is tried for a minute or two. Not for what has to be done soon or not at
                all.

        Raises:
            CommandError: the endpoint is not a web address.
            BotoCoreError: no such profile, no Region.
        """
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        config = Config(
            max_pool_connections=connections,
            connect_timeout=_CONNECT_SECONDS,
            # After a second at most, then twice that, up to 20; the adaptive mode also sends less for as long as it is
            # throttled, and is meant for a client of one table (AWS SDKs and Tools reference, Retry behavior).
            retries=(
                {"mode": "adaptive", "total_max_attempts": 10}
                if is_patient
                else {"mode": "standard", "total_max_attempts": 5}
            ),
            # The bucket's name in front of the endpoint's host, as S3 has it, would lead nowhere.
            s3={"addressing_style": "path" if self.endpoint_url else "auto"},
        )
        try:
            return self._session.client(  # type: ignore[call-overload]
                service, endpoint_url=self.endpoint_url, config=config
            )
        except ValueError as error:
            if isinstance(error, BotoCoreError):
                raise
            raise CommandError(f"{error}; write, for example, --endpoint-url http://127.0.0.1:4566.") from error

    @property
    def region_name(self) -> str | None:
        """The Region that clients are made for."""
        return self._session.region_name

    @cached_property
    def _session(self) -> "boto3.Session":
        import boto3

        # boto3 does not read AWS_REGION, which the AWS CLI prefers.
        return boto3.Session(profile_name=self.profile, region_name=self.region or os.environ.get("AWS_REGION") or None)
