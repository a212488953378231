"""Taking a snapshot: everything at the named places, read without being changed.

What cannot be put back is refused by name, and what changes while it is read is read again.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path

from orchestrate_tui.snapshots.blobs import AT_ONCE, PackWriter
from orchestrate_tui.snapshots.contents import (
    CAPABILITY,
    DATABASE_MARK,
    SIDECARS,
    Attributes,
    Segments,
    attributes_of,
    hash_of,
    is_sidecar,
    pieces_of,
    segments_of,
)
from orchestrate_tui.snapshots.errors import Changing, Unfit, spoken, unreadable
from orchestrate_tui.snapshots.holders import holders_of, lockers_of, may_be_written
from orchestrate_tui.snapshots.manifest import (
    FILE,
    FOLDER,
    HARD_LINK,
    SYMLINK,
    Entry,
    Manifest,
    Place,
    kind_of,
)
from orchestrate_tui.snapshots.places import (
    LONGEST_PATH,
    STAGING_PREFIX,
    find_places,
    mount_points,
    mounts_below,
    parents_of,
    relative_to,
    resolve,
)
from orchestrate_tui.values import dataclass

CopyDatabase = Callable[[Path, Path], None]
"""Copies a database of SQLite that somebody may be writing. Raises OSError."""

_TRIES = 3
_YOUNG_NS = 50_000_000
"""A change so soon after another one may leave the file's times as they are."""

_YOUNG_IN_SECONDS_NS = 2_000_000_000
"""The same where the file system counts times in seconds, or in two of them."""

