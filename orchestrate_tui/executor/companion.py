"""Starts the notifier of an executor once somebody is to be told, and again if it dies."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread

from orchestrate_tui.errors import StoreError
from orchestrate_tui.permissions import make_folder
from orchestrate_tui.store.database import Database, StoreFiles
from orchestrate_tui.store.history import History
from orchestrate_tui.store.locks import is_held
from orchestrate_tui.store.occasions import are_open, epochs_telling, runs_told_of
from orchestrate_tui.store.owners import is_alive

_ROOT = Path(__file__).parents[2]
_MAIN = (
    f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
    "from orchestrate_tui.executor.notifier import main; main()"
)
_ERRORS = "notifier.errors"
_START_S = 2.0
"""In which a process is started, or not at all."""

_AGAIN_AFTER_S, _LONGEST_AGAIN_S = 0.1, 60.0


class Companion:
    """Sees that a notifier works for an executor while somebody is to be told.

    Nothing is started, and no thread, before that. `close` leaves the notifier to itself.
    """

    def __init__(self, database: Database, epoch: int) -> None:
        self._database = database
        self._epoch = epoch
        self._lock = Lock()
        self._thread: Thread | None = None
        self._is_called = False
        self._has_started = Event()
        self._is_closing = Event()
        database.call_when_noted(self.call)

    def call(self) -> None:
        """Somebody is to be told; returns at once.

        Where the system has no room for another thread, the next call tries again.
        """
        with self._lock:
            self._is_called = True
            if self._thread is None and not self._is_closing.is_set():
                self._has_started.clear()
                thread = Thread(target=self._work, name="notifier", daemon=True)
                with suppress(RuntimeError):
                    thread.start()
                    self._thread = thread

    def close(self) -> None:
        """Start nothing more; what was called for is started first."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            self._has_started.wait(_START_S)
        self._is_closing.set()
        self._database.call_when_noted(lambda: None)

    def _work(self) -> None:
        wait_s = _AGAIN_AFTER_S
        while self._is_needed():
            if _run(self._database.files, self._epoch, self._has_started):
                wait_s = _AGAIN_AFTER_S
            else:
                self._is_closing.wait(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_AGAIN_S)

    def _is_needed(self) -> bool:
        """Whether somebody is to be told; if not, the thread has ended for whoever calls next."""
        with self._lock:
            if not self._is_closing.is_set() and (self._is_called or self._has_open()):
                self._is_called = False
                return True
            self._thread = None
            return False

    def _has_open(self) -> bool:
        with suppress(StoreError):
            try:
                return self._database.read(partial(are_open, epoch=self._epoch))
            finally:
                self._database.release_reader()
        return False


def _run(files: StoreFiles, epoch: int, has_started: Event) -> bool:
    """Run a notifier to its end; whether that was a good one."""
    try:
        make_folder(files.hosts)
        process = _spawn(files, epoch)
    except OSError:
        return False
    finally:
        has_started.set()
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def _spawn(files: StoreFiles, epoch: int) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        sys.executable,
        (sys.executable, "-P", "-c", _MAIN, os.fspath(files.database), str(epoch)),
        os.environ,
        file_actions=(
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.fspath(files.hosts / _ERRORS), flags, 0o600),
        ),
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
    )


def take_up(
    database: Database, epoch: int, environment: Mapping[str, str] = os.environ
) -> tuple[int, ...]:
    """See to what nobody sees to any more, as far as this process knows the addresses.

    Returns the ids of these notifications.
    """
    owners = database.read(epochs_telling)
    left = frozenset(one for one in owners if not _sees_to_them(database.files, one))
    if not left:
        return ()
    # seldom anything is left, and then it is told of
    from orchestrate_tui.store.notifications import adopt  # noqa: PLC0415

    return database.write(partial(adopt, left=left, epoch=epoch, known=environment))


def unattended(history: History) -> tuple[int, ...]:
    """The runs of which somebody is to be told, and nobody sees to it any more."""
    told = history.query(runs_told_of)
    left = (run_id for run_id, owner in told if not _sees_to_them(history.files, owner))
    return tuple(dict.fromkeys(left))


def _sees_to_them(files: StoreFiles, owner: int | None) -> bool:
    """Whether the notifier of an executor works, or its executor lives and will start one."""
    return owner is not None and (is_held(files.notifier_lock(owner)) or is_alive(files, owner))
