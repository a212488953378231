"""One pass over one place: everything that lies there becomes an entry, or is refused by name."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import field

from orchestrate_tui.snapshots.contents import is_sidecar
from orchestrate_tui.snapshots.errors import Changing, Unfit, unreadable
from orchestrate_tui.snapshots.item import FILE_FLAGS, FOLDER_FLAGS, Item, opened
from orchestrate_tui.snapshots.manifest import (
    FILE,
    FOLDER,
    HARD_LINK,
    SYMLINK,
    Entry,
    entry_of,
    kind_of,
)
from orchestrate_tui.snapshots.places import LONGEST_PATH, STAGING_PREFIX, relative_to
from orchestrate_tui.snapshots.reading import Reader, is_live
from orchestrate_tui.values import dataclass

_TRIES = 3
_DEEPEST = 400
_ODD_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(slots=True)
class Walk:
    """Goes through one place, whose entries were `known` by their paths last time."""

    reader: Reader
    known: Mapping[bytes, Entry]
    device: int
    entries: list[Entry] = field(default_factory=list)
    _first_names: dict[int, bytes] = field(default_factory=dict)

    def visit(self, item: Item) -> Entry:
        """Take it, and all that is in it.

        Raises Unfit for what cannot be kept, Changing for what changes meanwhile, and
        FileNotFoundError for what goes away.
        """
        self.reader.checkpoint()
        kind = kind_of(item.found.st_mode)
        self._check(kind, item)
        try:
            if kind == FOLDER:  # of all frames of the way down there is only so much room
                return self._folder(item)
            entry = self._linked(kind, item)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise unreadable(item.relative, error) from error
        self.entries.append(entry)
        return entry

    def _check(self, kind: str, item: Item) -> None:
        if not kind:
            what = _ODD_KINDS.get(stat.S_IFMT(item.found.st_mode), "nothing that can be kept")
            raise Unfit(f"'{item}' is {what}")
        if len(item.spelt) > LONGEST_PATH:
            raise Unfit(f"'{item}' has a path of more than {LONGEST_PATH} bytes")
        if item.found.st_dev != self.device:
            raise Unfit(f"'{item}' lies on another file system")
        if os.geteuid() and not _may_give(item.found):
            raise Unfit(f"'{item}' belongs to somebody else, and could not again")

    def _folder(self, item: Item) -> Entry:
        if item.path.count(b"/") >= _DEEPEST:
            raise Unfit(f"'{item}' is nested more than {_DEEPEST} levels deep")
        with opened(item.name, FOLDER_FLAGS, item.folder) as folder:
            before = os.fstat(folder)
            entry = entry_of(item.path, FOLDER, before, xattrs=item.attributes(folder))
            self.entries.append(entry)
            databases: set[bytes] = set()
            for name, found in _listed(folder):
                if is_sidecar(name, databases):
                    continue
                if self.visit(item.below(folder, name, found)).is_database:
                    databases.add(name)
            if os.fstat(folder).st_ctime_ns != before.st_ctime_ns:
                raise Changing(item.relative)
        return entry

    def _linked(self, kind: str, item: Item) -> Entry:
        """A file or a symlink, which may be one more name of another."""
        if item.found.st_nlink > 1 and item.found.st_ino in self._first_names:
            first = self._first_names[item.found.st_ino]
            return entry_of(item.path, HARD_LINK, item.found, link=first)
        entry = self._symlink(item) if kind == SYMLINK else self._file(item)
        self._first_names[item.found.st_ino] = item.path
        return entry

    def _symlink(self, item: Item) -> Entry:
        relative_to(item.workdir, os.path.realpath(item.spelt), item.relative)
        link = os.readlink(item.name, dir_fd=item.folder)
        return entry_of(item.path, SYMLINK, item.found, link=link)

    def _file(self, item: Item) -> Entry:
        known = self.known.get(item.path)
        if known is not None and known.kind == FILE and known.is_seen_in(item.found):
            is_same = not known.is_database or not is_live(item.spelt)
            if is_same:
                return known
        for _ in range(_TRIES):
            with opened(item.name, FILE_FLAGS, item.folder) as file:
                entry = self.reader.read(file, item)
            if entry is not None:
                return entry
        raise Changing(item.relative)


def _listed(folder: int) -> list[tuple[bytes, os.stat_result]]:
    """The names in an open folder, sorted, with what they are."""
    with os.scandir(folder) as entries:
        found = [(os.fsencode(entry.name), entry.stat(follow_symlinks=False)) for entry in entries]
    return sorted(
        (item for item in found if not item[0].startswith(STAGING_PREFIX)),
        key=lambda item: item[0],
    )


def _may_give(found: os.stat_result) -> bool:
    """Whether a file that we make could be given the same owner and group."""
    groups = {os.getegid(), *os.getgroups()}
    return found.st_uid == os.geteuid() and found.st_gid in groups
