"""Who acts: always a user of the operating system."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

_USERS = Path("/etc/passwd")


def current_user() -> str:
    """The user this process runs as."""
    return name_of(os.getuid())


def owner_of(path: Path) -> str:
    """The user to whom a file belongs; "its owner" where that is hidden."""
    try:
        return name_of(path.stat().st_uid)
    except OSError:
        return "its owner"


def is_anothers(path: Path) -> bool:
    """Whether a file is there that belongs to another user; one that is hidden does."""
    try:
        return path.stat().st_uid != os.geteuid()
    except PermissionError:
        return True
    except OSError:
        return False


def name_of(uid: int) -> str:
    """The name of a user; the number where it has no name."""
    if name := _local_name(uid):
        return name
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _local_name(uid: int) -> str:
    """The name of a user of this machine, found without connecting to a name service; or ""."""
    try:
        lines = _USERS.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    users = (line.split(":") for line in lines)
    return next((user[0] for user in users if user[2:3] == [str(uid)]), "")
