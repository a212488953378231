"""Who acts: always a user of the operating system."""

from __future__ import annotations

import os
import pwd
from pathlib import Path


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
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
