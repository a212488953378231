"""What is in one file while somebody may write it: all of it as it was at one moment, or none."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrate_tui.snapshots.ages import is_old, settled, times_of
from orchestrate_tui.snapshots.blobs import AT_ONCE, PackWriter
from orchestrate_tui.snapshots.contents import (
    DATABASE_MARK,
    SIDECARS,
    Segments,
    hash_of,
    pieces_of,
    segments_of,
)
from orchestrate_tui.snapshots.holders import holders_of, lockers_of, may_be_written
from orchestrate_tui.snapshots.item import FILE_FLAGS, Item, opened
from orchestrate_tui.snapshots.manifest import FILE, Entry, entry_of
from orchestrate_tui.values import dataclass

CopyDatabase = Callable[[Path, Path], None]
"""Copies a database of SQLite that somebody may be writing. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Puts what is in files into a pack.

    `scratch` is a file name for copies of databases. `checkpoint` is called often, and may raise
    to give up.
    """

    packs: PackWriter
    copy_database: CopyDatabase
    scratch: Path
    checkpoint: Callable[[], None]

    def read(self, file: int, item: Item) -> Entry | None:
        """What is in an open file; None when it changed meanwhile."""
        before = settled(file)
        if not stat.S_ISREG(before.st_mode):
            return None
        is_loose = not is_old(before) or may_be_written(file)
        segments = segments_of(file, before)
        is_whole = segments is None and before.st_size <= AT_ONCE
        content = os.pread(file, before.st_size + 1 if is_whole else len(DATABASE_MARK), 0)
        is_database = content.startswith(DATABASE_MARK)
        if is_database and is_live(item.spelt):
            return self._live_database(item, before)
        if is_whole:
            digest, size = self.packs.add(content), len(content)
        else:
            data = ((0, before.st_size),) if segments is None else segments
            digest = self.packs.add_pieces(self._pieces(file, data))
            size = before.st_size
        xattrs = item.attributes(file)
        if is_database and is_live(item.spelt):
            return None
        after = os.fstat(file)
        if size != after.st_size or times_of(before) != times_of(after):
            return None
        if is_loose and hash_of(file, after) != (digest, segments):
            return None
        return entry_of(
            item.path,
            FILE,
            after,
            size=size,
            sha256=digest,
            segments=segments,
            xattrs=xattrs,
            seen=None if is_loose else (after.st_dev, after.st_ino, after.st_ctime_ns),
            is_database=is_database,
        )

    def _pieces(self, file: int, segments: Segments) -> Iterator[bytes]:
        for piece in pieces_of(file, segments):
            self.checkpoint()
            yield piece

    def _live_database(self, item: Item, found: os.stat_result) -> Entry:
        """A database that somebody may be writing, as SQLite itself copies it."""
        try:
            self.copy_database(Path(os.fsdecode(item.spelt)), self.scratch)
            with opened(os.fsencode(self.scratch), FILE_FLAGS) as file:
                size = os.fstat(file).st_size
                digest = self.packs.add_pieces(self._pieces(file, ((0, size),)))
        finally:
            self.scratch.unlink(missing_ok=True)
        return entry_of(item.path, FILE, found, size=size, sha256=digest, is_database=True)


def is_live(database: bytes) -> bool:
    """Whether somebody has the database open, or left something beside it to be taken in."""
    for end in SIDECARS:
        try:
            if end != b"-shm" and os.stat(database + end).st_size:
                return True
        except OSError:
            continue
    return bool(holders_of((database,)) or lockers_of(database))
