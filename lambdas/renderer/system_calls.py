"""What the decoding process may ask of the kernel: memory, the time, its one pipe, and its end. Linux only.

Limits (resource.setrlimit) keep it from files and connections, but not from the function's own memory
(process_vm_writev), from signals, from names in /tmp and from shared memory. A filter does (seccomp(2)). AWS does not
say whether Lambda lets functions set one, so it is one bound of several, and where it is refused the others hold.
"""

import ctypes
import errno
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: linux/prctl.h
_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2

#: linux/seccomp.h: what a filter returns, and where `seccomp_data` has the call's number and the processor's kind.
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | errno.EPERM
_UNKNOWN: Final = 0x00050000 | errno.ENOSYS
_NUMBER_AT, _PROCESSOR_AT, _FIRST_ARGUMENT_AT = 0, 4, 16

#: linux/bpf_common.h: load a word, jump if it equals, jump if it has a bit, return.
_LOAD: Final = 0x20
_JUMP_IF_EQUAL: Final = 0x15
_JUMP_IF_SET: Final = 0x45
_RETURN: Final = 0x06

#: linux/audit.h, by the name of the processor.
_PROCESSORS: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

#: asm/unistd.h: a call's numbers on these processors.
_ALLOWED_CALLS: Final = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "getpid": (39, 172),
    "exit": (60, 93),
    "sysinfo": (99, 179),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "getcpu": (309, 168),
    "getrandom": (318, 278),
}

#: What a thread does when it begins.
_CALLS_OF_THREADS: Final = {
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
}
_CLONE: Final = (56, 220)
_CLONE3: Final = (435, 435)

#: linux/sched.h, in clone's first argument: another thread of this process, and no process.
_CLONE_THREAD: Final = 0x00010000


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("value", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def restrict(*, threads: bool) -> None:
    """Refuse this process all other calls, for good: they end with EPERM.

    Args:
        threads: whether it may start threads. It can start no process either way.

    Raises:
        OSError: the system knows no such filter, or does not let us set one.
    """
    if (processor := platform.machine()) not in _PROCESSORS:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    column = list(_PROCESSORS).index(processor)
    allowed = [numbers[column] for numbers in (_ALLOWED_CALLS | (_CALLS_OF_THREADS if threads else {})).values()]
    ends = [_Instruction(_RETURN, 0, 0, answer) for answer in (_REFUSE, _ALLOW, _UNKNOWN)]
    of_threads = [
        _Instruction(_JUMP_IF_EQUAL, 5, 0, _CLONE3[column]),  # its flags can't be seen; the C library then uses clone
        _Instruction(_JUMP_IF_EQUAL, 0, 2, _CLONE[column]),
        _Instruction(_LOAD, 0, 0, _FIRST_ARGUMENT_AT),
        _Instruction(_JUMP_IF_SET, 1, 0, _CLONE_THREAD),
    ]
    rest = [*(of_threads if threads else []), *ends]
    to_allow = len(rest) - len(ends) + 1
    listed = [
        _Instruction(_LOAD, 0, 0, _PROCESSOR_AT),
        _Instruction(_JUMP_IF_EQUAL, 0, len(allowed) + to_allow, _PROCESSORS[processor]),
        _Instruction(_LOAD, 0, 0, _NUMBER_AT),
        *(_Instruction(_JUMP_IF_EQUAL, len(allowed) - 1 - n + to_allow, 0, number) for n, number in enumerate(allowed)),
        *rest,
    ]
    instructions = (_Instruction * len(listed))(*listed)
    _control(_PR_SET_NO_NEW_PRIVS, 1, 0)
    _control(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(_Program(len(listed), instructions)))


@contextmanager
def unreadable() -> Iterator[None]:
    """Within the context no other process of this user reads or writes this one's memory (ptrace(2), access checks).

    A process that is started meanwhile stays so.
    """
    before = _LIBC.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) if hasattr(_LIBC, "prctl") else 0
    if before != 1:
        yield
        return
    _control(_PR_SET_DUMPABLE, 0, 0)
    try:
        yield
    finally:
        _control(_PR_SET_DUMPABLE, 1, 0)


def _control(option: int, value: int, argument: object) -> None:
    if not hasattr(_LIBC, "prctl"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    pointer = argument if argument else ctypes.c_void_p(0)
    if _LIBC.prctl(option, ctypes.c_ulong(value), pointer, ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        raise OSError(number := ctypes.get_errno(), os.strerror(number))
