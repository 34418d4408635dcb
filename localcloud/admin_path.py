"""Admin paths of the local cloud: plain JSON over HTTP, in addition to the AWS APIs."""

from collections.abc import Callable, Mapping

from localcloud.browser_guard import Application, Receive, Scope, Send

# (method, body) -> (status, headers, body)
AdminHandler = Callable[[str, bytes], tuple[int, Mapping[str, str], bytes]]


def at_path(path: str, handle: AdminHandler, application: Application) -> Application:
    """Wrap an ASGI application so that requests for exactly `path` go to `handle`."""

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != path:
            await application(scope, receive, send)
            return
        status, headers, answer = handle(scope["method"], await read_body(receive))
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": answer})

    return routed


async def read_body(receive: Receive) -> bytes:
    """The whole body of a request."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    return b"".join(parts)
