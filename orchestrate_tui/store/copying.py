"""Copies files for others: as a whole, or what was added to them, for those who read the folder."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection
from pathlib import Path

_READ = stat.S_IRGRP | stat.S_IROTH
_COPIED_AT_ONCE = 1 << 20  # bytes


def replace_with(draft: Path, target: Path) -> None:
    """Put a finished file in the place of another; it lasts even if the power fails.

    Whoever has the other one open goes on reading that. Raises OSError.
    """
    descriptor = os.open(draft, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        _let_read(descriptor, target.parent)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def settle(folder: Path, name: str, content: bytes) -> Path:
    """A draft in the folder with that content. Raises OSError."""
    draft = folder / f".{name}.draft"
    draft.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
        file.write(content)
    return draft


def copy_tree(source: Path | None, target: Path, names: Collection[str] | None = None) -> None:
    """Bring a folder of folders of files up to date; `names` None means all that is in it.

    Of all, what is gone from the source goes from the copy. `source` None makes only the folder.
    Raises OSError.
    """
    _make_folder(target)
    if source is None or not source.exists():
        return
    present = {entry.name for entry in os.scandir(source) if entry.is_dir(follow_symlinks=False)}
    for name in present if names is None else present.intersection(names):
        _copy_folder(source / name, target / name)
    if names is None:
        for entry in os.scandir(target):
            if entry.name not in present:
                shutil.rmtree(entry.path)


def _copy_folder(source: Path, target: Path) -> None:
    _make_folder(target)
    files = {
        entry.name: entry.stat().st_size
        for entry in os.scandir(source)
        if entry.is_file(follow_symlinks=False)
    }
    for name, size in files.items():
        _append(source / name, target / name, size)
    for entry in os.scandir(target):
        if entry.name not in files:
            Path(entry.path).unlink()


def _append(source: Path, target: Path, size: int) -> None:
    """Add to the copy what it lacks; one that is longer than the file is made anew."""
    try:
        done = target.stat().st_size
    except FileNotFoundError:
        done = -1
    if done == size:
        return
    if done > size:
        target.unlink()
        done = 0
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with source.open("rb") as reading, os.fdopen(os.open(target, flags, 0o600), "ab") as writing:
        _let_read(writing.fileno(), target.parent)
        reading.seek(max(done, 0))
        shutil.copyfileobj(reading, writing, _COPIED_AT_ONCE)


def _make_folder(folder: Path) -> None:
    """Make the folder for those who may read the one that it is in."""
    if not folder.exists():
        folder.mkdir(mode=0o700)
        above = folder.parent.stat()
        os.chown(folder, -1, above.st_gid)
        folder.chmod(stat.S_IMODE(above.st_mode))


def _let_read(descriptor: int, folder: Path) -> None:
    """Let those who may read the folder read the file too."""
    about = folder.stat()
    os.fchown(descriptor, -1, about.st_gid)
    os.fchmod(descriptor, 0o600 | about.st_mode & _READ)
