"""A stage that does not want to end: `python -I -S hostile_tree.py KIND FOLDER`.

Each of its processes writes a line `pid start-time` to the file `pids` of the folder, and as soon
as all of a kind's first processes have, a line to the named pipe `ready`.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import signal
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread

LONGEST_LIFE_S = 60
"""Nothing of it lives longer, whatever becomes of the test."""

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_TRACEME, PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 0, 4, 15, 36
EXIT_OF_A_THREAD = {"x86_64": 60, "aarch64": 93}[os.uname().machine]
FAN, CROWD, HOPS = 40, 100, 900
PID = struct.Struct("i")


def record() -> None:
    """Say that this process exists."""
    started = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[19]
    _append("pids", b"%d %s\n" % (os.getpid(), started))


def ready() -> None:
    _append("ready", b"ready\n")


def _append(name: str, line: bytes) -> None:
    file = os.open(Path(FOLDER, name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(file, line)
    os.close(file)


def endure() -> None:
    signal.alarm(LONGEST_LIFE_S)
    while True:
        signal.pause()


def be_deaf() -> None:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)


def close_all() -> None:
    os.closerange(0, 1024)


def fork(child: Callable[[], None]) -> None:
    """Have `child` done by a process of its own, which is recorded when this returns."""
    reading, writing = os.pipe()
    if not os.fork():
        record()
        os.close(writing)
        os.close(reading)
        child()
        os._exit(0)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)


def orphan(child: Callable[[], None], *, execs: bool = False) -> None:
    """The same with a process in a session of its own, whose parent is gone when this returns.

    One that `execs` has become another program by then.
    """
    reading, writing = os.pipe()

    def heir() -> None:
        if not execs:
            os.close(writing)
        child()

    def between() -> None:
        os.setsid()
        fork(heir)

    fork(between)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)


def plain() -> None:
    fork(endure)


def deaf() -> None:
    be_deaf()
    fork(endure)


def daemon() -> None:
    def child() -> None:
        close_all()
        os.chdir("/")
        endure()

    orphan(child)


def deaf_daemon() -> None:
    be_deaf()
    daemon()


def nameless() -> None:
    """Another program without a variable of its parents, and with another name."""

    def child() -> None:
        os.closerange(0, 3)
        os.execve("/bin/sleep", ["[kworker/0:1]", str(LONGEST_LIFE_S)], {})

    orphan(child, execs=True)


def group() -> None:
    def child() -> None:
        os.setpgid(0, 0)
        endure()

    fork(child)


def stopped() -> None:
    def child() -> None:
        signal.alarm(LONGEST_LIFE_S)
        os.kill(os.getpid(), signal.SIGSTOP)

    os_fork_only(child)


def traced() -> None:
    """A child that its parent traces and never lets go on."""

    def child() -> None:
        LIBC.ptrace(PTRACE_TRACEME, 0, None, None)
        os.kill(os.getpid(), signal.SIGSTOP)

    os_fork_only(child)


def os_fork_only(child: Callable[[], None]) -> None:
    """A child that is not waited for, because it never gets to its next line."""
    if not os.fork():
        record()
        child()
        endure()


def fan() -> None:
    for _ in range(FAN):
        fork(endure)


def line() -> None:
    """A long line of descent, each in a session of its own."""

    def deeper(left: int) -> None:
        os.setsid()
        if left:
            fork(lambda: deeper(left - 1))
        endure()

    fork(lambda: deeper(FAN))


def hops() -> None:
    """A process that never stays: it forks another, leaves its session, and ends."""
    orphan(lambda: hop(0.002))


def hop(pause_s: float) -> None:
    for _ in range(HOPS):
        os.setsid()
        time.sleep(pause_s)
        if os.fork():
            os._exit(0)
        record()


def deaf_hops() -> None:
    be_deaf()
    hops()


def race() -> None:
    """Several of them that do not even pause."""
    be_deaf()
    for _ in range(4):
        orphan(lambda: hop(0))


def crowd() -> None:
    """So many, all at once, that nobody else gets time."""
    gate, opening = os.pipe()

    def one() -> None:
        os.close(opening)
        os.read(gate, 1)
        hop(0)

    be_deaf()
    for _ in range(CROWD):
        orphan(one)
    ready()
    os.close(opening)
    endure()


def roused_crowd() -> None:
    """A crowd in which everybody wakes all others all the time, so that none stands still."""
    gate, opening = os.pipe()
    present = mmap.mmap(-1, CROWD * PID.size)

    def one(place: int) -> None:
        os.close(opening)
        PID.pack_into(present, place * PID.size, os.getpid())
        os.read(gate, 1)
        for _ in range(HOPS):
            os.setsid()
            for (other,) in PID.iter_unpack(present):
                with suppress(ProcessLookupError):
                    os.kill(other, signal.SIGCONT)
            if os.fork():
                os._exit(0)
            PID.pack_into(present, place * PID.size, os.getpid())
            record()

    be_deaf()
    for place in range(CROWD):
        orphan(partial(one, place))
    ready()
    os.close(opening)
    endure()


def hidden_race() -> None:
    """The same without a limit or a variable that tells where they come from."""
    if not os.fork():
        record()
        close_all()
        unmark()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:4], "race", FOLDER], {})
    endure()


def hidden_hops() -> None:
    """The same with nobody who stays: of it there is only who has just been forked."""

    def child() -> None:
        unmark()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:4], "hopper", FOLDER], {})

    orphan(child, execs=True)
    endure()  # it says itself when it is ready


def hopper() -> None:
    be_deaf()
    ready()
    hop(0)
    os._exit(0)


def heirs() -> None:
    """One that leaves a child of another session when it is asked to end."""

    def bequeath(*_: object) -> None:
        fork(heir)
        os._exit(0)

    def heir() -> None:
        os.setsid()
        be_deaf()
        endure()

    signal.signal(signal.SIGTERM, bequeath)


def service() -> None:
    """One that says that it is ready, as its head does too."""

    def child() -> None:
        ready()
        endure()

    orphan(child)


def reaper() -> None:
    """One that inherits what its descendants leave, in the place of whoever does."""
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    be_deaf()
    orphan(endure)


def veiled() -> None:
    """One whose /proc entries belong to root, whoever it is, and which bears another name."""

    def child() -> None:
        LIBC.prctl(PR_SET_NAME, b"systemd", 0, 0, 0)
        LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        close_all()
        endure()

    orphan(child)


def leaderless() -> None:
    """One whose first thread ends, so that it looks like a zombie, and whose second goes on."""
    ready()
    leave_it_to_a_thread()


def leaderless_daemon() -> None:
    def child() -> None:
        close_all()
        leave_it_to_a_thread()

    be_deaf()
    orphan(child)


def leave_it_to_a_thread() -> None:
    Thread(target=time.sleep, args=(LONGEST_LIFE_S,)).start()
    LIBC.syscall(EXIT_OF_A_THREAD, 0)


def unlimited() -> None:
    """One that takes off every limit of its own."""

    def child() -> None:
        unmark()
        close_all()
        endure()

    orphan(child)


def hidden() -> None:
    """One that takes off its limits, and every variable, and has nobody above it."""

    def child() -> None:
        os.closerange(0, 3)
        unmark()
        os.execve("/bin/sleep", ["[kworker/0:2]", str(LONGEST_LIFE_S)], {})

    orphan(child, execs=True)


def hidden_child() -> None:
    """The same below a parent that stays."""

    def child() -> None:
        os.setsid()
        unmark()
        os.execve("/bin/sleep", ["sleep", str(LONGEST_LIFE_S)], {})

    fork(child)


def unmark() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_RTTIME)
    resource.setrlimit(resource.RLIMIT_RTTIME, (most, most))


def abandoned() -> None:
    """A head that ends at once and leaves a grandchild with its output."""
    orphan(endure)
    ready()
    os._exit(0)


KINDS: dict[str, Callable[[], None]] = {
    kind.__name__: kind
    for kind in (
        plain, deaf, daemon, deaf_daemon, nameless, group, stopped, traced, fan, line, hops,
        deaf_hops, race, crowd, roused_crowd, hidden_race, hidden_hops, hopper, heirs, service,
        reaper, veiled, leaderless, leaderless_daemon, unlimited, hidden, hidden_child, abandoned,
    )
}  # fmt: skip


if __name__ == "__main__":
    FOLDER = sys.argv[2]
    record()
    KINDS[sys.argv[1]]()
    ready()
    endure()
