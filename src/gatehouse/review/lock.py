"""Who may talk to the page: whoever opened the login link, from the page itself, at the address that it has.

A server on 127.0.0.1 is within reach of every website and every program on the machine. So the address is compared with
a list, against names that were pointed at 127.0.0.1 (DNS rebinding); there is one session, whose cookie no other site
sends; and requests have to come from the page itself, which the browser says (Fetch Metadata) and no script can forge.
"""

import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_PATH = "/open"
_STATIC = "/static/"

#: On every answer. Nothing inline runs, nothing is loaded from elsewhere, nothing stays in a cache, nobody frames it.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_HEAD = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<title>{title}</title><link rel="stylesheet" href="/static/review.css">'
)
_CLOSED = _HEAD.format(title="Gatehouse: closed") + (
    '<main class="message"><h1>This page is closed to you</h1><p>{why}</p><p>To open it, stop <code>gatehouse review '
    "open</code> in its terminal (Ctrl-C), run it again, and follow the new link.</p></main>"
)
#: A page that goes on by itself: after a redirect, a browser that came from another site would send no strict cookie.
_OPENED = _HEAD.format(title="Gatehouse") + (
    '<meta http-equiv="refresh" content="0;url=/">'
    '<main class="message"><p><a href="/">Go on to the uploads</a></p></main>'
)


class Lock:
    """ASGI middleware that refuses whoever may not talk to the page.

    Args:
        app: what is behind it.
        port: where the page is served on 127.0.0.1.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
        self._address = f"http://127.0.0.1:{port}"
        # Cookies do not know ports, so two pages on one machine need two names.
        self._cookie = f"gatehouse-review-{port}"
        self._session = secrets.token_urlsafe(32)
        self._key: str | None = secrets.token_urlsafe(32)

    @property
    def link(self) -> str:
        """The login link; it works once."""
        return f"{self._address}{OPEN_PATH}?key={self._key}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no page of ours opens a socket
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        answer = self._refusal(scope)
        await (self._app if answer is None else answer)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to who may not pass; None for who may."""
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host", "")
        if host not in self._hosts:
            return _closed(421, f"It is only served at {self._address}.", scope)
        is_write = scope["method"] not in ("GET", "HEAD")
        if not _comes_from_here(headers, f"http://{host}", is_write=is_write):
            return _closed(403, "The request came from another site or program.", scope)
        if path == OPEN_PATH and scope["method"] == "GET":  # a look at the headers does not use it up
            return self._open(QueryParams(scope["query_string"]).get("key", ""), scope)
        if path.startswith(_STATIC) or self._is_session(headers):
            return None
        return _closed(401, "Only the browser that opened the link of <code>gatehouse review open</code> may.", scope)

    def _open(self, key: str, scope: Scope) -> Response:
        if self._key is None or not secrets.compare_digest(key.encode(), self._key.encode()):
            return _closed(401, "This link was used before, or is an old one: each works once.", scope)
        self._key = None
        response = HTMLResponse(_OPENED)
        response.set_cookie(self._cookie, self._session, httponly=True, samesite="strict", path="/")
        return response

    def _is_session(self, headers: Headers) -> bool:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        found = cookies.get(self._cookie)
        return found is not None and secrets.compare_digest(found.value.encode(), self._session.encode())


def _comes_from_here(headers: Headers, origin: str, *, is_write: bool) -> bool:
    """Whether the page itself asks, or for a read somebody who typed the address.

    Browsers say so in `Sec-Fetch-Site`; `same-site` is another port of this machine. What says nothing about itself may
    read, with the cookie, and never write.
    """
    site = headers.get("sec-fetch-site")
    if headers.get("origin") not in (None, origin):
        return False
    if is_write:
        return site == "same-origin" or (site is None and headers.get("origin") == origin)
    is_visit = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return site in (None, "same-origin", "none") or is_visit


def _closed(status: int, why: str, scope: Scope) -> Response:
    if "application/json" in Headers(scope=scope).get("accept", ""):
        return JSONResponse({"error": "closed", "why": "Open the page again with `gatehouse review open`."}, status)
    return HTMLResponse(_CLOSED.format(why=why), status)
