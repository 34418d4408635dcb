"""The review page in front of a deployment in memory, as a reviewer's browser sees it."""

import io
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from PIL import Image, ImageDraw
from playwright.sync_api import Browser

from gatehouse.cli.aws import verdict_table
from gatehouse.cli.clock import Clock
from gatehouse.cli.connection import Connection
from gatehouse.cli.deployment import Deployment
from gatehouse.moderation.analysis import Analysis, ContentType, Label
from gatehouse.moderation.moment import iso
from gatehouse.moderation.person import Person
from gatehouse.moderation.reason import Reason
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.review import bench, review_routes
from gatehouse.review.application import application
from gatehouse.review.bench import Bench
from gatehouse.review.lock import Lock
from tests.browser.chrome import browser as a_browser
from tests.cli.conftest import STANDARD, UPLOADS, Deployed, deployed, gatehouse, here, policy_of
from tests.unit.builders import a_claim, a_verdict, an_upload

__all__ = ["deployed", "gatehouse", "here"]

MO, KIM = Person("mo"), Person("kim", "Kim")
POLICY = policy_of(STANDARD)

_HUES = ((38, 84, 124), (181, 101, 29), (63, 122, 93), (131, 68, 104), (96, 98, 40), (70, 74, 138))


def drawn(number: int, size: tuple[int, int] = (640, 480), kind: str = "JPEG") -> bytes:
    """A harmless picture, another one for each number."""
    image = Image.new("RGB", size, _HUES[number % len(_HUES)])
    canvas, (width, height) = ImageDraw.Draw(image), size
    canvas.ellipse([width * 0.55, height * 0.15, width * 0.8, height * 0.5], fill=(240, 214, 150))
    hills = [(0, height * 0.8), (width * 0.3, height * (0.4 + number % 5 / 20)), (width * 0.6, height * 0.75)]
    canvas.polygon([*hills, (width, height * 0.5), (width, height), (0, height)], fill=(30, 40, 46))
    canvas.text((width * 0.06, height * 0.08), str(number), fill=(255, 255, 255), font_size=height // 8)
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One for all tests of the module."""
    with a_browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(autouse=True)
def fit_for_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """See `call_one_at_a_time` and `look_back_one_day`."""
    call_one_at_a_time(monkeypatch)
    look_back_one_day(monkeypatch)


def call_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto's tables can't be read while another thread writes them."""
    client_of, lock = Connection.client, threading.RLock()

    def client(self: Connection, *arguments: Any, **options: Any) -> Any:
        made = client_of(self, *arguments, **options)
        call = made._make_api_call

        def locked(*arguments: Any, **options: Any) -> Any:
            with lock:
                return call(*arguments, **options)

        made._make_api_call = locked
        return made

    monkeypatch.setattr(Connection, "client", client)


def look_back_one_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each day that is looked at takes ten Queries and more, and time here."""
    monkeypatch.setattr(bench, "DEFAULT_AGE", "1d")
    monkeypatch.setattr(review_routes, "DEFAULT_AGE", "1d")
    monkeypatch.setattr(verdict_table, "DAYS", 1)


@dataclass
class Uploads:
    """Uploads of a versioned bucket that wait, oldest first, a minute apart until now."""

    deployed: Deployed
    count: int = 0

    def __post_init__(self) -> None:
        configuration: Any = {"Status": "Enabled"}
        self.deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration=configuration)
        self.deployed.record(POLICY)

    def put(self, key: str, status: Status = Status.REVIEW, *, body: bytes | None = None, **fields: Any) -> Verdict:
        """Store an upload, and its verdict."""
        self.count += 1
        body = drawn(self.count) if body is None else body
        answer = self.deployed.s3.put_object(Bucket=UPLOADS, Key=key, Body=body)
        at = datetime.now(UTC) - timedelta(minutes=60 - self.count / 60)
        upload = an_upload(
            key, version_id=answer["VersionId"], etag=answer["ETag"].strip('"'), size=len(body), uploaded_at=iso(at)
        )
        labels = (
            Label("Violence", "", 86.4, 1),
            Label("Graphic Violence", "Violence", 86.4, 2),
            Label("Explosions and Blasts", "Graphic Violence", 86.4, 3),
            Label("Alcohol", "", 61.0, 1),
        )
        verdict = replace(
            a_verdict(status, a_claim(upload)),
            decided_at=iso(at),
            analysis=Analysis(labels, (ContentType("Illustrated", 93.9),), "7.0"),
            reasons=(Reason("Violence", "Explosions and Blasts", 86.4, "review", 50.0),),
            policy=POLICY.reference,
            **fields,
        )
        self.deployed.put(verdict)
        return verdict

    @staticmethod
    def with_analysis(verdict: Verdict, analysis: Analysis) -> Verdict:
        """The verdict with other labels."""
        return replace(verdict, analysis=analysis, reasons=())

    def item(self, verdict: Verdict) -> dict[str, Any]:
        """What the table has of an upload now."""
        return self.deployed.items()[verdict.upload.identity]

    def statuses(self) -> dict[str, str]:
        """The status of each key."""
        return {item["key"]: item["status"] for item in self.deployed.items().values()}


@dataclass
class Served:
    """A page that is served.

    Attributes:
        ahead: seconds by which its clock is ahead.
    """

    bench: Bench
    app: Lock
    port: int
    journals: Path
    ahead: list[float] = field(default_factory=lambda: [0.0])

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(
    journals: Path, person: Person = MO, *, wait_seconds: float = 0.4, environment: Mapping[str, str] = os.environ
) -> Iterator[Served]:
    """A page of a reviewer, in a thread of this process."""
    ahead = [0.0]
    clock = Clock(
        now=lambda: datetime.now(UTC) + timedelta(seconds=ahead[0]),
        monotonic=lambda: Clock().monotonic() + ahead[0],
    )
    connection = Connection()
    made = Bench.of(connection, Deployment.find(connection), person, clock, journals)
    made.desk.wait_seconds = wait_seconds
    made.forget_sent()
    config = uvicorn.Config(lambda: None, log_level="warning", port=0, timeout_graceful_shutdown=1)
    with config.bind_socket() as listener:
        listener.listen()
        port = listener.getsockname()[1]
        app = application(made, port)
        config.app, config.loaded_app = app, app
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield Served(made, app, port, journals, ahead)
        finally:
            server.should_exit = True
            thread.join(15)


@pytest.fixture
def uploads(deployed: Deployed) -> Uploads:
    return Uploads(deployed)


@pytest.fixture
def served(uploads: Uploads, tmp_path: Path) -> Iterator[Served]:
    """Mo's page."""
    with serving(tmp_path / "journals") as page:
        yield page
