"""`make demo` as a user sees it."""

import re
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo import demo
from demo.pipeline import DeployedPipeline
from demo.samples import sample_images, write_samples
from gatehouse.console import printable
from tests.e2e.test_happy_path import EXPECTED


@pytest.fixture(autouse=True)
def synthesized_already(assembly: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The run's assembly instead of one more synthesis; and pytest's own way to end afterwards."""
    monkeypatch.setattr(demo, "synthesize", lambda folder: shutil.copytree(assembly, folder))
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def statuses(output: str) -> dict[str, str]:
    """Upload -> verdict, read from the printed plain table."""
    verdicts = output.partition("Verdicts, read")[2].partition("Flags, received")[0]
    return dict(re.findall(r"^\| (\S.*?) +\| ([A-Z]+) +\|", verdicts, re.MULTILINE))


def is_listening(output: str) -> bool:
    """Whether the local cloud that `output` speaks of still answers."""
    endpoint = re.search(r"Deploying to http://127\.0\.0\.1:(\d+)", output)
    assert endpoint is not None, output
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(endpoint[1]))) == 0


def test_the_demo_shows_a_verdict_for_every_sample_and_a_flag_for_each_flagged_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = demo.main([])

    output = capsys.readouterr().out
    assert status == 0, output
    assert statuses(output) == EXPECTED
    flags = output.partition("Flags, received")[2]
    assert {sample.key for sample in sample_images() if f"| {sample.key} " in flags} == {
        key for key, verdict in EXPECTED.items() if verdict in ("REVIEW", "BLOCKED")
    }
    assert "Explosions and Blasts 92.6" in output
    assert "Illustrated 93.9" in output
    assert not is_listening(output)


def test_the_demo_looks_at_the_users_own_images_and_says_what_it_can_not_see(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "CONTACT_SHEET", tmp_path.parent / "contact-sheet" / "page.html")
    write_samples(tmp_path / "in a folder")
    (tmp_path / ".hidden").write_bytes(b"not uploaded")

    status = demo.main(["--images", str(tmp_path)])

    output = capsys.readouterr().out
    assert status == 0, output
    assert statuses(output) == {f"in a folder/{key}": verdict for key, verdict in EXPECTED.items()}
    words = " ".join(output.split())
    assert "These labels come from a small model on this machine" in words
    assert "so these rules can't fire: Crashes, Hate Symbols, " in words
    assert (tmp_path.parent / "contact-sheet" / "page.html").read_text("utf-8").count("<article") == len(EXPECTED)


@pytest.mark.parametrize(("name", "message"), [("missing", "there is no "), ("", "holds no files")])
def test_a_folder_without_images_is_refused_before_anything_is_started(
    name: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.main(["--images", str(tmp_path / name)]) == 1

    output = capsys.readouterr().out
    assert message in output
    assert "Synthesizing" not in output


def test_a_missing_verdict_fails_the_demo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(demo, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(DeployedPipeline, "verdicts", lambda self: [])

    assert demo.main([]) == 1

    output = capsys.readouterr().out
    assert "no verdict for 10 of 10 uploads: sunset.jpg" in output
    assert not is_listening(output)


def test_a_missing_flag_fails_the_demo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    wait_for_flags = demo._wait_for_flags

    def without_patience(pipeline: DeployedPipeline, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        monkeypatch.setattr(demo, "_PATIENCE_SECONDS", 0.0)
        monkeypatch.setattr(DeployedPipeline, "flags", lambda self: [])
        return wait_for_flags(pipeline, items)

    monkeypatch.setattr(demo, "_wait_for_flags", without_patience)

    assert demo.main([]) == 1
    assert "no flag for illustrated-explosion.jpg" in capsys.readouterr().out


def test_a_key_cannot_give_orders_to_the_terminal() -> None:
    assert str(printable("a\x1b[2Jb\r\n.jpg")) == "a\\x1b[2Jb\\r\\n.jpg"
    assert str(printable("[red]é🎉.jpg")) == "[red]é🎉.jpg"