_DEEPEST = 400
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ODD_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(slots=True, kw_only=True)
class Capture:
    """Takes one snapshot into a pack.

    `former` is the last snapshot of the same places, whose unchanged files are not read again;
    None without one. `scratch` is a file name for copies of databases. `own` are paths that are
    the program's own. `checkpoint` is called often, and may raise to give up.
    """

    packs: PackWriter
    copy_database: CopyDatabase
    scratch: Path
    former: Manifest | None = None
    own: tuple[bytes, ...] = ()
    checkpoint: Callable[[], None] = lambda: None
    _known: dict[bytes, Entry] = field(default_factory=dict)
    _workdir: bytes = b""
    _mounted: tuple[bytes, ...] = ()

    def take(self, workdir: Path, patterns: Sequence[str]) -> Manifest:
        """Read all that the patterns name in the working folder.

        Raises Unfit for what cannot be kept, Changing for what does not hold still.
        """
        self._workdir = os.path.realpath(os.fsencode(workdir))
        self._mounted = mount_points()
        resolved = tuple(resolve(self._workdir, pattern) for pattern in patterns)
        places = find_places(self._workdir, resolved)
        databases: set[bytes] = set()
        taken = []
        for path in places:
            if is_sidecar(path, databases):
                continue
            self._check_place(path)
            place = self._steadily(path)
            if place.entries and place.entries[0].is_database:
                databases.add(path)
            taken.append(place)
        return Manifest(
            workdir=self._workdir,
            patterns=resolved,
            places=tuple(taken),
            parents=(*self._above(), *self._parents(places)),
        )

    def _check_place(self, path: bytes) -> None:
        absolute = os.path.join(self._workdir, path)
        for own in self.own:
            if own == absolute or own.startswith(absolute + b"/"):
                raise Unfit(f"'{spoken(path)}' holds this program's own database")
        for parent in parents_of(path):
            if os.path.islink(os.path.join(self._workdir, parent)):
                raise Unfit(f"'{spoken(parent)}' is a link: name where it leads instead")
        folder = os.path.dirname(absolute)
        if os.path.isdir(folder) and not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
            raise Unfit(f"'{spoken(folder)}' may not be written: nothing could be put back there")
        for mount in mounts_below(absolute, self._mounted):
            raise Unfit(f"'{spoken(mount)}' is mounted there; name what is in it instead")

    def _above(self) -> Iterator[Entry]:
        """The working folder and those above it, but for the root."""
        for name in (*parents_of(self._workdir), self._workdir):
            if name not in {b"", b"/"}:
                try:
                    xattrs = attributes_of(name)
                except OSError:  # it is not ours, and nothing of it is put back while it is there
                    xattrs = ()
                yield _entry(name, FOLDER, os.lstat(name), xattrs=xattrs)

    def _parents(self, places: Sequence[bytes]) -> Iterator[Entry]:
        """The folders on the way to the places, for when they are gone."""
        names = {parent for path in places for parent in parents_of(path)}
        for name in sorted(names):
            path = os.path.join(self._workdir, name)
            try:
                found = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            yield _entry(name, FOLDER, found, xattrs=attributes_of(path))

    def _steadily(self, path: bytes) -> Place:
        """The place, read again when it changed meanwhile."""
        for tried in range(1, _TRIES + 1):
            try:
                return self._place(path)
            except Changing:
                if tried == _TRIES:
                    raise
            except FileNotFoundError as error:
                if tried == _TRIES:
                    raise Changing(path) from error
            except OSError as error:
                raise unreadable(path, error) from error
        raise Changing(path)

    def _place(self, path: bytes) -> Place:
        self._known = self._former_entries(path)
        parent, name = os.path.split(os.path.join(self._workdir, path))
        try:
            found = os.lstat(os.path.join(parent, name))
            folder = os.open(parent, _FOLDER_FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            return Place(path=path)
        try:
            return Place(path=path, entries=tuple(self._tree(folder, parent, name, found)))
        finally:
            os.close(folder)

    def _former_entries(self, path: bytes) -> dict[bytes, Entry]:
        if self.former is None or self.former.workdir != self._workdir:
            return {}
        for place in self.former.places:
            if place.path == path:
                return {entry.path: entry for entry in place.entries}
        return {}

    def _tree(self, folder: int, parent: bytes, name: bytes, found: os.stat_result) -> list[Entry]:
        walk = _Walk(self, self._workdir, self._known, found.st_dev)
        walk.visit(_Item(folder, name, os.path.join(parent, name), b"", found))
        return walk.entries


@dataclass(slots=True)
class _Item:
    """Something in an open folder: its name, where it lies, its path in the place, its status."""

    folder: int
    name: bytes
    spelt: bytes
    path: bytes
    found: os.stat_result


@dataclass(slots=True)
class _Walk:
    """One pass over one place, whose entries were `known` by their paths last time."""

    capture: Capture
    workdir: bytes
    known: Mapping[bytes, Entry]
    device: int
    entries: list[Entry] = field(default_factory=list)
    _first_names: dict[int, bytes] = field(default_factory=dict)

    def visit(self, item: _Item) -> Entry:
        """Take it, and all that is in it."""
        self.capture.checkpoint()
        kind = kind_of(item.found.st_mode)
        self._check(kind, item)
        try:
            if kind == FOLDER:  # of all frames of the way down there is only so much room
                return self._folder(item)
            entry = self._linked(kind, item)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise unreadable(self._relative(item), error) from error
        self.entries.append(entry)
        return entry

    def _linked(self, kind: str, item: _Item) -> Entry:
        """A file or a symlink, which may be one more name of another."""
        if item.found.st_nlink > 1 and item.found.st_ino in self._first_names:
            first = self._first_names[item.found.st_ino]
            return _entry(item.path, HARD_LINK, item.found, link=first)
        entry = self._symlink(item) if kind == SYMLINK else self._file(item)
        self._first_names[item.found.st_ino] = item.path
        return entry

    def _check(self, kind: str, item: _Item) -> None:
        if not kind:
            what = _ODD_KINDS.get(stat.S_IFMT(item.found.st_mode), "nothing that can be kept")
            raise Unfit(f"'{self._spoken(item)}' is {what}")
        if len(item.spelt) > LONGEST_PATH:
            raise Unfit(f"'{self._spoken(item)}' has a path of more than {LONGEST_PATH} bytes")
        if item.found.st_dev != self.device:
            raise Unfit(f"'{self._spoken(item)}' lies on another file system")
        if os.geteuid() and not _may_give(item.found):
            raise Unfit(f"'{self._spoken(item)}' belongs to somebody else, and could not again")

    def _folder(self, item: _Item) -> Entry:
        if item.path.count(b"/") >= _DEEPEST:
            raise Unfit(f"'{self._spoken(item)}' is nested more than {_DEEPEST} levels deep")
        with _opened(item.name, _FOLDER_FLAGS, item.folder) as folder:
            before = os.fstat(folder)
            entry = _entry(item.path, FOLDER, before, xattrs=self._attributes(folder, item))
            self.entries.append(entry)
            databases: set[bytes] = set()
            for name, found in _listed(folder):
                if is_sidecar(name, databases):
                    continue
                spelt, path = os.path.join(item.spelt, name), os.path.join(item.path, name)
                if self.visit(_Item(folder, name, spelt, path, found)).is_database:
                    databases.add(name)
            if os.fstat(folder).st_ctime_ns != before.st_ctime_ns:
                raise Changing(self._relative(item))
        return entry

    def _symlink(self, item: _Item) -> Entry:
        relative_to(self.workdir, os.path.realpath(item.spelt), self._relative(item))
        link = os.readlink(item.name, dir_fd=item.folder)
        return _entry(item.path, SYMLINK, item.found, link=link)

    def _file(self, item: _Item) -> Entry:
        known = self.known.get(item.path)
        if known is not None and known.kind == FILE and known.is_seen_in(item.found):
            is_same = not known.is_database or not _is_live(item.spelt)
            if is_same:
                return known
        for _ in range(_TRIES):
            with _opened(item.name, _FILE_FLAGS, item.folder) as file:
                entry = self._read(file, item)
            if entry is not None:
                return entry
        raise Changing(self._relative(item))

    def _read(self, file: int, item: _Item) -> Entry | None:
        """What is in an open file; None when it changed meanwhile."""
        before = _settled(file)
        if not stat.S_ISREG(before.st_mode):
            return None
        is_loose = not _is_old(before) or may_be_written(file)
        segments = segments_of(file, before)
        is_whole = segments is None and before.st_size <= AT_ONCE
        content = os.pread(file, before.st_size + 1 if is_whole else len(DATABASE_MARK), 0)
        is_database = content.startswith(DATABASE_MARK)
        if is_database and _is_live(item.spelt):
            return self._live_database(item, before)
        if is_whole:
            digest, size = self.capture.packs.add(content), len(content)
        else:
            data = ((0, before.st_size),) if segments is None else segments
            digest = self.capture.packs.add_pieces(self._pieces(file, data))
            size = before.st_size
        xattrs = self._attributes(file, item)
        if is_database and _is_live(item.spelt):
            return None
        after = os.fstat(file)
        if size != after.st_size or _times(before) != _times(after):
            return None
        if is_loose and hash_of(file, after) != (digest, segments):
            return None
        return _entry(
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

    def _attributes(self, file: int, item: _Item) -> Attributes:
        found = attributes_of(file)
        if os.geteuid() and any(name == CAPABILITY for name, _ in found):
            what = f"'{self._spoken(item)}' has the attribute '{spoken(CAPABILITY)}'"
            raise Unfit(f"{what}, which only root could give back")
        return found

    def _pieces(self, file: int, segments: Segments) -> Iterator[bytes]:
        for piece in pieces_of(file, segments):
            self.capture.checkpoint()
            yield piece

    def _live_database(self, item: _Item, found: os.stat_result) -> Entry:
        """A database that somebody may be writing, as SQLite itself copies it."""
        scratch = self.capture.scratch
        try:
            self.capture.copy_database(Path(os.fsdecode(item.spelt)), scratch)
            with _opened(os.fsencode(scratch), _FILE_FLAGS, None) as file:
                size = os.fstat(file).st_size
                digest = self.capture.packs.add_pieces(self._pieces(file, ((0, size),)))
        finally:
            scratch.unlink(missing_ok=True)
        return _entry(item.path, FILE, found, size=size, sha256=digest, is_database=True)

    def _relative(self, item: _Item) -> bytes:
        return os.path.relpath(item.spelt, self.workdir)

    def _spoken(self, item: _Item) -> str:
        return spoken(self._relative(item))


def _entry(
    path: bytes,
    kind: str,
    found: os.stat_result,
    *,
    size: int = 0,
    sha256: bytes = b"",
    link: bytes = b"",
    segments: tuple[tuple[int, int], ...] | None = None,
    xattrs: Attributes = (),
    seen: tuple[int, int, int] | None = None,
    is_database: bool = False,
) -> Entry:
    return Entry(
        path,
        kind,
        stat.S_IMODE(found.st_mode),
        found.st_uid,
        found.st_gid,
        found.st_mtime_ns,
        size,
        sha256,
        link,
        segments,
        xattrs,
        seen,
        is_database,
    )


def _listed(folder: int) -> list[tuple[bytes, os.stat_result]]:
    """The names in an open folder, sorted, with what they are."""
    with os.scandir(folder) as entries:
        found = [(os.fsencode(entry.name), entry.stat(follow_symlinks=False)) for entry in entries]
    return sorted(
        (item for item in found if not item[0].startswith(STAGING_PREFIX)),
        key=lambda item: item[0],
    )


@contextmanager
def _opened(name: bytes, flags: int, folder: int | None) -> Iterator[int]:
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_live(database: bytes) -> bool:
    """Whether somebody has the database open, or left something beside it to be taken in."""
    for end in SIDECARS:
        try:
            if end != b"-shm" and os.stat(database + end).st_size:
                return True
        except OSError:
            continue
    return bool(holders_of((database,)) or lockers_of(database))


def _settled(file: int) -> os.stat_result:
    """The status of an open file, once a later change is certain to give it other times."""
    found = os.fstat(file)
    age_ns = time.time_ns() - _changed_ns(found)
    if 0 <= age_ns < _YOUNG_NS:
        time.sleep((_YOUNG_NS - age_ns) / 1e9)
        return os.fstat(file)
    return found


def _is_old(found: os.stat_result) -> bool:
    """Whether a later change is certain to give a file other times, however coarse they are."""
    is_fine = found.st_ctime_ns % 1_000_000_000
    return _changed_ns(found) <= time.time_ns() - (_YOUNG_NS if is_fine else _YOUNG_IN_SECONDS_NS)


def _changed_ns(found: os.stat_result) -> int:
    return max(found.st_mtime_ns, found.st_ctime_ns)


def _times(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _may_give(found: os.stat_result) -> bool:
    """Whether a file that we make could be given the same owner and group."""
    groups = {os.getegid(), *os.getgroups()}
    return found.st_uid == os.geteuid() and found.st_gid in groups
