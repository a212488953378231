"""What a console that only watches takes away from itself before it reads anything.

It can then write no file, start no program and reach no other machine, whatever the console,
a library or a later version of one of them tries.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import Any

from orchestrate_tui.cli.landlock import give_up_changing_anything
from orchestrate_tui.cli.seccomp import give_up_calls

KEPT = frozenset({
    *("COLORTERM", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "NO_COLOR", "ORCHESTRATE_DB"),
    *("TERM", "TZ", "XDG_CONFIG_HOME", "XDG_STATE_HOME"),
})  # fmt: skip
"""The only environment variables that are looked at."""

_HARMLESS_FILES = frozenset({"/dev/null", "/dev/tty"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_READ_ONLY_DATABASES = ("mode=ro", ":memory:")
_REFUSED = frozenset({
    *("os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir"),
    *("os.removexattr", "os.setxattr", "os.symlink", "os.truncate", "os.utime"),
    *("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"),
    *("pty.spawn", "subprocess.Popen", "webbrowser.open"),
    *("socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendmsg", "socket.sendto"),
    *("ctypes.dlopen", "sqlite3.enable_load_extension", "sqlite3.load_extension"),
})  # fmt: skip
"""What the interpreter tells its audit hooks before it does any of these."""


def confine() -> None:
    """Take from this process, for good, what watching does not need.

    Whatever tries it all the same fails with PermissionError, here or in the kernel, which lets no
    file grow either. An interpreter that was told to become interactive at its end is left at once,
    with 2.
    """
    if sys.flags.inspect:
        sys.stderr.write("orchestrate-tui: --read-only does not run in an interactive Python\n")
        sys.stderr.flush()
        os._exit(2)
    sys.dont_write_bytecode = True
    for name in os.environ.keys() - KEPT:
        del os.environ[name]
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(limit, (0, 0))
    give_up_changing_anything()
    give_up_calls()
    sys.addaudithook(_watch)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise PermissionError where something is about to be done that is not allowed."""
    if event in _REFUSED or (event == "open" and _writes(*arguments)):
        raise PermissionError(f"A console that only watches refused {event}")
    if event == "sqlite3.connect" and not any(
        kind in str(arguments[0]) for kind in _READ_ONLY_DATABASES
    ):
        raise PermissionError(f"A console that only watches refused {event}")


def _writes(path: object, _mode: object, flags: int) -> bool:
    is_open_already = isinstance(path, int)
    return bool(flags & _WRITING) and not is_open_already and path not in _HARMLESS_FILES
