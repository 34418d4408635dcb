"""A process of its own for what hostile bytes may do: take all memory, never end, or take the decoder over.

It has the parent's memory as it was, one pipe to answer on, and bounds on memory and time. It can open nothing: no file
and no connection. It can start no process that outlives it, and reach no other one. A decoder that was taken over can
still read what the parent had in memory, and answer what it likes about the picture; so the answer is read as outside
data.
"""

import os
import resource
import select
import signal
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lambdas.renderer import system_calls

_LENGTH: Final = struct.Struct(">I")
_READ_BYTES: Final = 1 << 20
#: Of processor time, beyond the time by the clock: ends a process whose parent died.
_SPARE_SECONDS: Final = 5


class DecodingTimeoutError(Exception):
    """The process did not answer in its time, and was killed."""


class DecodingCrashedError(Exception):
    """The process ended without an answer, or with too long a one."""


def answer_of(
    work: Callable[[], bytes], *, seconds: float, memory: int, most_bytes: int, threads: bool = False
) -> bytes:
    """What `work` returns in a process of its own, which is gone afterwards, whatever it did.

    Args:
        work: must import nothing, and raise nothing.
        seconds: until the process is killed.
        memory: bytes that it may have beyond those that this process has already.
        most_bytes: of the answer.
        threads: whether it may start threads. A limit on processes counts them as well, so there is none then, and
            only the filter of system calls keeps it from starting a process.

    Raises:
        DecodingTimeoutError, DecodingCrashedError: there is no answer.
        OSError: the system has no process for us.
    """
    bounds = _Bounds(seconds, _data_bytes() + memory, threads)
    with system_calls.unreadable():
        return _answer_of(work, bounds, most_bytes)


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Of a decoding process."""

    seconds: float
    memory: int
    threads: bool


def _answer_of(work: Callable[[], bytes], bounds: _Bounds, most_bytes: int) -> bytes:
    reading, writing = os.pipe()
    try:
        child = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        raise
    if child == 0:
        _work(work, writing, bounds)
    os.close(writing)
    try:
        return _read(reading, time.monotonic() + bounds.seconds, most_bytes)
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)  # it is waited for only here, so the number is still its own
        os.waitpid(child, 0)


def _work(work: Callable[[], bytes], writing: int, bounds: _Bounds) -> None:
    """The child's whole life."""
    status = 1
    try:
        os.dup2(writing, 0)
        os.closerange(1, max(writing + 1, os.sysconf("SC_OPEN_MAX")))
        _limit(resource.RLIMIT_CPU, int(bounds.seconds) + _SPARE_SECONDS)
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_FSIZE, 0)
        _limit(resource.RLIMIT_DATA, bounds.memory)
        _limit(resource.RLIMIT_NOFILE, 0)
        if not bounds.threads:
            _limit(resource.RLIMIT_NPROC, 0)
        with suppress(OSError):  # some systems know no such filter
            system_calls.restrict(threads=bounds.threads)
        answer = memoryview(work())
        for part in (memoryview(_LENGTH.pack(len(answer))), answer):
            while part:
                part = part[os.write(0, part) :]
        status = 0
    finally:
        os._exit(status)  # nothing of the parent's is tidied up twice


def _limit(what: int, most: int) -> None:
    with suppress(ValueError, OSError):  # some systems know no such bound
        resource.setrlimit(what, (most, most))


def _data_bytes() -> int:
    """What RLIMIT_DATA counts of this process (getrlimit(2)); 0 where there is no /proc, nor such a bound."""
    try:
        status = Path("/proc/self/status").read_text("ascii", "replace")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData:")), 0)


def _read(reading: int, until: float, most_bytes: int) -> bytes:
    answer = bytearray()
    while True:
        is_ready = select.select([reading], [], [], max(0.0, until - time.monotonic()))[0]
        if not is_ready:
            raise DecodingTimeoutError
        part = os.read(reading, _READ_BYTES)
        answer += part
        if len(answer) >= _LENGTH.size:
            length = _LENGTH.unpack_from(answer)[0]
            if length > most_bytes or len(answer) > _LENGTH.size + length:
                raise DecodingCrashedError
            if len(answer) == _LENGTH.size + length:
                return bytes(answer[_LENGTH.size :])
        if not part:
            raise DecodingCrashedError
