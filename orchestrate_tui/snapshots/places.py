"""Which places the patterns of a snapshot name, and that they lie in the working folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from glob import escape, has_magic
from itertools import takewhile

from orchestrate_tui.snapshots.errors import Unfit, spoken, unreadable

STAGING_PREFIX = b".orchestrate-restore-"
"""How the names of folders begin that are used while something is put back."""

LONGEST_PATH = 3800
"""Bytes of a path that can be kept: the system takes 4095, names in its last folder among them."""

_ANY_DEPTH = "**"

_Seen = set[tuple[bytes, int]]
"""Folders that were looked through for the last so many parts of a pattern.

Several `**` lead to one folder in more ways than can be tried.
"""


def resolve(workdir: bytes, pattern: str) -> str:
    """The pattern with the links on its way followed, up to its first sign.

    `x/**` means all of `x`, and `.` all that is in the folder. Raises Unfit for one that leads
    out of the folder.
    """
    parts = [part for part in pattern.split("/") if part not in {"", "."}]
    if pattern.startswith("/") or ".." in parts:
        raise Unfit(f"the path '{pattern}' does not lie in the working folder")
    while len(parts) > 1 and parts[-1] == _ANY_DEPTH:
        parts.pop()
    parts = parts or ["*"]
    plain = tuple(takewhile(lambda part: not has_magic(part), parts[:-1]))
    way = os.fsencode("/".join(plain))
    real = os.path.realpath(os.path.join(workdir, way))
    resolved = escape(os.fsdecode(relative_to(workdir, real, way)))
    return "/".join((*filter(None, [resolved]), *parts[len(plain) :]))


def find_places(workdir: bytes, patterns: Iterable[str]) -> tuple[bytes, ...]:
    """The paths that resolved patterns name in a working folder, seen from it, none in another.

    One without signs names its path even where nothing is. `*` stops at `/` and matches hidden
    names too. Links are not followed.
    """
    found: set[bytes] = set()
    for pattern in patterns:
        found.update(_matches(workdir, b"", pattern.split("/"), set()))
    return _outermost(found)


def _matches(workdir: bytes, folder: bytes, parts: Sequence[str], seen: _Seen) -> Iterator[bytes]:
    """What matches `parts` below a folder that is seen from the working folder."""
    part, rest = parts[0], parts[1:]
    if part == _ANY_DEPTH:
        yield from _at_any_depth(workdir, folder, parts, seen)
        return
    is_plain = not has_magic(part) or escape(unescaped(part)) == part
    names = (
        [os.fsencode(unescaped(part))]
        if is_plain
        else [
            name
            for name, _ in _names(os.path.join(workdir, folder))
            if fnmatchcase(os.fsdecode(name), part)
        ]
    )
    for name in names:
        path = os.path.join(folder, name)
        if not rest:
            yield path
        elif is_plain or _is_folder(os.path.join(workdir, path)):
            yield from _matches(workdir, path, rest, seen)


def _at_any_depth(
    workdir: bytes, folder: bytes, parts: Sequence[str], seen: _Seen
) -> Iterator[bytes]:
    """What matches the rest of `parts` in the folder, or in one below."""
    if (folder, len(parts)) in seen:
        return
    seen.add((folder, len(parts)))
    if parts[1:]:
        yield from _matches(workdir, folder, parts[1:], seen)
    for name, is_folder in _names(os.path.join(workdir, folder)):
        if not parts[1:]:
            yield os.path.join(folder, name)
        elif is_folder:
            yield from _at_any_depth(workdir, os.path.join(folder, name), parts, seen)


def _is_folder(path: bytes) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def unescaped(part: str) -> str:
    """The text that `glob.escape` made a pattern of."""
    return re.sub(r"\[([*?[])\]", r"\1", part)


def _names(folder: bytes) -> list[tuple[bytes, bool]]:
    """The names in a folder, and which of them are folders; none if it is not there."""
    try:
        with os.scandir(folder) as entries:
            return [
                (entry.name, entry.is_dir(follow_symlinks=False))
                for entry in entries
                if not entry.name.startswith(STAGING_PREFIX)
            ]
    except (FileNotFoundError, NotADirectoryError):
        return []  # a folder on the way that is gone holds nothing
    except OSError as error:
        raise unreadable(folder, error) from error


def relative_to(workdir: bytes, real: bytes, path: bytes) -> bytes:
    """`real`, seen from the working folder. Raises Unfit, naming `path`, when it is elsewhere."""
    if real == workdir:
        return b""
    start = workdir if workdir.endswith(b"/") else workdir + b"/"
    if not real.startswith(start):
        raise Unfit(f"'{spoken(path)}' leads out of the working folder, to '{spoken(real)}'")
    return real.removeprefix(start)


def _outermost(paths: set[bytes]) -> tuple[bytes, ...]:
    """The paths that do not lie within another of them, sorted."""
    return tuple(
        path for path in sorted(paths) if not any(above in paths for above in parents_of(path))
    )


def parents_of(path: bytes) -> tuple[bytes, ...]:
    """The folders on the way to a relative path, outermost first."""
    parts = path.split(b"/")[:-1]
    return tuple(b"/".join(parts[: end + 1]) for end in range(len(parts)))


def mount_points(table: str = "/proc/self/mountinfo") -> tuple[bytes, ...]:
    """Where file systems are mounted; () where nobody can say."""
    try:
        with open(table, "rb") as lines:
            return tuple(_unescaped(line.split(b" ")[4]) for line in lines)
    except OSError:
        return ()


def mounts_below(path: bytes, points: Iterable[bytes]) -> tuple[bytes, ...]:
    """Which of these file systems are mounted at the path or below."""
    return tuple(point for point in points if point == path or point.startswith(path + b"/"))


def _unescaped(path: bytes) -> bytes:
    for code, sign in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        path = path.replace(code, sign)
    return path
