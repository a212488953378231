"""Building what a snapshot holds beside its target, complete before it is let into its place."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import field
from typing import Self

from orchestrate_tui.snapshots.blobs import AT_ONCE, PackReader
from orchestrate_tui.snapshots.contents import ACCESS_LISTS, is_promised
from orchestrate_tui.snapshots.errors import Damaged, damaged_at, spoken
from orchestrate_tui.snapshots.manifest import (
    FILE,
    FOLDER,
    HARD_LINK,
    SYMLINK,
    Entry,
    Place,
    kind_of,
)
from orchestrate_tui.values import dataclass

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PLAIN = 0o777  # the bits of a mode that a file may be made with


@dataclass(slots=True, kw_only=True)
class Builder:
    """Makes places anew; `checkpoint` is called often, and may raise to give up.

    With `is_syncing` all that was made is on the disk when it is; else that is left to others.
    """

    packs: PackReader
    checkpoint: Callable[[], None] = lambda: None
    is_syncing: bool = False

    def build(self, place: Place, target: bytes) -> None:
        """Make all of a place under another name, and verify it. Raises OSError or Damaged.

        The contents are verified by their hashes while they are written, all else is compared
        with the manifest once it is made.
        """
        parent, name = os.path.split(target)
        with _Site(parent, name, place.path, self.packs, self.is_syncing) as site:
            for entry in place.entries:
                self.checkpoint()
                site.make(entry)


@dataclass(slots=True)
class _Folder:
    """A folder that is being filled, open for what is made in it; `children` counts that."""

    descriptor: int
    entry: Entry
    children: int = 0


@dataclass(slots=True)
class _Site:
    """Where one place is being made: the folders from its top to where work goes on are open.

    It is made as `name` in `parent`; people know it as `place`.
    """

    parent: bytes
    name: bytes
    place: bytes
    packs: PackReader
    is_syncing: bool
    _above: int = -1
    _open: list[_Folder] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._above = os.open(self.parent, _OPEN_FOLDER)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            while self._open:
                if kind is None:
                    self._finish_last()
                else:
                    os.close(self._open.pop().descriptor)
        finally:
            for folder in self._open:
                os.close(folder.descriptor)
            os.close(self._above)

    def make(self, entry: Entry) -> None:
        """Make one entry; its folder was made before, and nothing outside of it since."""
        way, _, name = entry.path.rpartition(b"/")
        if not entry.path:
            name, folder = self.name, self._above
        else:
            while self._open[-1].entry.path != way:
                self._finish_last()
            self._open[-1].children += 1
            folder = self._open[-1].descriptor
        if entry.kind == FILE:
            self._make_file(entry, name, folder)
        elif entry.kind == FOLDER:
            os.mkdir(name, 0o700, dir_fd=folder)
            self._open.append(_Folder(os.open(name, _OPEN_FOLDER, dir_fd=folder), entry))
            if not entry.path:
                inherit_nothing(self._open[-1].descriptor)
        elif entry.kind == HARD_LINK:
            os.link(
                self._spelt(entry.link),
                name,
                src_dir_fd=self._above,
                dst_dir_fd=folder,
                follow_symlinks=False,
            )
            self._check(entry, os.lstat(name, dir_fd=folder))
        elif entry.kind == SYMLINK:
            self._make_symlink(entry, name, folder)

    def _make_file(self, entry: Entry, name: bytes, folder: int) -> None:
        mode = 0o600 if entry.xattrs else entry.mode & _PLAIN
        descriptor = os.open(name, _NEW_FILE, mode, dir_fd=folder)
        try:
            try:
                self._fill(entry, descriptor)
            except Damaged as error:
                raise damaged_at(self._path(entry)) from error
            os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
            found = os.fstat(descriptor)
            if entry.xattrs or not _is_made(entry, found):
                dress(entry, descriptor, self._path(entry))
                found = os.fstat(descriptor)
            self._check(entry, found)
            if self.is_syncing:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _fill(self, entry: Entry, descriptor: int) -> None:
        if entry.segments is not None:
            os.ftruncate(descriptor, entry.size)
            spread(descriptor, self.packs.pieces(entry.sha256), entry.segments)
        elif entry.size <= AT_ONCE:
            _write(descriptor, self.packs.content(entry.sha256))
        else:
            for piece in self.packs.pieces(entry.sha256):
                _write(descriptor, piece)

    def _make_symlink(self, entry: Entry, name: bytes, folder: int) -> None:
        os.symlink(entry.link, name, dir_fd=folder)
        os.chown(name, entry.uid, entry.gid, dir_fd=folder, follow_symlinks=False)
        times = (entry.mtime_ns, entry.mtime_ns)
        os.utime(name, ns=times, dir_fd=folder, follow_symlinks=False)
        self._check(entry, os.lstat(name, dir_fd=folder))
        if os.readlink(name, dir_fd=folder) != entry.link:
            raise self._wrong(entry)

    def _finish_last(self) -> None:
        """Give the last folder what it had, now that everything is in it."""
        folder = self._open[-1]
        entry, descriptor = folder.entry, folder.descriptor
        dress(entry, descriptor, self._path(entry))
        self._check(entry, os.fstat(descriptor))
        if len(os.listdir(descriptor)) != folder.children:
            raise Damaged(f"'{spoken(self._path(entry))}' holds what the snapshot does not")
        if self.is_syncing:
            os.fsync(descriptor)
        self._open.pop()
        os.close(descriptor)

    def _check(self, entry: Entry, found: os.stat_result) -> None:
        if not _is_made(entry, found):
            raise self._wrong(entry)

    def _wrong(self, entry: Entry) -> Damaged:
        return Damaged(f"'{spoken(self._path(entry))}' could not be made as it was")

    def _path(self, entry: Entry) -> bytes:
        return os.path.join(self.place, entry.path).rstrip(b"/")

    def _spelt(self, path: bytes) -> bytes:
        """A path in the place, seen from where the place is made."""
        return self.name + b"/" + path if path else self.name


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


def _is_made(entry: Entry, found: os.stat_result) -> bool:
    """Whether something has the status that it had; of a link the mode does not count."""
    kind = kind_of(found.st_mode)
    return (
        found.st_mtime_ns == entry.mtime_ns
        and (kind == SYMLINK or stat.S_IMODE(found.st_mode) == entry.mode)
        and found.st_uid == entry.uid
        and found.st_gid == entry.gid
        and (entry.kind != FILE or found.st_size == entry.size)
        and entry.kind in {kind, HARD_LINK}
    )


def dress(entry: Entry, descriptor: int, path: bytes) -> None:
    """Give a file or folder its owner, attributes, mode and times, in the order that keeps each.

    Raises OSError, or Damaged for an attribute that cannot be given.
    """
    os.fchown(descriptor, entry.uid, entry.gid)
    # an access list takes from the owner what the others need to be given
    for name, value in sorted(entry.xattrs, key=lambda one: one[0].startswith(ACCESS_LISTS)):
        try:
            os.setxattr(descriptor, name, value)
        except OSError as error:
            if is_promised(name):
                what = f"'{spoken(path)}' could not be given its attribute '{spoken(name)}'"
                raise Damaged(f"{what}: {error.strerror}") from error
    os.fchmod(descriptor, entry.mode)
    os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))


def inherit_nothing(folder: int) -> None:
    """Take from an open folder, which is empty, what the one above has passed on to it."""
    for name in (ACCESS_LISTS + b"default", ACCESS_LISTS + b"access"):
        with suppress(OSError):
            os.removexattr(folder, name)


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
