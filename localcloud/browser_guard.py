"""Keeps web pages out of the local cloud.

ministack answers every origin (`Access-Control-Allow-Origin: *`) and accepts any 12 digits as a root key, so any page
open in a browser could create and invoke a Lambda function through the loopback interface. A page's request has

- `Origin`, which browsers send with cross-origin requests of scripts, and with all except plain GETs (Fetch standard);
- `Sec-Fetch-Site`, which they send with every request to loopback, including images and links (Fetch Metadata Request
  Headers). `none` means that a person typed the address. An uploaded HTML file that is opened from a bucket has the
  same origin, and all its requests are refused;
- another `Host`, if a page rebinds its own name to 127.0.0.1.

SDKs and command line tools do not send the first two.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_REFUSAL = b"The local cloud refuses requests of browsers and requests for other hosts.\n"


def guarded(application: Application, port: int) -> Application:
    """Wrap an ASGI application so that requests from a page, or for another host, get 403."""
    own_hosts = frozenset(f"{host}:{port}".encode() for host in ("127.0.0.1", "localhost"))
    # Virtual-hosted buckets (bucket.s3.localhost:port). A browser resolves names under .localhost to loopback
    # itself, so no page can be served from one unless we serve it.
    own_suffix = f".localhost:{port}".encode()

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            host = b""
            from_page = False
            for name, value in scope["headers"]:
                if name == b"host":
                    host = value
                elif name == b"origin" or (name == b"sec-fetch-site" and value != b"none"):
                    from_page = True
            if from_page or not (host in own_hosts or host.endswith(own_suffix)):
                await _refuse(scope, send)
                return
        await application(scope, receive, send)

    return guard


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": _REFUSAL})
