"""What a restore would change: compared with what is there now, without changing anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from difflib import unified_diff

from orchestrate_tui.domain.snapshot import Fate, PathChange
from orchestrate_tui.snapshots.contents import attributes_of, hash_of, is_sidecar, promised
from orchestrate_tui.snapshots.errors import spoken
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
from orchestrate_tui.snapshots.places import LONGEST_PATH

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
LARGEST_DIFF = 64 * 1024
"""Bytes of a file up to which its lines are compared."""


Content = Callable[[Entry], bytes | None]
"""The content that was kept of a file; None when it cannot be read."""


def is_as_it_was(manifest: Manifest, place: Place) -> bool:
    """Whether nothing about a place has changed, times and owners included."""
    if any(entry.is_database for entry in place.entries):
        return False
    target = manifest.absolute(place)
    try:
        is_same = _are_untouched(target, place.entries)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return is_same and sum(1 for _ in _present(target)) == len(place.entries)


def _are_untouched(target: bytes, entries: Iterable[Entry]) -> bool:
    """Whether these are what they were, and files that were apart are not one by now."""
    linked: set[int] = set()
    for entry in entries:
        found = os.lstat(_below(target, entry.path))
        if found.st_mtime_ns != entry.mtime_ns or not _is_same(target, entry, found):
            return False
        if entry.kind in {FILE, SYMLINK} and found.st_nlink > 1:
            if found.st_ino in linked:
                return False
            linked.add(found.st_ino)
    return True


def differences(
    manifest: Manifest, places: Iterable[Place], content: Content
) -> Iterator[PathChange]:
    """What would change of the places, in the order of their paths.

    Times alone do not count. Raises OSError.
    """
    for place in places:
        for path, entry, found in _compare(manifest, place):
            yield _difference(manifest, path, entry, found, content)


_Found = tuple[bytes, Entry | None, os.stat_result | None]


def _compare(manifest: Manifest, place: Place) -> Iterator[_Found]:
    target = manifest.absolute(place)
    then = {entry.path: entry for entry in place.entries}
    databases = {entry.path for entry in place.entries if entry.is_database}
    now = {path: found for path, found in _present(target) if not is_sidecar(path, databases)}
    for path in sorted(then.keys() | now.keys()):
        entry, found = then.get(path), now.get(path)
        if entry is None or found is None or not _is_same(target, entry, found):
            yield os.path.join(place.path, path).rstrip(b"/"), entry, found


def _present(target: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    """All that is at a place now."""
    with suppress(FileNotFoundError, NotADirectoryError):
        found = os.lstat(target)
        yield b"", found
        if stat.S_ISDIR(found.st_mode):
            yield from _inside(target)


def _inside(target: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    """What is in a folder, and in those in it but for the depth at which nothing is kept."""
    waiting = [b""]
    while waiting:
        here = waiting.pop()
        if len(_below(target, here)) > LONGEST_PATH:
            continue
        with os.scandir(os.path.join(target, here)) as entries:
            for entry in entries:
                path = os.path.join(here, entry.name)
                yield path, entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)


def _is_same(target: bytes, entry: Entry, found: os.stat_result) -> bool:
    """Whether something is what it was, but for its times."""
    if entry.kind == HARD_LINK:
        first = _below(target, entry.link)
        return os.path.lexists(first) and os.lstat(first).st_ino == found.st_ino
    if kind_of(found.st_mode) != entry.kind:
        return False
    if (found.st_uid, found.st_gid) != (entry.uid, entry.gid):
        return False
    path = _below(target, entry.path)
    if entry.kind == SYMLINK:
        return os.readlink(path) == entry.link
    if stat.S_IMODE(found.st_mode) != entry.mode:
        return False
    if entry.kind == FOLDER:
        return promised(attributes_of(path)) == promised(entry.xattrs)
    return entry.is_seen_in(found) or _has(path, entry, found)


def _below(target: bytes, path: bytes) -> bytes:
    return target + b"/" + path if path else target


def _has(path: bytes, entry: Entry, found: os.stat_result) -> bool:
    """Whether a file has the content and the attributes that were kept."""
    if found.st_size != entry.size:
        return False
    descriptor = os.open(path, _OPEN)
    try:
        if promised(attributes_of(descriptor)) != promised(entry.xattrs):
            return False
        return hash_of(descriptor, found) == (entry.sha256, entry.segments)
    finally:
        os.close(descriptor)


def _difference(
    manifest: Manifest,
    path: bytes,
    entry: Entry | None,
    found: os.stat_result | None,
    content: Content,
) -> PathChange:
    fate = Fate.REMOVED if entry is None else Fate.ADDED if found is None else Fate.CHANGED
    return PathChange(
        fate=fate,
        path=spoken(path),
        now=found.st_size if found else None,
        then=entry.size if entry else None,
        diff=_diff(os.path.join(manifest.workdir, path), path, entry, found, content),
    )


def _diff(
    absolute: bytes,
    path: bytes,
    entry: Entry | None,
    found: os.stat_result | None,
    content: Content,
) -> tuple[str, ...]:
    if entry is None or found is None or entry.kind != FILE or entry.segments is not None:
        return ()
    is_small = max(entry.size, found.st_size) <= LARGEST_DIFF
    if not is_small or not stat.S_ISREG(found.st_mode):
        return ()
    descriptor = os.open(absolute, _OPEN)
    try:
        now = _lines(os.pread(descriptor, LARGEST_DIFF + 1, 0))
    finally:
        os.close(descriptor)
    kept = content(entry)
    then = None if kept is None else _lines(kept)
    if now is None or then is None:
        return ()
    name = spoken(path)
    return tuple(
        line.rstrip("\n") for line in unified_diff(now, then, f"{name} now", f"{name} then", n=2)
    )


def _lines(content: bytes) -> list[str] | None:
    """The lines of a text; None for what is none."""
    if b"\0" in content:
        return None
    try:
        return content.decode().splitlines(keepends=True)
    except UnicodeDecodeError:
        return None
