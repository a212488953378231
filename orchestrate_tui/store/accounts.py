"""Who acts: always a user of the operating system."""

from __future__ import annotations

import os
import pwd


def current_user() -> str:
    """The name of the user this process runs as; the number where it has no name."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
