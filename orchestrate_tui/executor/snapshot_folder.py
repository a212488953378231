"""Where the contents of snapshots lie, and what dead executors left there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.values import dataclass


@dataclass(frozen=True, slots=True)
class SnapshotFolder:
    """Where the contents of snapshots lie; its folders are made when they are asked for."""

    files: StoreFiles

    @property
    def packs(self) -> Path:
        """The folder of the packs."""
        return self._folder("packs")

    @property
    def journals(self) -> Path:
        """The folder of what is being put back."""
        return self._folder("restores")

    def scratch(self) -> Path:
        """A file for a copy that is kept for a moment."""
        return self._folder("packs") / f"{os.urandom(8).hex()}.copy"

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Nothing is removed from it during the block."""
        with self._locked(fcntl.LOCK_SH):
            yield

    def is_untidy(self) -> bool:
        """Whether somebody who died left something; nothing is made by asking."""
        snapshots = self.files.snapshots
        places = (snapshots / "restores", snapshots / "trash")
        is_left = any(place.is_dir() and any(place.iterdir()) for place in places)
        return is_left or any(snapshots.glob("packs/*.draft"))

    def tidy(self) -> None:
        """Remove what is in the trash, and what was begun and is not gone on with."""
        from orchestrate_tui.snapshots.journal import empty_trash  # noqa: PLC0415

        empty_trash(self.journals)
        with suppress(OSError), self.alone():
            for pattern in ("*.draft", "*.copy*"):
                for path in self.packs.glob(pattern):
                    path.unlink()

    @contextmanager
    def pruned(self) -> Iterator[None]:
        """Nobody else makes room in it. Raises BlockingIOError when somebody does."""
        with self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB, "prune.lock"):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else uses it during the block. Raises BlockingIOError when somebody does."""
        with self._locked(fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield

    @contextmanager
    def _locked(self, kind: int, name: str = "lock") -> Iterator[None]:
        """Hold the lock on it for the block. Raises BlockingIOError when `kind` does not wait."""
        lock = self._folder("") / name
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, kind)
            yield
        finally:
            os.close(descriptor)

    def _folder(self, name: str) -> Path:
        folder = self.files.snapshots / name
        if not folder.is_dir():
            self.files.snapshots.mkdir(mode=0o700, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        return folder


def finish_restores(files: StoreFiles) -> None:
    """Finish what dead executors were putting back; what cannot be is tried again later."""
    folder = SnapshotFolder(files)
    if folder.is_untidy():
        from orchestrate_tui.snapshots.journal import finish_left  # noqa: PLC0415

        finish_left(folder.journals)
        tidy_meanwhile(folder)


def tidy_meanwhile(folder: SnapshotFolder) -> None:
    """Remove what was put out of its place, while others go on; an end of the program waits."""
    Thread(target=folder.tidy, name="snapshot-trash").start()
