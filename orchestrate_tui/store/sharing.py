"""Lets a Unix group read a database, its logs, and which executors live."""

from __future__ import annotations

import grp
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrate_tui.errors import StoreError
from orchestrate_tui.permissions import is_shared, make_folder, share_file, share_folder

SIGN_SUFFIX = ".sign"
"""Of the locks of owners that all may see: whoever holds one of them keeps nobody from anything."""

if TYPE_CHECKING:
    from orchestrate_tui.store.database import StoreFiles


def share(files: StoreFiles, group: str) -> None:
    """Let the group read everything that is there and will be made.

    The locks that writers and owners take stay theirs, as whoever may read one could hold it.
    Raises StoreError when there is no such group, or the user is no member of it.
    """
    group_id = id_of(group)
    if group_id is None:
        raise _cannot_share(files, group, "there is no such group")
    try:
        _share_around(files, group_id)
        for folder, suffix in ((files.runs, ""), (files.owners, SIGN_SUFFIX), (files.sockets, "")):
            make_folder(folder)
            _share_within(folder, group_id, suffix)
    except PermissionError as error:
        raise _cannot_share(files, group, "only its members can share with it") from error
    except OSError as error:
        raise _cannot_share(files, group, str(error)) from error


def id_of(group: str) -> int | None:
    """The number of a Unix group; None when there is no such group."""
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return None


def what_hides(files: StoreFiles, group: str) -> str:
    """What keeps the members of a group from reading a database; "" when nothing does.

    Raises OSError.
    """
    group_id = id_of(group)
    if group_id is None:
        return "there is no such group"
    for folder in reversed(files.database.parents):
        if not _lets(folder, group_id, stat.S_IXGRP, stat.S_IXOTH):
            return f"they may not enter {folder}"
    for place in (files.database, files.runs, files.owners):
        if place.exists() and not _lets(place, group_id, stat.S_IRGRP, stat.S_IROTH):
            return f"{place} is not shared yet; the next run or console shares it"
    return ""


def _lets(place: Path, group_id: int, for_group: int, for_others: int) -> bool:
    """Whether the mode of a place lets the members of a group do something."""
    found = place.stat()
    return bool(found.st_mode & (for_group if found.st_gid == group_id else for_others))


def _share_around(files: StoreFiles, group_id: int) -> None:
    """Share the database, what is kept beside it, and a folder that is there for it alone."""
    database = files.database
    folder = database.parent
    is_ours = folder.stat().st_uid == os.geteuid()
    if is_ours and all(file.name.startswith(database.name) for file in folder.iterdir()):
        share_folder(folder, group_id)
    beside = (Path(f"{database}{ending}") for ending in ("-wal", "-shm"))
    for file in (database, *beside, files.head, files.consoles):
        if file.exists():
            share_file(file, group_id)


def _share_within(folder: Path, group_id: int, suffix: str) -> None:
    """Share a folder, and the files with that suffix made in it before it was shared."""
    if is_shared(folder) and folder.stat().st_gid == group_id:
        return
    for place, folders, files in os.walk(folder):
        for name in files:
            if name.endswith(suffix):
                share_file(Path(place, name), group_id)
        for name in folders:
            share_folder(Path(place, name), group_id)
    share_folder(folder, group_id)


def _cannot_share(files: StoreFiles, group: str, reason: str) -> StoreError:
    return StoreError(
        f"The database {files.database} cannot be shared with the group '{group}': {reason}",
        next_step="Correct share_group in your configuration",
    )
