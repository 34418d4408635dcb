"""What `make demo IMAGES=` and `make local PORT=` make of what people write, and for whom a page is opened."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from demo import __main__ as local_command
from demo import demo
from demo.samples import write_samples
from demo.synthesis import SynthesisError
from localcloud.rekognition import analyzer_choice


@pytest.fixture(autouse=True)
def nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Synthesis is the first thing that follows, and tells which uploads there would be."""

    def stop(_folder: Path) -> None:
        raise SynthesisError("got as far as synthesis")

    monkeypatch.setattr(demo, "synthesize", stop)
    monkeypatch.setattr(local_command, "_serve", lambda *_: 0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)


def said(capsys: pytest.CaptureFixture[str], images: str) -> str:
    assert demo.main(["--images", images]) == 1
    return capsys.readouterr().out


def test_a_file_that_cannot_be_read_is_told_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To root, who runs the tests in containers, every file is readable."""
    write_samples(tmp_path)
    refused = sorted(tmp_path.iterdir())[1]
    open_file: Any = Path.open

    def refuse(path: Path, *arguments: str) -> object:
        if path == refused:
            raise PermissionError(13, "Permission denied", str(path))
        return open_file(path, *arguments)

    monkeypatch.setattr(Path, "open", refuse)

    assert said(capsys, str(tmp_path)) == (
        f"The demo failed: {refused} can't be read: Permission denied; leave it out, or make it readable\n"
    )


def test_a_folder_that_cannot_be_listed_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = tmp_path / "pictures" / "private"
    write_samples(refused)
    (tmp_path / "pictures" / "cat.jpg").write_bytes(b"a cat")
    scan: Any = os.scandir

    def refuse(path: str) -> object:
        if Path(path) == refused:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)

    for folder in (tmp_path / "pictures", refused):
        assert f"{refused} can't be read: Permission denied" in said(capsys, str(folder))


def test_a_file_in_a_folder_that_may_not_be_entered_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)

    assert "cat.jpg can't be read: Permission denied" in said(capsys, str(tmp_path / "cat.jpg"))


def test_a_file_name_that_no_key_could_have_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / os.fsdecode(b"cat-\xff.jpg")).write_bytes(b"a cat")

    assert "cat-\\udcff.jpg has a name that is not UTF-8" in said(capsys, str(tmp_path))


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    for name in ("b.jpg", ".hidden.jpg", ".cache/a.jpg", "a/.c/d.jpg", "a/b.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"a cat")

    assert [upload.key for upload in demo._files(tmp_path)] == ["a/b.jpg", "b.jpg"]


def test_a_home_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_samples(tmp_path / "pictures")

    assert "got as far as synthesis" in said(capsys, "~/pictures")
    assert "there is no ~nobody-at-all/pictures" in said(capsys, "~nobody-at-all/pictures")


def test_a_single_file_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cat.jpg").write_bytes(b"a cat")

    assert "got as far as synthesis" in said(capsys, str(tmp_path / "cat.jpg"))
    assert [(upload.key, upload.body) for upload in demo._files(tmp_path / "cat.jpg")] == [("cat.jpg", b"a cat")]


def test_what_is_not_there_and_what_is_empty_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing.jpg; use make demo IMAGES=path/to/folder" in said(capsys, str(tmp_path / "nothing.jpg"))
    assert "holds no files" in said(capsys, str(tmp_path))


@pytest.mark.parametrize("port", ["80000", "65536", "-1", "http", "", "\u0664"])
def test_a_port_that_is_none_is_told(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        local_command.main([f"--port={port}"])

    assert "is not a port; use 1 to 65535, or 0 for a free one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environment", "is_terminal", "platform", "expected"),
    [
        ({"DISPLAY": ":0"}, True, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True, "linux", True),
        ({}, True, "darwin", True),
        ({}, True, "linux", False),
        ({"DISPLAY": ":0"}, False, "linux", False),
        ({"DISPLAY": ":0", "FORCE_COLOR": "1"}, False, "linux", False),
        ({"CI": "true"}, True, "darwin", False),
    ],
)
def test_the_page_is_opened_for_a_person_alone(
    environment: dict[str, str], is_terminal: bool, platform: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)

    assert demo.is_somebody_there(environment) is expected


def test_an_analyzer_that_cannot_be_used_is_told_before_anything_is_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_samples(tmp_path)

    assert demo.main(["--images", str(tmp_path), "--analyzer", "no_such_module:Class"]) == 1

    assert capsys.readouterr().out == (
        "The demo failed: GATEHOUSE_ANALYZER='no_such_module:Class' can't be used: "
        "ModuleNotFoundError: No module named 'no_such_module'\n"
    )


def test_without_the_small_model_the_first_line_says_that_nobody_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_samples(tmp_path)
    monkeypatch.setattr(analyzer_choice, "SMALL_MODEL_FOLDER", tmp_path / "missing")

    words = said(capsys, str(tmp_path)).splitlines()[0]

    assert words.startswith("Nobody looks at your pictures in this run: only labels planted in them count")
