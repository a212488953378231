"""Taking a snapshot: everything at the named places, read without being changed.

What cannot be put back is refused by name, and what changes while it is read is read again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from orchestrate_tui.snapshots.blobs import PackWriter
from orchestrate_tui.snapshots.contents import attributes_of, is_sidecar
from orchestrate_tui.snapshots.errors import Changing, Unfit, spoken, unreadable
from orchestrate_tui.snapshots.item import FOLDER_FLAGS, Item
from orchestrate_tui.snapshots.manifest import FOLDER, Entry, Manifest, Place, entry_of
from orchestrate_tui.snapshots.places import (
    find_places,
    mount_points,
    mounts_below,
    parents_of,
    resolve,
)
from orchestrate_tui.snapshots.reading import CopyDatabase, Reader
from orchestrate_tui.snapshots.walk import Walk
from orchestrate_tui.values import dataclass

_TRIES = 3


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
                yield entry_of(name, FOLDER, os.lstat(name), xattrs=xattrs)

    def _parents(self, places: Sequence[bytes]) -> Iterator[Entry]:
        """The folders on the way to the places, for when they are gone."""
        names = {parent for path in places for parent in parents_of(path)}
        for name in sorted(names):
            path = os.path.join(self._workdir, name)
            try:
                found = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            yield entry_of(name, FOLDER, found, xattrs=attributes_of(path))

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
        spelt = os.path.join(self._workdir, path)
        parent, name = os.path.split(spelt)
        try:
            found = os.lstat(spelt)
            folder = os.open(parent, FOLDER_FLAGS)
        except (FileNotFoundError, NotADirectoryError):
            return Place(path=path)
        try:
            item = Item(folder, name, spelt, b"", found, self._workdir)
            return Place(path=path, entries=self._entries(item, self._former_entries(path)))
        finally:
            os.close(folder)

    def _entries(self, item: Item, known: dict[bytes, Entry]) -> tuple[Entry, ...]:
        reader = Reader(self.packs, self.copy_database, self.scratch, self.checkpoint)
        walk = Walk(reader, known, item.found.st_dev)
        walk.visit(item)
        return tuple(walk.entries)

    def _former_entries(self, path: bytes) -> dict[bytes, Entry]:
        if self.former is None or self.former.workdir != self._workdir:
            return {}
        for place in self.former.places:
            if place.path == path:
                return {entry.path: entry for entry in place.entries}
        return {}
