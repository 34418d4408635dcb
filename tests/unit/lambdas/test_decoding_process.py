"""Whatever is done in the decoding process, the caller goes on."""

import ctypes
import os
import resource
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from lambdas.renderer import system_calls
from lambdas.renderer.decoding_process import DecodingCrashedError, DecodingTimeoutError, answer_of

MEGABYTE = 1024 * 1024

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems know no such bounds")


def run(
    work: Callable[[], bytes],
    seconds: float = 30.0,
    memory: int = 200 * MEGABYTE,
    most: int = 5 * MEGABYTE,
    threads: bool = False,
) -> bytes:
    return answer_of(work, seconds=seconds, memory=memory, most_bytes=most, threads=threads)


@pytest.mark.parametrize("answer", [b"x", b"", bytes(5 * MEGABYTE)], ids=["short", "empty", "long"])
def test_an_answer_comes_back_whole(answer: bytes) -> None:
    assert run(lambda: answer) == answer


def test_what_is_done_there_changes_nothing_here() -> None:
    seen = {"done": 0}

    def work() -> bytes:
        seen["done"] += 1
        return bytes([seen["done"]])

    assert run(work) == b"\1"
    assert seen == {"done": 0}


def endless() -> bytes:
    while True:
        pass


def asleep() -> bytes:
    time.sleep(600)
    return b""


@pytest.mark.parametrize("work", [endless, asleep])
def test_what_does_not_end_is_ended(work: Callable[[], bytes]) -> None:
    with pytest.raises(DecodingTimeoutError):
        run(work, seconds=0.1)


def killed() -> bytes:
    return ctypes.string_at(0)  # a decoder that reads where nothing is


def gone() -> bytes:
    os._exit(0)


def raising() -> bytes:
    raise KeyboardInterrupt


def silent() -> bytes:
    os.close(0)
    time.sleep(600)
    return b""


def lying_about_its_length() -> bytes:
    os.write(0, struct.pack(">I", 2**32 - 1))
    return b""


def stopping_halfway() -> bytes:
    os.write(0, struct.pack(">I", 1_000) + b"half")
    os._exit(0)


@pytest.mark.parametrize("work", [killed, gone, raising, silent, lying_about_its_length, stopping_halfway])
def test_what_ends_without_an_answer_is_noticed(work: Callable[[], bytes]) -> None:
    with pytest.raises(DecodingCrashedError):
        run(work)


def test_an_answer_that_is_too_long_is_not_read_to_its_end() -> None:
    with pytest.raises(DecodingCrashedError):
        run(lambda: bytes(100 * MEGABYTE), most=MEGABYTE)


@linux
def test_memory_is_bounded() -> None:
    def grow() -> bytes:
        try:
            return b"grown" if bytearray(300 * MEGABYTE) else b""
        except MemoryError:
            return b"refused"

    assert run(grow, memory=400 * MEGABYTE) == b"grown"
    assert run(grow, memory=200 * MEGABYTE) == b"refused"


@linux
def test_nothing_can_be_opened() -> None:
    def try_to_reach() -> bytes:
        reached = []
        attempts: dict[str, Callable[[], object]] = {
            "file": lambda: os.open("/etc/hostname", os.O_RDONLY),
            "written file": lambda: os.open("/tmp/gatehouse-test", os.O_WRONLY | os.O_CREAT),
            "connection": socket.socket,
            "pipe": os.pipe,
            "copy": lambda: os.dup(0),
        }
        for name, attempt in attempts.items():
            try:
                attempt()
                reached.append(name)
            except OSError:
                pass
        return ",".join(reached).encode()

    assert run(try_to_reach) == b""


class _Place(ctypes.Structure):
    """`struct iovec`."""

    _fields_ = (("address", ctypes.c_void_p), ("length", ctypes.c_size_t))


def touched(call: str, address: int, mine: ctypes.Array[ctypes.c_char]) -> bool:
    """Whether 8 bytes of the caller's memory could be read or written."""
    here, there = _Place(ctypes.addressof(mine), 8), _Place(address, 8)
    function = getattr(ctypes.CDLL(None), call)
    return bool(function(os.getppid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0) == 8)


