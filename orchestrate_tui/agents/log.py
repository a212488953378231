"""The log file of one attempt: processes write to it directly, agents add what they have to say."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from orchestrate_tui.stagehost.files import open_log
from orchestrate_tui.stagehost.masking import Masker
from orchestrate_tui.values import dataclass

NOTE_PREFIX = "orchestrate-tui: "
"""What a line that no process wrote begins with."""


LEAST_ROOM_BYTES = 64 * 1024
"""With less free space where logs lie nothing is started."""


@dataclass(frozen=True, slots=True)
class StageLog:
    """The log of one attempt for what agents have to say; `masker` None masks nothing."""

    path: Path
    masker: Masker | None = None

    def append(self, content: bytes) -> None:
        """Add `content`, masked but otherwise as it is.

        A full disk loses it; it does not change how the attempt ended.
        """
        try:
            append(self.path, self.masker.mask(content) if self.masker else content)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise

    def note(self, sentence: str) -> None:
        """Add one line that tells what the executor did or found; see append_note."""
        append_note(self.path, self.masked(sentence))

    def masked(self, text: str) -> str:
        """`text` as it may be shown; mask before a text is shortened, not afterwards."""
        return self.masker.mask_text(text) if self.masker else text


def has_room(folder: Path) -> bool:
    """Whether the disk of a folder has room for a log."""
    try:
        found = os.statvfs(folder)
    except OSError:  # whoever writes there will say it better
        return True
    blocks = found.f_bavail if os.geteuid() else found.f_bfree
    return blocks * found.f_frsize >= LEAST_ROOM_BYTES


def append(path: Path, content: bytes) -> None:
    """Add `content` to the log as it is."""
    with os.fdopen(open_log(path), "ab") as log:
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
