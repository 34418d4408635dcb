"""The bytes behind a presigned GET: from S3 or, in the local cloud, from the endpoint that stands for it."""

import http.client
import os
import ssl
import time
from dataclasses import dataclass
from functools import cache
from typing import Final
from urllib.parse import SplitResult, urlsplit

from gatehouse.moderation.rendition import MOST_FILE_BYTES, RefusalCode, RefusedError

#: Hosts of AWS's own endpoints. The renderer believes its invoker, whose role alone may call it; this keeps a mistake
#: of ours within AWS.
_AWS_SUFFIXES: Final = (".amazonaws.com", ".amazonaws.com.cn")
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

_STEP_SECONDS: Final = 5.0
_READ_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class PresignedObject:
    """Fetches objects. It follows no redirects and sends no credentials: the URL has the right to one object in it.

    Attributes:
        endpoint: of the local cloud, whose loopback address may be asked without TLS; None on AWS.
        most_bytes: of an object.
        seconds: for all of one.
    """

    endpoint: str | None = None
    most_bytes: int = MOST_FILE_BYTES
    seconds: float = 10.0

    def fetch(self, url: str) -> bytes:
        """The object's bytes.

        Raises:
            RefusedError: `BadRequest` for another address than AWS's, `TooLarge`, `Gone`, and `NotFetched` if S3 does
                not give the object, all of it, in its time.
        """
        address = self._address(url)
        until = time.monotonic() + self.seconds
        connection = self._connection(address)
        try:
            connection.request("GET", f"{address.path or '/'}?{address.query}", headers={"User-Agent": _user_agent()})
            return self._body(connection.getresponse(), until)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RefusedError(RefusalCode.NOT_FETCHED, f"S3 did not answer ({type(error).__name__})") from None
        finally:
            connection.close()

    def _address(self, url: str) -> SplitResult:
        try:
            address = urlsplit(url)
            host, port = address.hostname or "", address.port
        except ValueError:
            raise _bad_request() from None
        if not url.isascii() or not url.isprintable() or " " in url or address.username or address.password:
            raise _bad_request()
        is_aws = address.scheme == "https" and port in (None, 443) and host.endswith(_AWS_SUFFIXES)
        if not is_aws and not self._is_local(address):
            raise _bad_request()
        return address

    def _is_local(self, address: SplitResult) -> bool:
        """Whether it is the local cloud's; virtual hosts there are names under `localhost`."""
        if self.endpoint is None:
            return False
        endpoint = urlsplit(self.endpoint)
        host = address.hostname or ""
        is_loopback = endpoint.hostname in _LOOPBACK and (host in _LOOPBACK or host.endswith(".localhost"))
        return is_loopback and (address.scheme, address.port) == (endpoint.scheme, endpoint.port)

    def _connection(self, address: SplitResult) -> http.client.HTTPConnection:
        host, timeout = address.hostname or "", min(_STEP_SECONDS, self.seconds)
        if address.scheme == "http":
            return http.client.HTTPConnection(host, address.port, timeout=timeout)
        return http.client.HTTPSConnection(host, address.port, timeout=timeout, context=_tls())

    def _body(self, response: http.client.HTTPResponse, until: float) -> bytes:
        if response.status == 404:
            raise RefusedError(RefusalCode.GONE, "S3 has no such version")
        if response.status != 200:
            raise RefusedError(RefusalCode.NOT_FETCHED, f"S3 answered {response.status}")
        length = response.length
        if length is None:
            raise RefusedError(RefusalCode.NOT_FETCHED, "S3 did not say how long the object is")
        if length > self.most_bytes:
            raise RefusedError(RefusalCode.TOO_LARGE, f"more than {self.most_bytes} bytes")
        body = bytearray()
        while len(body) < length:
            if time.monotonic() > until:
                raise RefusedError(RefusalCode.NOT_FETCHED, f"S3 took longer than {self.seconds:g} seconds")
            part = response.read1(_READ_BYTES)
            if not part:
                raise RefusedError(RefusalCode.NOT_FETCHED, "S3 sent less than it said")
            body += part
        return bytes(body)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _bad_request() -> RefusedError:
    return RefusedError(RefusalCode.BAD_REQUEST, "the URL does not lead to S3")


def _user_agent() -> str:
    """What S3's access logs have, as for an SDK (AWS SDKs and Tools Reference Guide, feature-appid.html)."""
    application = os.environ.get("AWS_SDK_UA_APP_ID")
    return f"gatehouse-renderer app/{application}" if application else "gatehouse-renderer"
