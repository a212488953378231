"""Who may read the files that are made: their owner, and in a shared folder its group too.

A folder is shared when its group may list it and what is made in it gets that group. Whoever makes
a file there need not know with whom: it is made as its folder is.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SHARED = stat.S_ISGID | stat.S_IRGRP | stat.S_IXGRP


def make_folder(folder: Path | str) -> None:
    """Make the folder and those that lead to it; those that are there stay as they are.

    Raises OSError.
    """
    if os.path.isdir(folder):
        return
    parent = os.path.dirname(folder) or "."
    make_folder(parent)
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        if os.path.isdir(folder):  # somebody was faster
            return
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
    if is_shared(parent):
        os.chmod(folder, 0o2750)  # noqa: S103  (as its parent)


def open_file(path: Path | str, flags: int) -> int:
    """A descriptor of the file, which is made if it is missing; no child inherits it.

    Raises OSError.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if is_shared(os.path.dirname(path) or "."):
        os.fchmod(descriptor, 0o640)
    return descriptor


def share_folder(folder: Path, group_id: int) -> None:
    """Share a folder with a group; what lies in it already stays as it is. Raises OSError."""
    found = folder.stat()
    if found.st_gid != group_id:
        os.chown(folder, -1, group_id)
    if found.st_mode & _SHARED != _SHARED:
        folder.chmod(0o2750)


def share_file(file: Path, group_id: int) -> None:
    """Let a group read a file. Raises OSError."""
    found = file.stat()
    if found.st_gid != group_id:
        os.chown(file, -1, group_id)
    if not found.st_mode & stat.S_IRGRP:
        file.chmod(0o640)


def who_else_writes(found: os.stat_result) -> str:
    """Who besides this user may change a file, or what is in a folder; "" for nobody but root."""
    if found.st_uid not in {os.geteuid(), 0}:
        return "another user, to whom it belongs"
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX:
        return ""  # others may put something there, but not touch what is ours
    if found.st_mode & stat.S_IWOTH:
        return "everybody"
    return "its group" if found.st_mode & stat.S_IWGRP else ""


def others_who_write(path: Path) -> Iterator[tuple[str, os.stat_result, str]]:
    """Which of a file, its folder and the one to which it leads others may change, and who.

    What cannot be looked at is passed over: whoever reads the file tells what is wrong.
    """
    folders = (os.path.dirname(one) or "." for one in (path, os.path.realpath(path)))
    for place in dict.fromkeys((os.fspath(path), *folders)):
        with suppress(OSError):
            found = os.stat(place)
            if who := who_else_writes(found):
                yield place, found, who


def is_shared(folder: Path | str) -> bool:
    """Whether what is made in the folder is for its group too. Raises OSError."""
    return os.stat(folder).st_mode & _SHARED == _SHARED
