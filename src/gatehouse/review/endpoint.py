"""What the page's script sends, parsed once, and what it gets where something went wrong."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from json import JSONDecodeError
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from gatehouse.cli.errors import user_message
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.review.bench import Bench
from gatehouse.review.rendering import page

#: Larger than the largest selection of a grid.
_MOST_BYTES = 1_000_000

_LOG = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


class BadRequestError(Exception):
    """The script sent something that it never sends."""


async def document(request: Request) -> dict[str, Any]:
    """The JSON document of a request.

    Raises:
        BadRequestError: it has none, or a huge one.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise BadRequestError(f"more than {_MOST_BYTES:,} bytes")
    request._body = body  # what `json` reads
    try:
        found = await request.json()
    except (JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequestError("no JSON") from error
    if not isinstance(found, dict):
        raise BadRequestError("no JSON object")
    return found


def answered(endpoint: Endpoint) -> Endpoint:
    """The endpoint, whose errors become sentences that the page can show."""

    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:
            status, code, why = _failure(error, request)
            return JSONResponse({"error": code, "why": why}, status)

    return answer


async def report(bench: Bench, request: Request, template: str, find: Callable[[], Mapping[str, Any]]) -> Response:
    """A page of numbers or of lists, at its own address. If `find` fails, the page says why and what to do."""
    values: Mapping[str, Any]
    try:
        values, status = await run_in_threadpool(find), 200
    except Exception as error:
        status, _, why = _failure(error, request)
        template, values = "refused.html", {"why": why}
    return page(template, request.url.path, {**bench.masthead, **values}, status)


def _failure(error: Exception, request: Request) -> tuple[int, str, str]:
    """The HTTP status, the code, and the sentence for a failure."""
    if sentence := user_message(error):
        return 502, "refused", sentence
    if isinstance(error, (BadRequestError, *MISSHAPEN)):
        return 400, "malformed", f"The page sent something odd: {error}."
    _LOG.exception("the page could not answer %s", request.url.path)
    return 500, "failed", "Something failed; the terminal says what."
