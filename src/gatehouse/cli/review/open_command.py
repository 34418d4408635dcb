"""`review open`: serves the review page on this machine."""

import os
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from gatehouse.cli.clock import Clock
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.review.reviewer import DisplayName, reviewer

CLOCK = Clock()

_MISSING = (
    "The review page needs packages that are not installed: run pip install 'gatehouse-moderation[review]' (with pipx: "
    "pipx install 'gatehouse-moderation[review]'; in a checkout, `make review` installs them)."
)


@about_deployment
def open_page(
    invocation: Invocation,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, metavar="N", help="Port on 127.0.0.1.", show_default="a free one")
    ] = 0,
    name: DisplayName = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Also open the link in your browser.")] = True,
) -> None:
    """Decide in the browser, by keyboard: serve the review page on 127.0.0.1, with your AWS credentials.

    Prints a link that opens the page once: whoever opens it first decides with your credentials, so open it at once.
    Ctrl-C stops the page and sends what you have just decided. Exits with 1 if some of that could not be sent; the next
    start lists it.
    """
    try:
        from gatehouse.review.bench import Bench
        from gatehouse.review.serving import serve
    except ModuleNotFoundError as error:
        raise CommandError(_MISSING) from error
    out, found = invocation.out, invocation.deployment
    bench = Bench.of(invocation.connection, found, reviewer(invocation, name), CLOCK, journals_folder())
    bench.forget_sent()

    def tell(link: str) -> None:
        out.document({"link": link})
        out.say(f"You are {bench.person.id}. Open this link; it works once:")
        out.say(f"  {link}")
        out.tell("Ctrl-C stops the page, and sends what you have just decided.")
        if browser and not out.json:
            webbrowser.open(link)

    serve(bench, port, tell)
    for entry in bench.closed_with:
        uri, version = entry.identity
        out.tell(f"Not sent: {uri}@{version}, {entry.status}, {entry.decision.reason}: {entry.why}")
    if bench.closed_with:
        out.tell("The next `gatehouse review open` lists them.")
        raise typer.Exit(1)


def journals_folder() -> Path:
    """Where the page keeps what is not sent yet (XDG Base Directory Specification, XDG_STATE_HOME)."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "gatehouse" / "review"
