"""Landlock: what the kernel no longer lets this process do, whoever its user is.

https://docs.kernel.org/userspace-api/landlock.html; from Linux 5.13 on, more with later ones.
"""

from __future__ import annotations

import ctypes
import os

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_ASK_VERSION = 1
_PATH_BENEATH = 1
_SET_NO_NEW_PRIVILEGES = 38

_EXECUTE, _WRITE_FILE = 1 << 0, 1 << 1
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
_LATER = {2: 1 << 13, 3: 1 << 14}  # moving between folders, truncating
_BIND_AND_CONNECT_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


class _Ruleset(ctypes.Structure):
    """What is handled is forbidden unless a rule allows it."""

    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),  # from version 4 on
        ("scope", ctypes.c_uint64),  # from version 6 on
    )


class _Beneath(ctypes.Structure):
    """A rule: what is allowed at a path, and below it."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("path", ctypes.c_int32))


def give_up_changing_anything() -> bool:
    """Let this thread, and those that it starts, only read; False where the kernel cannot.

    No file can be written, made, moved or removed, no program started, no connection over TCP
    made or taken, no other process signalled. What is open stays open, and /dev/null can be.
    """
    system = ctypes.CDLL(None).syscall
    version = system(_CREATE_RULESET, None, 0, _ASK_VERSION)
    if version < 1:
        return False
    later = sum(right for since, right in _LATER.items() if version >= since)
    rules = _Ruleset(
        files=_EXECUTE | _WRITE_FILE | _REMOVE_AND_MAKE | later,
        network=_BIND_AND_CONNECT_TCP if version >= 4 else 0,
        scope=_ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0,
    )
    descriptor = system(_CREATE_RULESET, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    nowhere = os.open(os.devnull, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _Beneath(allowed=_WRITE_FILE, path=nowhere)
        system(_ADD_RULE, descriptor, _PATH_BENEATH, ctypes.byref(rule), 0)
        ctypes.CDLL(None).prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        return bool(system(_RESTRICT_SELF, descriptor, 0) == 0)
    finally:
        os.close(nowhere)
        os.close(descriptor)
