"""Objects are fetched whole, within bounds, and from nowhere else than S3."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gatehouse.moderation.rendition import RefusalCode, RefusedError
from lambdas.renderer.presigned_object import PresignedObject


@dataclass
class Server:
    """A local cloud of one object, which answers as it is told to.

    Attributes:
        length: that it says the object has; None to say the truth, "" to say nothing.
    """

    body: bytes = b"bytes"
    status: int = 200
    length: str | None = None
    location: str = ""
    endpoint: str = ""
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    answer = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer.asked.append(self.path)
            self.send_response(answer.status)
            if answer.length != "":
                self.send_header("Content-Length", answer.length or str(len(answer.body)))
            if answer.location:
                self.send_header("Location", answer.location)
            self.end_headers()
            with suppress(OSError):  # it may not be read to its end
                self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    answer.endpoint = f"http://127.0.0.1:{http.server_port}"
    yield answer
    http.shutdown()
    http.server_close()


def refusal(objects: PresignedObject, url: str) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        objects.fetch(url)
    return refused.value


def test_an_object_is_fetched_as_its_url_stands(server: Server) -> None:
    path = "/bucket//a%20b/%41?versionId=null&X-Amz-Signature=ab%2F"

    assert PresignedObject(server.endpoint).fetch(server.endpoint + path) == b"bytes"
    assert server.asked == [path]


def test_an_object_as_large_as_allowed_is_fetched_and_a_larger_one_is_not(server: Server) -> None:
    server.body = bytes(300_000)

    assert PresignedObject(server.endpoint, most_bytes=300_000).fetch(server.endpoint + "/o?") == server.body
    error = refusal(PresignedObject(server.endpoint, most_bytes=299_999), server.endpoint + "/o?")
    assert error.code is RefusalCode.TOO_LARGE


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": 404}, RefusalCode.GONE),
        ({"status": 403}, RefusalCode.NOT_FETCHED),
        ({"status": 500}, RefusalCode.NOT_FETCHED),
        ({"status": 206}, RefusalCode.NOT_FETCHED),
        ({"length": "10"}, RefusalCode.NOT_FETCHED),
        ({"length": ""}, RefusalCode.NOT_FETCHED),
        ({"length": "-5"}, RefusalCode.NOT_FETCHED),
        ({"length": "many"}, RefusalCode.NOT_FETCHED),
        ({"length": "999999999999"}, RefusalCode.TOO_LARGE),
    ],
    ids=str,
)
def test_another_answer_is_no_object(server: Server, changes: dict[str, Any], code: RefusalCode) -> None:
    for name, value in changes.items():
        setattr(server, name, value)

    assert refusal(PresignedObject(server.endpoint), server.endpoint + "/o?signature").code is code


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(server: Server, status: int) -> None:
    server.status, server.location = status, f"{server.endpoint}/other"

    assert refusal(PresignedObject(server.endpoint), server.endpoint + "/o?").code is RefusalCode.NOT_FETCHED
    assert server.asked == ["/o?"]


def test_an_object_that_takes_too_long_is_given_up(server: Server) -> None:
    error = refusal(PresignedObject(server.endpoint, seconds=-1.0), server.endpoint + "/o?")

    assert error.code is RefusalCode.NOT_FETCHED


def test_where_nobody_answers_there_is_no_object(server: Server) -> None:
    closed = "http://127.0.0.1:1"

    assert refusal(PresignedObject(closed), closed + "/o?").code is RefusalCode.NOT_FETCHED


@pytest.mark.parametrize(
    "url",
    [
        "http://bucket.s3.us-east-1.amazonaws.com/o?",
        "https://example.com/o?",
        "https://amazonaws.com.example.com/o?",
        "https://evilamazonaws.com/o?",
        "https://bucket.s3.amazonaws.com:8443/o?",
        "https://user:password@bucket.s3.amazonaws.com/o?",
        "https://bucket.s3.amazonaws.com@example.com/o?",
        "https://example.com\\@bucket.s3.amazonaws.com/o?",
        "https://127.0.0.1/o?",
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
        "file:///etc/passwd",
        "ftp://bucket.s3.amazonaws.com/o",
        "//bucket.s3.amazonaws.com/o",
        "https://[::1/o?",
        "https://bucket.s3.amazonaws.com:port/o?",
        "https://bucket.s3.amazonaws.com/a b?",
        "https://bucket.s3.amazonaws.com/a\r\nHost: example.com?",
        "https://bucket.s3.amazonaws.com/é?",
        "",
    ],
)
@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:4566"])
def test_nothing_but_s3_is_asked(url: str, endpoint: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PresignedObject, "_connection", lambda *_: pytest.fail("a connection"))

    error = refusal(PresignedObject(endpoint), url)

    assert error.code is RefusalCode.BAD_REQUEST
    assert "signature" not in error.message


@pytest.mark.parametrize("endpoint", ["http://10.0.0.1:4566", "http://example.com"])
def test_an_endpoint_that_is_not_this_machine_is_not_asked_either(endpoint: str) -> None:
    assert refusal(PresignedObject(endpoint), f"{endpoint}/o?").code is RefusalCode.BAD_REQUEST


@pytest.mark.parametrize(
    "host", ["bucket.s3.us-east-1.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn", "bucket.s3.amazonaws.com:443"]
)
def test_s3_is_asked_with_tls_and_its_certificate_is_checked(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    real = PresignedObject._connection

    def connect(self: PresignedObject, address: Any) -> Any:
        made.append(real(self, address))
        raise OSError("no network in tests")

    monkeypatch.setattr(PresignedObject, "_connection", connect)

    with pytest.raises(OSError, match="no network"):
        PresignedObject().fetch(f"https://{host}/o?signature")
    (connection,) = made
    assert (connection.host, connection.port) == (host.removesuffix(":443"), 443)
    assert connection._context.check_hostname
    assert connection._context.verify_mode.name == "CERT_REQUIRED"
