"""Putting a snapshot back: built beside its targets, and let into place when it is complete."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import field
from functools import partial
from pathlib import Path

from orchestrate_tui.domain.snapshot import PathChange
from orchestrate_tui.inode_flags import lay_apart
from orchestrate_tui.snapshots.blobs import PackReader, sync_folder
from orchestrate_tui.snapshots.contents import SIDECARS
from orchestrate_tui.snapshots.differences import differences, is_as_it_was
from orchestrate_tui.snapshots.errors import (
    Damaged,
    InUse,
    SnapshotError,
    Unfit,
    damaged_at,
    spoken,
    unreadable,
)
from orchestrate_tui.snapshots.holders import holders_of, lockers_of, named
from orchestrate_tui.snapshots.journal import OLD, Decision, Intent, Journal, Move
from orchestrate_tui.snapshots.manifest import FILE, FOLDER, Entry, Manifest, Place
from orchestrate_tui.snapshots.places import (
    STAGING_PREFIX,
    find_places,
    mount_points,
    mounts_below,
    parents_of,
)
from orchestrate_tui.snapshots.staging import Builder, dress, inherit_nothing
from orchestrate_tui.snapshots.system import is_fixed, sync_file_system
from orchestrate_tui.values import dataclass

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

MOST_READ = 512 << 20
"""So many bytes are read to see what would refuse it; the rest is only looked for."""

_FEW = 64
"""Up to so many files each is synced by itself, which does not wait for what others write."""


@dataclass(slots=True, kw_only=True)
class Restore:
    """Puts one snapshot back.

    `journals` is the folder of the journals. `checkpoint` is called often while nothing is
    changed yet, and may raise to give up.
    """

    manifest: Manifest
    packs: PackReader
    journals: Path
    checkpoint: Callable[[], None] = lambda: None
    _folders: dict[bytes, bytes] = field(default_factory=dict)
    _token: bytes = field(default_factory=lambda: os.urandom(8).hex().encode())

    def run(self) -> int:
        """Put it back, all or nothing; returns how many places were changed.

        Raises a SnapshotError. Then nothing was changed, also by one that was interrupted, unless
        it was decided already to let everything into place: whoever begins next goes on with that.
        """
        try:
            return self._run()
        except OSError as error:
            path = error.filename if isinstance(error.filename, bytes) else b""
            path = path or os.fsencode(error.filename or "")
            raise unreadable(path, error) from error

    def changes(self) -> Iterator[PathChange]:
        """What it would change now, in the order of the paths; nothing is changed. Raises OSError.

        Lines are compared only of what is not damaged.
        """
        yield from differences(self.manifest, self._places(), self._content)

    def _content(self, entry: Entry) -> bytes | None:
        try:
            return b"".join(self.packs.pieces(entry.sha256))
        except Damaged:
            return None

    def obstacles(self) -> Iterator[str]:
        """Why it would be refused now, a sentence each; nothing is changed. Raises OSError."""
        places = self._changed()
        unused = partial(check_unused, self.manifest)
        checks = (self._check_parents, self._check_owners, self._check_contents, unused)
        for check in checks:
            try:
                check(places)
            except SnapshotError as error:
                yield str(error)

    def _changed(self) -> list[Place]:
        return [place for place in self._places() if not is_as_it_was(self.manifest, place)]

    def _run(self) -> int:
        places = self._changed()
        self._check_parents(places)
        self._check_owners(places)
        if not places:
            return 0
        journal = Journal.begin(self.journals)
        with journal:
            try:
                moves = tuple(self._staged(journal, places))
                check_unused(self.manifest, places)
                journal.write(Decision(moves))
            except BaseException:
                journal.finish()
                raise
            journal.finish()
        return len(places)

    def _places(self) -> Iterator[Place]:
        """The places of the snapshot, and what was created since where its patterns match."""
        yield from self.manifest.places
        yield from created_since(self.manifest)

    def _check_parents(self, places: Sequence[Place]) -> None:
        """Raise Unfit where a folder on the way leads elsewhere by now, or something is mounted."""
        parents = {parent for place in places for parent in (b"", *parents_of(place.path))}
        for parent in sorted(parents):
            there = os.path.join(self.manifest.workdir, parent).rstrip(b"/")
            if os.path.lexists(there) and os.path.realpath(there) != there:
                raise Unfit(f"'{spoken(there)}' has become a link to elsewhere")
            if os.path.lexists(there) and not os.path.isdir(there):
                raise Unfit(f"'{spoken(there)}' is no folder any more")
        mounted = mount_points()
        for place in places:
            for mount in mounts_below(self.manifest.absolute(place), mounted):
                raise Unfit(f"'{spoken(mount)}' is mounted there")

    def _check_owners(self, places: Sequence[Place]) -> None:
        """Raise Unfit where something lies that only others may take away, or nobody."""
        for place in places:
            target = self.manifest.absolute(place)
            for path in (target, os.path.dirname(target)):
                if is_fixed(path):
                    raise Unfit(f"'{spoken(path)}' is immutable or append-only: see chattr(1)")
        user = os.geteuid()
        for place in places if user else ():
            target = self.manifest.absolute(place)
            with suppress(FileNotFoundError, NotADirectoryError):
                found, parent = os.lstat(target), os.lstat(os.path.dirname(target))
                if parent.st_mode & stat.S_ISVTX and user not in {found.st_uid, parent.st_uid}:
                    raise Unfit(f"'{spoken(place.path)}' belongs to somebody else by now")

    def _staged(self, journal: Journal, places: Sequence[Place]) -> Iterator[Move]:
        """Build everything beside its target, and have it on the disk."""
        parents = dict.fromkeys(os.path.dirname(self.manifest.absolute(place)) for place in places)
        missing = tuple(self._missing(parents))
        self._folders = {p: os.path.join(p, STAGING_PREFIX + self._token) for p in parents}
        beside = tuple(self._beside(places))
        made = tuple(path for path, _ in missing)
        journal.write(Intent((*self._folders.values(), *beside), made))
        for path, entry in missing:
            _make_missing(path, entry)
        for folder in self._folders.values():
            _make_staging(folder)
        is_small = sum(len(place.entries) for place in places) <= _FEW
        builder = Builder(packs=self.packs, checkpoint=self.checkpoint, is_syncing=is_small)
        for number, place in enumerate(places):
            yield from self._build(builder, number, place)
        folders = self._folders.values()
        if is_small:
            for folder in (*folders, *parents):
                sync_folder(folder)
        else:
            for folder in {os.stat(folder).st_dev: folder for folder in folders}.values():
                sync_file_system(folder)

    def _missing(self, parents: dict[bytes, None]) -> Iterator[tuple[bytes, Entry]]:
        """The folders that have to be made first, outermost first, and how they were."""
        for entry in self.manifest.parents:
            path = os.path.join(self.manifest.workdir, entry.path)
            is_needed = any(one == path or one.startswith(path + b"/") for one in parents)
            if is_needed and not os.path.lexists(path):
                yield path, entry

    def _beside(self, places: Sequence[Place]) -> Iterator[bytes]:
        """The names that are used beside a target, and not in the folder for what is built."""
        for number, place in enumerate(places):
            if _stays_in_its_folder(self.manifest.absolute(place), place):
                name = self._staged_name(number, place)
                yield from (name, name + OLD)

    def _staged_name(self, number: int, place: Place) -> bytes:
        """Where a place is built, and what is there now goes."""
        target = self.manifest.absolute(place)
        folder = self._folders[os.path.dirname(target)]
        if _stays_in_its_folder(target, place):
            return b"%s-%d" % (folder, number)
        return os.path.join(folder, b"%d-%s" % (number, self._token))

    def _build(self, builder: Builder, number: int, place: Place) -> Iterator[Move]:
        target, staged = self.manifest.absolute(place), self._staged_name(number, place)
        if any(entry.is_database for entry in place.entries[:1]):
            folder = self._folders[os.path.dirname(target)]
            for end in SIDECARS:
                yield Move(target + end, os.path.join(folder, b"%d%s" % (number, end)))
        if not place.entries:
            yield Move(target, staged)
            return
        builder.build(place, staged)
        yield Move(target, staged, os.lstat(staged).st_ino)

    def _check_contents(self, places: Sequence[Place]) -> None:
        """Raise Damaged unless all is there that was kept, and (so far as it is read) as it was."""
        read = 0
        for place in places:
            for entry in place.entries:
                if entry.kind != FILE:
                    continue
                self.checkpoint()
                try:
                    read += self.packs.check(entry.sha256, is_read=read <= MOST_READ)
                except Damaged as error:
                    path = os.path.join(place.path, entry.path).rstrip(b"/")
                    raise damaged_at(path) from error


def check_unused(manifest: Manifest, places: Iterable[Place]) -> None:
    """Raise InUse while a process has one of the databases open that are in these places."""
    databases = tuple(
        os.path.join(manifest.absolute(place), entry.path).rstrip(b"/")
        for place in places
        for entry in place.entries
        if entry.is_database
    )
    files = (name for base in databases for name in (base, *(base + end for end in SIDECARS)))
    locking = (one for base in databases for one in lockers_of(base))
    for pid, path in (*holders_of(files), *locking):
        raise InUse(f"'{spoken(path)}' is in use by {named(pid)}: end it, then try again")


def _stays_in_its_folder(target: bytes, place: Place) -> bool:
    """Whether only its name may change: a folder that may not be written moves to no other."""
    if (
        place.entries
        and place.entries[0].kind == FOLDER
        and not place.entries[0].mode & stat.S_IWUSR
    ):
        return True
    try:
        found = os.lstat(target)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISDIR(found.st_mode) and not found.st_mode & stat.S_IWUSR


def _make_missing(path: bytes, entry: Entry) -> None:
    """Make a folder on the way as it was."""
    os.mkdir(path, 0o700)
    folder = os.open(path, _OPEN_FOLDER)
    try:
        dress(entry, folder, path)
    finally:
        os.close(folder)
    sync_folder(os.path.dirname(path))


def _make_staging(path: bytes) -> None:
    """Make a folder to build in, which passes nothing of its parent on to what is built."""
    os.mkdir(path, 0o700)
    folder = os.open(path, _OPEN_FOLDER)
    try:
        lay_apart(folder)
        inherit_nothing(folder)
    finally:
        os.close(folder)


def leads_elsewhere(workdir: bytes, path: bytes) -> bool:
    """Whether a folder on the way to a path is a link, and so what is there was not meant."""
    return any(os.path.islink(os.path.join(workdir, parent)) for parent in parents_of(path))


def created_since(manifest: Manifest) -> tuple[Place, ...]:
    """What the patterns of a snapshot match now that was not there, to be removed."""
    known = {place.path for place in manifest.places}
    databases = {
        place.path for place in manifest.places if place.entries and place.entries[0].is_database
    }
    belonging = {database + end for database in databases for end in SIDECARS}
    found = find_places(manifest.workdir, manifest.patterns)
    return tuple(
        Place(path=path)
        for path in found
        if path not in known | belonging
        and known.isdisjoint(parents_of(path))
        and not leads_elsewhere(manifest.workdir, path)
    )
