"""A webhook that receives verdicts from EventBridge and knows its sender: standard library only.

An API destination sends each event with the API key of its connection in a header. It is compared in constant time,
before the body is read. Behind a server that speaks TLS: EventBridge calls https alone.

    GATEHOUSE_WEBHOOK_KEY=... python webhook.py 8080
"""

import hmac
import json
import os
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

#: The connection's `ApiKeyName`.
HEADER = "X-Gatehouse-Key"

#: An event is never larger.
_MOST_BYTES = 1024 * 1024


class States:
    """The newest state of each object. Events come more than once and out of order.

    Two flags of revision 0 may differ, as a batch's function may run twice: then the later one is kept, and the verdict
    table says which one stands.
    """

    def __init__(self) -> None:
        self._held: dict[str, Mapping[str, Any]] = {}
        self._lock = Lock()

    def take(self, flag: Mapping[str, Any]) -> bool:
        """Take a flag. Returns whether it was news: a later upload, or a later state of the same one."""
        name = f"s3://{flag['object']['bucket']}/{flag['object']['key']}"
        with self._lock:
            held = self._held.get(name)
            if held and _order(flag) <= _order(held):
                return False
            self._held[name] = flag
        return True

    def statuses(self) -> dict[str, str]:
        """Status by object."""
        with self._lock:
            return {name: flag["status"] for name, flag in self._held.items()}


def _order(flag: Mapping[str, Any]) -> tuple[str, int, str]:
    return flag["version"], flag["revision"], flag["decided_at"]


class Webhook(ThreadingHTTPServer):
    """Serves `POST` on any path.

    Args:
        key: that the connection sends.
    """

    def __init__(self, address: tuple[str, int], key: str) -> None:
        if not key:
            raise ValueError("the key is empty, so that every stranger would know it; set GATEHOUSE_WEBHOOK_KEY")
        super().__init__(address, _Handler)
        self.key = key.encode()
        self.states = States()


class _Handler(BaseHTTPRequestHandler):
    server: Webhook
    timeout = 10  # seconds for a request, so that nobody holds a thread

    def do_POST(self) -> None:
        """Answer 401 to strangers, 400 to what is no event, and 204 where the event is taken.

        EventBridge waits five seconds for the answer (AWS re:Post, eventbridge-api-destination-target-failure).
        """
        if not hmac.compare_digest(self.headers.get(HEADER, "").encode(), self.server.key):
            return self._answer(401)
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            return self._answer(400)
        try:
            event = json.loads(self.rfile.read(int(length)))
            if event["detail-type"] != "Gatehouse Verdict":
                return self._answer(400)
            self.server.states.take(event["detail"])
        except (ValueError, TypeError, LookupError):
            return self._answer(400)
        return self._answer(204)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")  # of a body that was not read nothing is left for the next request
        self.end_headers()
        self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing: requests hold keys of objects, which uploaders choose."""


if __name__ == "__main__":
    with Webhook(("127.0.0.1", int(sys.argv[1])), os.environ["GATEHOUSE_WEBHOOK_KEY"]) as webhook:
        webhook.serve_forever()
