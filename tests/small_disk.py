"""A file system so small that a test can fill it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.locks import FileLock

FILLER = "filler"
"""The file that takes all the room."""


@contextmanager
def small_disk(folder: Path, *, mebibytes: int = 2) -> Iterator[Path]:
    """A file system of its own in a new folder; without the right to one the test skips."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder.mkdir(mode=0o700)
    options = f"size={mebibytes}m,mode=700"
    mount = ["mount", "-t", "tmpfs", "-o", options, "small", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def disk_of_seconds(folder: Path) -> Iterator[Path]:
    """A file system that knows times in seconds only; without the right to one the test skips."""
    image, disk = folder / "disk.img", folder / "disk"
    image.write_bytes(b"")
    os.truncate(image, 4 << 20)
    disk.mkdir()
    steps = (
        ("mkfs.ext4", "-q", "-I", "128", str(image)),
        ("mount", "-o", "loop", str(image), str(disk)),
    )
    for step in steps:
        if os.geteuid() or subprocess.run(step, capture_output=True, check=False).returncode:
            pytest.skip("a file system in a file cannot be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def fill(folder: Path, database: Path | None = None) -> Path:
    """Take all the room there is; returns the file that does.

    Of a database SQLite's log is emptied first: it would use again what it has written before.
    """
    if database is not None:
        _empty_log(database)
    filler = folder / FILLER
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(descriptor, bytes(4096))
    except OSError:
        return filler
    finally:
        os.close(descriptor)


def _empty_log(database: Path) -> None:
    with (
        closing(FileLock(StoreFiles(database).write_lock)) as lock,
        closing(sqlite3.connect(database)) as connection,
        lock.held(),
    ):
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert not busy