def beginning_of_another_process() -> None:
    if os.fork() == 0:
        os._exit(0)


@linux
@pytest.mark.parametrize(("has_filter", "threads"), [(True, False), (True, True), (False, False)])
def test_a_decoder_that_was_taken_over_reaches_no_other_process(
    monkeypatch: pytest.MonkeyPatch, has_filter: bool, threads: bool
) -> None:
    """Where there is no filter, as maybe on Lambda, limits hold those who are not root, whom they can't hold."""
    if not has_filter:
        monkeypatch.setattr(system_calls, "restrict", refusing)
        if os.getuid() == 0:
            pytest.skip("root may do anything")
    ours = ctypes.create_string_buffer(b"untouched")

    def attack() -> bytes:
        reached = [
            call
            for call in ("process_vm_readv", "process_vm_writev")
            if touched(call, ctypes.addressof(ours), ctypes.create_string_buffer(b"modified"))
        ]
        with suppress(OSError):
            beginning_of_another_process()
            reached.append("fork")
        return ",".join(reached).encode()

    assert run(attack, threads=threads) == b""
    assert ours.value == b"untouched"


@linux
def test_a_decoder_may_have_threads_where_it_needs_them() -> None:
    def work() -> bytes:
        done: list[bytes] = []
        thread = threading.Thread(target=lambda: done.append(b"done"))
        try:
            thread.start()
        except RuntimeError:
            return b"refused"
        thread.join()
        return done[0]

    assert run(work, threads=True) == b"done"
    assert run(work) == b"refused"


@linux
def test_a_decoder_that_was_taken_over_leaves_nothing_for_the_next_one(tmp_path: Path) -> None:
    def attack() -> bytes:
        reached = []
        attempts: dict[str, Callable[[], object]] = {
            "name": lambda: os.mkdir(tmp_path / "left"),
            "removal": lambda: os.rmdir(tmp_path),
            "signal": lambda: os.kill(os.getppid(), signal.SIGCONT),
            "program": lambda: os.execv("/bin/true", ["true"]),
        }
        for name, attempt in attempts.items():
            with suppress(OSError):
                attempt()
                reached.append(name)
        if ctypes.CDLL(None).shmget(0, 4096, 0o1600) != -1:
            reached.append("shared memory")
        return ",".join(reached).encode()

    assert run(attack) == b""
    assert tmp_path.is_dir()
    assert not (tmp_path / "left").exists()


def refusing(**_: bool) -> None:
    """As a system does that knows no filter."""
    raise OSError


@linux
def test_a_system_without_a_filter_has_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_calls, "restrict", refusing)
    kinds = (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)
    is_dumpable = 3  # linux/prctl.h, PR_GET_DUMPABLE

    told = run(lambda: repr([*map(resource.getrlimit, kinds), ctypes.CDLL(None).prctl(is_dumpable)]).encode())

    assert told == repr([*[(0, 0)] * 4, 0]).encode()
    assert ctypes.CDLL(None).prctl(is_dumpable) == 1  # ours is as it was


@linux
def test_what_the_caller_has_open_is_closed() -> None:
    with socket.socket() as ours:
        number = ours.fileno()

        def look() -> bytes:
            open_ones = []
            for candidate in range(max(number, 100) + 1):
                try:
                    os.write(candidate, b"")
                    open_ones.append(candidate)
                except OSError:
                    pass
            return repr(open_ones).encode()

        assert run(look) == b"[0]"


def test_no_process_and_no_pipe_is_left_over(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    fork = os.fork

    def noted_fork() -> int:
        started.append(fork())
        return started[-1]

    monkeypatch.setattr(os, "fork", noted_fork)
    before = len(os.listdir("/dev/fd"))
    for work in (lambda: b"x", killed, silent):
        with suppress(DecodingCrashedError):
            run(work)

    assert len(os.listdir("/dev/fd")) == before
    assert len(started) == 3
    for process in started:
        with pytest.raises(ChildProcessError):
            os.waitpid(process, os.WNOHANG)
