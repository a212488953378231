"""Who works on a run: an epoch in its row, and a lock on a file that says its holder lives."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.errors import StoreError
from orchestrate_tui.permissions import make_folder
from orchestrate_tui.stagehost.boot import boot_id
from orchestrate_tui.store.locks import SharedHold, hold_for_life, is_held, show_for_life

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from orchestrate_tui.store.database import Database, StoreFiles


class Ownership:
    """This executor's epoch, from its first use until `release` or the end of the process.

    `starting` is held while it makes sure that a run is its own and starts something for it:
    who takes the run over holds it meanwhile, and so knows that nothing starts any more.
    Raises StoreError when it cannot be recorded, or its lock not be taken.
    """

    starting: SharedHold

    def __init__(self, database: Database, actor: str, at: datetime) -> None:
        self._files = database.files
        self._held = ExitStack()
        self._locks: dict[str, os.stat_result] = {}
        try:
            make_folder(self._files.owners)
            self._database = self._files.database.stat()
            self.epoch = database.write(lambda connection: self._register(connection, actor, at))
        except OSError as error:
            self._let_go()
            raise StoreError(
                f"Cannot work on runs of {database.path}: {error}",
                next_step="Check the permissions of the folder and its free space",
            ) from error
        except BaseException:
            self._let_go()
            raise

    def _register(self, connection: sqlite3.Connection, actor: str, at: datetime) -> int:
        """Take a new epoch; its lock is held before anybody can see the row."""
        epoch = connection.execute(
            "INSERT INTO owners (pid, host, actor, started_at, boot_id) VALUES (?, ?, ?, ?, ?)",
            (os.getpid(), socket.gethostname(), actor, to_text(at), boot_id()),
        ).lastrowid
        assert epoch is not None  # noqa: S101  (an INSERT always has one)
        self._hold(epoch)
        self.starting = SharedHold(self._files.starting_lock(epoch))
        self._held.callback(self.starting.close)
        return epoch

    def _hold(self, epoch: int) -> None:
        """Take the locks that say that this executor lives and are not held. Raises OSError."""
        lock, sign = self._files.owner_lock(epoch), self._files.owner_sign(epoch)
        for path, take in ((lock, hold_for_life), (sign, show_for_life)):
            name = os.fspath(path)
            if not self._holds(name):
                descriptor = take(path)
                self._held.callback(os.close, descriptor)
                self._locks[name] = os.fstat(descriptor)

    def _holds(self, name: str) -> bool:
        """Whether it holds the lock on the file of that name that others find."""
        with suppress(OSError, KeyError):
            return os.path.samestat(os.stat(name), self._locks[name])  # noqa: PTH116  (often)
        return False

    def keep(self) -> None:
        """Take the locks anew where somebody has removed their files; where it cannot, later.

        Not beside another database than the one that was opened: its epochs are others.
        """
        is_whole = self.starting.is_in_place and all(map(self._holds, self._locks))
        if is_whole or not self._is_in_place():
            return
        with suppress(OSError):
            make_folder(self._files.owners)
            if not self.starting.is_in_place:
                self.starting.renew()
        with suppress(OSError):
            self._hold(self.epoch)

    def _is_in_place(self) -> bool:
        with suppress(OSError):
            return os.path.samestat(self._files.database.stat(), self._database)
        return False

    def release(self) -> None:
        """Say that this executor works on nothing any more; a second call does nothing.

        Files that cannot be removed are left: nobody holds their locks any more.
        """
        files, epoch = self._files, self.epoch
        held = (files.owner_lock(epoch), files.owner_sign(epoch), files.starting_lock(epoch))
        with suppress(OSError):
            for file in held:
                file.unlink(missing_ok=True)
        self._let_go()

    def _let_go(self) -> None:
        self._held.close()


def is_alive(files: StoreFiles, epoch: int | None) -> bool:
    """Whether the executor of that epoch lives; None is nobody.

    In a published copy it is whether it lived when that was made.
    """
    if epoch is None:
        return False
    lock, sign = files.owner_lock(epoch), files.owner_sign(epoch)
    return is_held(lock, sign) or files.life_mark(epoch).exists()
