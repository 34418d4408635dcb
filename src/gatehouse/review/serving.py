"""Serves the page on 127.0.0.1 until somebody stops it."""

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from gatehouse.cli.errors import CommandError
from gatehouse.review.application import application
from gatehouse.review.bench import Bench

_ADDRESS = "127.0.0.1"
#: Seconds that open requests get when the app is stopped.
_GRACE = 5


def serve(bench: Bench, port: int, tell: Callable[[str], None]) -> None:
    """Serve the page of a bench; returns when it was stopped, and what waited was sent.

    Args:
        port: 0 for any that is free.
        tell: is given the login link, once somebody can open it.

    Raises:
        CommandError: another program has the port.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_ADDRESS, port))
        except OSError as error:
            raise CommandError(
                f"Port {port} can't be used ({error.strerror}); choose another one with --port."
            ) from error
        listener.listen()  # whoever follows the link at once waits for the answer
        app = application(bench, listener.getsockname()[1])
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE
        )
        tell(app.link)
        with suppress(KeyboardInterrupt):  # uvicorn raises the signal again once everything was sent
            uvicorn.Server(config).run(sockets=[listener])
