"""Who may talk to the page, and what every answer says to the browser."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from gatehouse.review.lock import HEADERS, Lock

HOST = "127.0.0.1:8010"
ORIGIN = f"http://{HOST}"
SAME = {"sec-fetch-site": "same-origin", "origin": ORIGIN}


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that answers everybody who gets to it."""
    await PlainTextResponse("inside", headers={"Cache-Control": "max-age=60"})(scope, receive, send)


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass
class Door:
    lock: Lock = field(default_factory=lambda: Lock(behind, 8010))
    cookie: str | None = None

    def ask(self, path: str = "/", method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        """What the app answers."""
        sent = {"host": HOST, **({"cookie": self.cookie} if self.cookie else {}), **(headers or {})}
        split, answer = urlsplit(path), Answer()
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": split.path,
            "query_string": split.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            else:
                answer.body += message.get("body", b"").decode()

        asyncio.run(self.lock(scope, receive, send))
        return answer

    def enter(self) -> Answer:
        """Follow the login link, and keep the cookie."""
        answer = self.ask(self.lock.link.removeprefix(ORIGIN), headers={"sec-fetch-site": "none"})
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer


@pytest.fixture
def door() -> Door:
    """Nobody is inside."""
    return Door()


def test_the_link_works_once_and_gives_a_cookie_that_no_other_site_sends(door: Door) -> None:
    link = door.lock.link
    assert door.ask().status == 401
    assert door.ask(link.removeprefix(ORIGIN), "HEAD").status == 401  # a look at the headers does not use it up
    entered = door.enter()

    assert entered.status == 200
    (cookie,) = SimpleCookie(entered.headers["set-cookie"]).values()
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "strict", "/")
    assert cookie.key == "gatehouse-review-8010"
    assert door.ask().body == "inside"

    again = Door(door.lock).ask(link.removeprefix(ORIGIN))
    assert again.status == 401
    assert "This link was used before" in again.body
    assert "set-cookie" not in again.headers


@pytest.mark.parametrize("key", ["", "None", "x" * 43, "é"])
def test_a_wrong_key_opens_nothing_and_leaves_the_link_as_it_was(door: Door, key: str) -> None:
    assert door.ask(f"/open?key={key}").status == 401
    assert door.enter().status == 200


@pytest.mark.parametrize(
    "cookie", ["", "gatehouse-review-8010=", "gatehouse-review-8010=x", "gatehouse-review-80=é", "["]
)
def test_without_the_session_nothing_is_shown(door: Door, cookie: str) -> None:
    door.enter()
    door.cookie = cookie
    assert door.ask().status == 401
    assert door.ask(headers={"accept": "application/json"}).body.startswith('{"error":"closed"')
    assert door.ask("/static/review.css").body == "inside"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8010", "127.0.0.1", "127.0.0.1:8011", "", "127.0.0.1:8010."]
)
def test_another_name_for_this_machine_is_refused(door: Door, host: str) -> None:
    door.enter()
    assert door.ask(headers={"host": host}).status == 421


def test_localhost_is_this_machine_too(door: Door) -> None:
    door.enter()
    assert door.ask(headers={"host": "localhost:8010", "origin": "http://localhost:8010"}).body == "inside"
    assert door.ask(headers={"host": "localhost:8010", "origin": ORIGIN}).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site", "origin": ORIGIN},
        {"sec-fetch-site": "same-site", "origin": ORIGIN},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:9000"},
        {"sec-fetch-site": "same-origin", "origin": "null"},
        {"origin": "https://127.0.0.1:8010"},
    ],
)
def test_only_the_page_itself_may_write(door: Door, headers: Mapping[str, str]) -> None:
    door.enter()
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert door.ask(method=method, headers=headers).status == 403
    assert door.ask(method="POST", headers=SAME).body == "inside"
    assert door.ask(method="POST", headers={"origin": ORIGIN}).body == "inside"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, 403),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, 200),
        ({"sec-fetch-site": "same-origin", "sec-fetch-dest": "image"}, 200),
    ],
)
def test_no_other_page_embeds_a_picture(door: Door, headers: Mapping[str, str], status: int) -> None:
    door.enter()
    assert door.ask("/picture", headers=headers).status == status


def test_every_answer_forbids_what_the_page_does_not_need(door: Door) -> None:
    answers = [door.ask(), door.ask(headers={"host": "x"}), door.ask(method="POST"), door.enter(), door.ask()]
    expected = {name.lower(): value for name, value in HEADERS.items()}
    for answer in answers:
        assert expected.items() <= {name.lower(): value for name, value in answer.headers.items()}.items()
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_a_socket_is_not_answered(door: Door) -> None:
    asyncio.run(door.lock({"type": "websocket"}, None, None))  # type: ignore[arg-type]
