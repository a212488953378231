"""Building what a snapshot holds beside its target, complete before it is let into its place."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from orchestrate_tui.snapshots.blobs import PackReader
from orchestrate_tui.snapshots.errors import Damaged, spoken
from orchestrate_tui.snapshots.manifest import (
    FILE,
    FOLDER,
    HARD_LINK,
    SYMLINK,
    Entry,
    Place,
    kind_of,
)

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True, kw_only=True)
class Builder:
    """Makes places anew; `checkpoint` is called often, and may raise to give up."""

    packs: PackReader
    checkpoint: Callable[[], None] = lambda: None

    def build(self, place: Place, target: bytes) -> None:
        """Make all of a place under another name, and verify it. Raises OSError or Damaged."""
        for entry in place.entries:
            self.checkpoint()
            self._make(entry, target)
        for entry in reversed(place.entries):
            if entry.kind == FOLDER:
                _finish_folder(entry, _below(target, entry.path))
        verify(place, target)

    def _make(self, entry: Entry, target: bytes) -> None:
        path = _below(target, entry.path)
        if entry.kind == FILE:
            self._make_file(entry, path)
        elif entry.kind == FOLDER:
            os.mkdir(path, 0o700)
        elif entry.kind == HARD_LINK:
            os.link(_below(target, entry.link), path, follow_symlinks=False)
        elif entry.kind == SYMLINK:
            os.symlink(entry.link, path)
            os.lchown(path, entry.uid, entry.gid)
            os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)

    def _make_file(self, entry: Entry, path: bytes) -> None:
        descriptor = os.open(path, _NEW_FILE, 0o600)
        try:
            self._fill(entry, descriptor)
            if os.geteuid() == 0 or entry.gid != os.getegid():
                os.fchown(descriptor, entry.uid, entry.gid)
            os.fchmod(descriptor, entry.mode)
            for name, value in entry.xattrs:
                _set_attribute(descriptor, name, value)
            os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(descriptor)

    def _fill(self, entry: Entry, descriptor: int) -> None:
        if entry.segments is None:
            for piece in self.packs.pieces(entry.sha256):
                _write(descriptor, piece)
            return
        os.ftruncate(descriptor, entry.size)
        spread(descriptor, self.packs.pieces(entry.sha256), entry.segments)


def sync(place: Place, target: bytes) -> None:
    """Have what was made of a place on the disk, file by file. Raises OSError."""
    for entry in place.entries:
        if entry.kind in {FILE, FOLDER}:
            descriptor = os.open(_below(target, entry.path), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def spread(descriptor: int, pieces: Iterable[bytes], segments: Iterable[tuple[int, int]]) -> None:
    """Write data where it belongs between holes. Raises OSError."""
    places = iter(segments)
    position, left = next(places, (0, 0))
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            while not left:
                position, left = next(places)
            written = os.pwrite(descriptor, rest[:left], position)
            position, left, rest = position + written, left - written, rest[written:]


def verify(place: Place, target: bytes) -> None:
    """Compare what was made with the manifest. Raises Damaged for the first that differs.

    The contents were verified by their hashes while they were written.
    """
    made = 0
    for entry in place.entries:
        path = _below(target, entry.path)
        found = os.lstat(path)
        kind = FILE if entry.kind == HARD_LINK else entry.kind
        is_same = kind_of(found.st_mode) == kind and found.st_uid == entry.uid
        is_same = is_same and found.st_gid == entry.gid and found.st_mtime_ns == entry.mtime_ns
        if entry.kind == SYMLINK:
            is_same = is_same and os.readlink(path) == entry.link
        else:
            is_same = is_same and stat.S_IMODE(found.st_mode) == entry.mode
        if entry.kind == FILE:
            is_same = is_same and found.st_size == entry.size
        if not is_same:
            raise Damaged(f"'{spoken(path)}' could not be made as it was")
        made += 1
    if made != _count(place, target):
        raise Damaged(f"'{spoken(target)}' holds what the snapshot does not")


def _count(place: Place, target: bytes) -> int:
    """How much there is in all."""
    if not place.entries or place.entries[0].kind != FOLDER:
        return len(place.entries)
    return 1 + sum(
        len(folders) + len(files) for _, folders, files in os.walk(target, followlinks=False)
    )


def _finish_folder(entry: Entry, path: bytes) -> None:
    """Give a folder what it had, once everything is in it."""
    if os.geteuid() == 0 or entry.gid != os.getegid():
        os.chown(path, entry.uid, entry.gid)
    for name, value in entry.xattrs:
        _set_attribute(path, name, value)
    os.chmod(path, entry.mode)
    os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))


def _set_attribute(file: int | bytes, name: bytes, value: bytes) -> None:
    with suppress(OSError):  # not every attribute may be set by everybody
        os.setxattr(file, name, value)


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _below(target: bytes, path: bytes) -> bytes:
    return target + b"/" + path if path else target
