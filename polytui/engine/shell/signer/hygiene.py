"""What the platform offers to keep a key in one process: no dump, no tracer, no network, no file.

Every measure is tried, none is required: each answers whether it was granted, and the list is shown
to the operator. On Linux a system-call filter leaves the process with reading, writing, memory and
clocks; whatever else it asks for, sockets, files, programs, signals, is answered with EPERM.
"""

import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Callable, Iterable
from typing import Final

from polytui.engine.shell.signer.frames import Measure

_PDEATHSIG, _DUMPABLE, _SECCOMP, _NO_NEW_PRIVS = 1, 4, 22, 38
"""Options of prctl (linux/prctl.h)."""
_SIGKILL: Final = 9
_FILTER_MODE: Final = 2
_MCL_CURRENT: Final = 1
_DESCRIPTORS_MAX: Final = 4096

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
"""BPF: load a word, jump if equal, return (linux/bpf_common.h)."""
_ALLOW, _EPERM, _KILL = 0x7FFF0000, 0x00050001, 0x80000000
"""Verdicts (linux/seccomp.h)."""

_CALLS: Final[dict[str, tuple[int, dict[str, int]]]] = {
    "x86_64": (
        0xC000003E,
        {
            "read": 0,
            "write": 1,
            "close": 3,
            "fstat": 5,
            "poll": 7,
            "lseek": 8,
            "mmap": 9,
            "mprotect": 10,
            "munmap": 11,
            "brk": 12,
            "rt_sigaction": 13,
            "rt_sigprocmask": 14,
            "rt_sigreturn": 15,
            "pread64": 17,
            "sched_yield": 24,
            "mremap": 25,
            "madvise": 28,
            "getpid": 39,
            "exit": 60,
            "mlock": 149,
            "munlock": 150,
            "mlockall": 151,
            "gettid": 186,
            "futex": 202,
            "restart_syscall": 219,
            "clock_gettime": 228,
            "exit_group": 231,
            "newfstatat": 262,
            "getrandom": 318,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "close": 57,
            "lseek": 62,
            "read": 63,
            "write": 64,
            "pread64": 67,
            "ppoll": 73,
            "newfstatat": 79,
            "fstat": 80,
            "exit": 93,
            "exit_group": 94,
            "futex": 98,
            "clock_gettime": 113,
            "sched_yield": 124,
            "restart_syscall": 128,
            "rt_sigaction": 134,
            "rt_sigprocmask": 135,
            "rt_sigreturn": 139,
            "getpid": 172,
            "gettid": 178,
            "brk": 214,
            "munmap": 215,
            "mremap": 216,
            "mmap": 222,
            "mprotect": 226,
            "mlock": 228,
            "munlock": 229,
            "mlockall": 230,
            "madvise": 233,
            "getrandom": 278,
        },
    ),
}
"""All that stays allowed, by machine: its audit name and call numbers (linux/audit.h, unistd)."""


def before_key(parent: int) -> tuple[Measure, ...]:
    """Do what must be done before a key is in memory; `parent` is who should have started us."""
    return (*keep_quiet(), _measure("ends with the engine", lambda: _die_with(parent)))


def keep_quiet() -> tuple[Measure, ...]:
    """Do what a process with a lesser secret and a network can: no dump, tracer or new rights."""
    return (
        _measure("no core dump", _no_core),
        _measure("not traceable", _not_dumpable),
        _measure("no new privileges", _no_new_privileges),
    )


def after_key(keep: Iterable[int]) -> tuple[Measure, ...]:
    """Shut the doors once everything is open that will be needed."""
    return (
        _measure("descriptors closed", lambda: _close_all_but(keep)),
        _measure("no new descriptors", _no_descriptors),
        _measure("memory locked", lock_memory),
        _measure("system calls filtered", _filter_calls),
    )


def _measure(name: str, act: Callable[[], None]) -> Measure:
    try:
        act()
    except (OSError, ValueError, AttributeError) as error:
        return Measure(name=name, achieved=False, detail=str(error)[:80])
    return Measure(name=name, achieved=True)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    """Raise what the last C call failed with."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _prctl(option: int, *arguments: int) -> None:
    if sys.platform != "linux":
        raise OSError(f"{sys.platform} has no prctl")
    words = (*arguments, 0, 0, 0, 0)[:4]
    _check(_libc().prctl(option, *(ctypes.c_ulong(word) for word in words)))


def _no_core() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _not_dumpable() -> None:
    """Refuse tracers and readers of our memory that run under the same user."""
    _prctl(_DUMPABLE, 0)


def _no_new_privileges() -> None:
    _prctl(_NO_NEW_PRIVS, 1)


def _die_with(parent: int) -> None:
    """Be killed when the engine's thread that started us ends; unless it has ended already."""
    _prctl(_PDEATHSIG, _SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("polytui signer: the engine that started it is gone")


def _close_all_but(keep: Iterable[int]) -> None:
    """Close everything but the standard three and what is needed."""
    last = 2
    for fd in (*sorted(fd for fd in keep if fd > 2), _DESCRIPTORS_MAX):
        os.closerange(last + 1, fd)
        last = fd


def _no_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def lock_memory() -> None:
    """Keep all memory of this moment out of swap.

    Raises:
        OSError: the limit for locked memory is smaller than this process.
    """
    _check(_libc().mlockall(_MCL_CURRENT))


def lock_place(address: int, length: int) -> None:
    """Keep one place out of swap: a page is granted where the whole process is not.

    Raises:
        OSError: not even that.
    """
    _check(_libc().mlock(ctypes.c_void_p(address), ctypes.c_size_t(length)))


class _Program(ctypes.Structure):
    """`struct sock_fprog` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def _filter_calls() -> None:
    """Leave only the calls of the table; needs no privileges after `no new privileges`."""
    machine = _CALLS.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        raise OSError(f"no filter for {sys.platform} on {platform.machine()}")
    code = program(*machine)
    held = _Program(len(code) // 8, code)
    _check(
        _libc().prctl(
            _SECCOMP,
            ctypes.c_ulong(_FILTER_MODE),
            ctypes.byref(held),
            ctypes.c_ulong(0),
            ctypes.c_ulong(0),
        )
    )


def program(audit: int, calls: dict[str, int]) -> bytes:
    """Assemble the filter: another machine's calls kill, the table's pass, the rest gets EPERM."""

    def step(code: int, value: int, *, then: int = 0, other: int = 0) -> bytes:
        return struct.pack("=HBBI", code, then, other, value)

    numbers = sorted(calls.values())
    lines = [step(_LOAD, 4), step(_EQUAL, audit, then=1), step(_RETURN, _KILL), step(_LOAD, 0)]
    for place, number in enumerate(numbers):
        lines.append(step(_EQUAL, number, then=len(numbers) - place))
    return b"".join((*lines, step(_RETURN, _EPERM), step(_RETURN, _ALLOW)))
