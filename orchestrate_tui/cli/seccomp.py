"""Seccomp: which calls of the system the kernel no longer carries out for this process.

What Landlock does not see (whose a file is and when it changed, other processes), and for kernels
without it all that changes a folder. Some of it no Python code asks for: SQLite gives the files
beside a database to its owner when root reads it.
https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator

from orchestrate_tui.values import dataclass

_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP = 38, 22
_BY_FILTER = 2
_LOAD, _EQUALS, _AT_LEAST, _HAS_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOWED, _FAILED = 0x7FFF0000, 0x00050000
_CALL, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_THREAD = 0x10000  # of clone: what is begun is a thread of this process
_OTHER_NUMBERS = 0x40000000  # the x32 calls of x86-64
_UNIX = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """The calls as one architecture numbers them.

    `refused` come to nothing; `thread_only` makes but threads, `own_only` signals but this process,
    and `local_only` opens sockets but for this machine.
    """

    audit: int
    refused: frozenset[int]
    thread_only: int
    own_only: frozenset[int]
    local_only: int


_EVERYWHERE = frozenset({
    *(424, 425, 438),  # pidfd_send_signal, io_uring_setup, pidfd_getfd
    *(452, 463, 466, 469),  # fchmodat2, setxattrat, removexattrat, file_setattr
})  # fmt: skip
_CLONE3 = 435
_MACHINES = {
    "x86_64": _Machine(
        audit=0xC000003E,
        refused=_EVERYWHERE | {
            *(90, 91, 268, 92, 93, 94, 260),  # chmod, chown, and what is like them
            *(132, 235, 261, 280),  # utime, utimes, futimesat, utimensat
            *(188, 189, 190, 197, 198, 199),  # setxattr, removexattr
            *(76, 82, 83, 84, 85, 86, 87, 88, 133),  # truncate, rename, mkdir … symlink, mknod
            *(258, 259, 263, 264, 265, 266, 316),  # the same, in a folder that is open
            *(57, 58, 59, 322, 200, 129, 297),  # fork, vfork, exec, tkill, sigqueue
            *(49, 50, 101, 311, 165, 166),  # bind, listen, ptrace, process_vm_writev, mount
        },
        thread_only=56,
        own_only=frozenset({62, 234}),
        local_only=41,
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        refused=_EVERYWHERE | {
            *(52, 53, 54, 55, 88),  # chmod, chown, utimensat
            *(5, 6, 7, 14, 15, 16),  # setxattr, removexattr
            *(45, 33, 34, 35, 36, 37, 38, 276),  # truncate, mknodat … renameat, renameat2
            *(221, 281, 130, 138, 240),  # exec, tkill, sigqueue
            *(200, 201, 117, 271, 40, 39),  # bind, listen, ptrace, process_vm_writev, mount
        },
        thread_only=220,
        own_only=frozenset({129, 131}),
        local_only=198,
    ),
}  # fmt: skip


class _Instruction(ctypes.Structure):
    """One step of the filter; `then` and `otherwise` say how many to pass over."""

    _fields_ = (
        ("code", ctypes.c_uint16),
        ("then", ctypes.c_uint8),
        ("otherwise", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("steps", ctypes.POINTER(_Instruction)))


def give_up_calls() -> bool:
    """Let this thread, and those that it starts, no longer do what changes or starts anything.

    What is refused fails with EPERM. False where the kernel cannot, or on another architecture.
    """
    machine = _MACHINES.get(os.uname().machine)
    if machine is None:
        return False
    steps = tuple(_filter(machine))
    program = _Program(len(steps), (_Instruction * len(steps))(*steps))
    control = ctypes.CDLL(None).prctl
    control(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return bool(control(_SET_SECCOMP, _BY_FILTER, ctypes.byref(program), 0, 0) == 0)


def _filter(machine: _Machine) -> Iterator[_Instruction]:
    refuse, allow = _fails(errno.EPERM), _Instruction(_RETURN, 0, 0, _ALLOWED)
    yield _Instruction(_LOAD, 0, 0, _ARCHITECTURE)
    yield from _if(_EQUALS, machine.audit, otherwise=refuse)
    yield _Instruction(_LOAD, 0, 0, _CALL)
    yield from _if(_AT_LEAST, _OTHER_NUMBERS, then=refuse)
    for number in sorted(machine.refused):
        yield from _if(_EQUALS, number, then=refuse)
    yield from _if(_EQUALS, _CLONE3, then=_fails(errno.ENOSYS))  # its caller takes clone instead
    for numbers, kind, value in (
        ({machine.thread_only}, _HAS_BIT, _THREAD),
        (machine.own_only, _EQUALS, os.getpid()),
        ({machine.local_only}, _EQUALS, _UNIX),
    ):
        for number in numbers:
            yield _Instruction(_EQUALS, 0, 4, number)
            yield _Instruction(_LOAD, 0, 0, _FIRST_ARGUMENT)
            yield from _if(kind, value, otherwise=refuse)
            yield allow
    yield allow


def _if(
    kind: int,
    value: int,
    *,
    then: _Instruction | None = None,
    otherwise: _Instruction | None = None,
) -> Iterator[_Instruction]:
    """Go on with one of these, and else with what follows."""
    end = then or otherwise
    assert end is not None  # noqa: S101  (one of them is given)
    yield _Instruction(kind, 0 if then else 1, 1 if then else 0, value)
    yield end


def _fails(code: int) -> _Instruction:
    return _Instruction(_RETURN, 0, 0, _FAILED | code)
