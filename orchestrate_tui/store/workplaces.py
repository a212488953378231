"""Where an executor works whose lock is not held: its process may hold one that was removed.

A lock says nothing when its file was removed, or where the database is a copy of one that is in
use: nobody holds that of the copy. The files that a process has open say more. That needs its
number, which may be another's by now; so it only keeps work from being taken, and never ends any.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrate_tui.stagehost.boot import boot_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrate_tui.store.database import StoreFiles
    from orchestrate_tui.store.fencing import Owner

_REMOVED = " (deleted)"


def workplace(files: StoreFiles, owner: Owner | None) -> Path | None:
    """The database at which the process of an executor still holds the lock of its epoch.

    None when it holds none, or that is hidden.
    """
    if owner is None or owner.boot_id not in {"", boot_id()}:
        return None
    ending = f".owners/{owner.epoch}.lock"
    opened = list(_opened_by(owner.pid))
    locks = [name for name, _ in opened if name.removesuffix(_REMOVED).endswith(ending)]
    places = [Path(name.removesuffix(_REMOVED).removesuffix(ending)) for name in locks]
    is_open = False
    with suppress(OSError):  # the database may be away
        is_open = _identity(files.database) in dict(opened).values()
    for name, place in zip(locks, places, strict=True):
        if _is_at(place, files.database, else_=is_open and not name.endswith(_REMOVED)):
            return files.database
    return places[0] if places else None


def _is_at(place: Path, database: Path, *, else_: bool) -> bool:
    """Whether the database at a place is that one; `else_` where there is none.

    A process with another view of the folders has another name for it.
    """
    try:
        return place.samefile(database)
    except OSError:
        return else_


def works_here(files: StoreFiles, owner: Owner | None) -> bool:
    """Whether the executor lives and works at this database, although its lock is not held."""
    return workplace(files, owner) == files.database


def _opened_by(pid: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """The files that a process has open: their names, and which they are."""
    with suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in entries:
            with suppress(OSError):
                name = os.readlink(entry.path)  # noqa: PTH115  (as a text)
                yield name, _identity(entry.path)


def _identity(path: str | Path) -> tuple[int, int]:
    found = os.stat(path)  # noqa: PTH116  (follows what the kernel shows as a link)
    return found.st_dev, found.st_ino
