"""The log file of one attempt: processes write to it directly, agents add what they have to say."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from orchestrate_tui.permissions import make_folder, open_file

NOTE_PREFIX = "orchestrate-tui: "
"""What a line that no process wrote begins with."""


def open_log(path: Path) -> int:
    """A descriptor that appends to `path`; the file, and its folder, are made if missing."""
    flags = os.O_WRONLY | os.O_APPEND
    try:
        return open_file(path, flags)
    except FileNotFoundError:
        make_folder(path.parent)
        return open_file(path, flags)


def append(path: Path, content: bytes) -> None:
    """Add `content` to the log as it is."""
    with open(open_log(path), "ab") as log:
        log.write(content)


def append_note(path: Path, sentence: str) -> None:
    """Add one line that tells what the executor did or found, marked as such.

    A full disk loses the line; it does not change how the attempt ended.
    """
    line = f"{NOTE_PREFIX}{sentence}\n".encode(errors="backslashreplace")
    with suppress(OSError):
        append(path, line if _ends_with_newline(path) else b"\n" + line)


def _ends_with_newline(path: Path) -> bool:
    """Whether a line can begin at the end of `path`; an empty or missing file ends with one."""
    try:
        with path.open("rb") as log:
            log.seek(-1, os.SEEK_END)
            return log.read() == b"\n"
    except OSError:
        return True
