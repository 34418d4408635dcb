"""A DynamoDB that costs next to nothing: it answers Scans, Queries and writes with bytes that were made before.

So what a benchmark measures is the command, not the table. Its items are all alike but for their keys (`key_of`). Of a
Scan it selects the attributes that are asked for, and applies no filter.
"""

import json
import multiprocessing
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from boto3.dynamodb.types import TypeSerializer

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_OPERATION = re.compile(rb"x-amz-target: *DynamoDB_\d+\.(\w+)", re.IGNORECASE)

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"

#: Of a page: a megabyte, where an item has 2 KB.
ITEMS_A_PAGE: Final = 500

#: Start key of a page that another one follows: its number in the segment.
_START: Final = "n"
#: Stands for a page's number in its items' keys.
_PAGE: Final = "PPPPPPPP"


def key_of(n: int) -> str:
    """The key of the item of this number, from 0."""
    return f"{n // ITEMS_A_PAGE:0{len(_PAGE)}}-{n % ITEMS_A_PAGE:03}.jpg"


@contextmanager
def table_stub(item: Callable[[str], Mapping[str, Any]], pages: int) -> Iterator[str]:
    """The address of a table.

    Args:
        item: makes an item of a key.
        pages: of the whole table; a multiple of the segments that are asked for.
    """
    keys = [f"{_PAGE}-{n:03}.jpg" for n in range(ITEMS_A_PAGE)]
    serialize = TypeSerializer().serialize
    page = [{name: serialize(value) for name, value in item(key).items()} for key in keys]
    server = socket.create_server(("127.0.0.1", 0), backlog=256)
    # A process of its own: none of its work is done by the interpreters that are measured.
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(server, page, pages), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        process.terminate()
        process.join()
        server.close()


def _serve(server: socket.socket, page: list[dict[str, Any]], pages: int) -> None:
    answers = _Answers(page, pages)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=_talk, args=(connection, answers), daemon=True).start()


class _Answers:
    """What is answered, as bytes."""

    def __init__(self, page: list[dict[str, Any]], pages: int) -> None:
        self._pages = pages
        self._items = page
        self._first = json.dumps(page[0]).encode()
        self._size = {"ItemCount": len(page) * pages, "TableSizeBytes": len(json.dumps(page)) * pages}
        self._selected: dict[str, bytes] = {}

    def _page(self, asked: Mapping[str, Any]) -> bytes:
        expression = asked["ProjectionExpression"]
        if expression not in self._selected:
            names = {asked["ExpressionAttributeNames"][name] for name in expression.split(", ")}
            items = [{name: value for name, value in item.items() if name in names} for item in self._items]
            self._selected[expression] = json.dumps(items).encode()
        return self._selected[expression]

    def to(self, operation: bytes, body: bytes) -> Iterator[bytes]:
        """The body of the answer to a request, in pieces."""
        asked = json.loads(body) if body else {}
        match operation:
            case b"Scan":
                in_segment = self._pages // asked["TotalSegments"]
                n = int(asked.get("ExclusiveStartKey", {}).get(_START, {}).get("N", 0))
                number = asked["Segment"] * in_segment + n
                counts: dict[str, Any] = {"Count": ITEMS_A_PAGE, "ScannedCount": ITEMS_A_PAGE}
                if n + 1 < in_segment:
                    counts["LastEvaluatedKey"] = {_START: {"N": str(n + 1)}}
                yield json.dumps(counts).encode()[:-1] + b', "Items": '
                yield self._page(asked).replace(_PAGE.encode(), b"%08d" % number)
                yield b"}"
            case b"Query":
                key = asked["ExpressionAttributeValues"][":object"]["S"].rsplit("/", 1)[-1]
                yield b'{"Count": 1, "ScannedCount": 1, "Items": ['
                yield self._first.replace(f"{_PAGE}-000.jpg".encode(), key.encode()) + b"]}"
            case b"DescribeTable":
                yield json.dumps({"Table": self._size}).encode()
            case _:
                yield b"{}"


def _talk(connection: socket.socket, answers: _Answers) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as stream:
        while head := b"".join(iter(stream.readline, b"\r\n")) if stream.peek(1) else b"":
            length = _LENGTH.search(head)
            operation = _OPERATION.search(head)
            body = stream.read(int(length[1])) if length else b""
            pieces = list(answers.to(operation[1] if operation else b"", body))
            length_told = f"Content-Length: {sum(map(len, pieces))}\r\n\r\n".encode()
            connection.sendall(b"".join((_HEAD, length_told, *pieces)))
