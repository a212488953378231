"""What a stage host did, on disk: a start is written before it, an end as soon as it is seen.

A line that a killed host wrote survives it; after a crash of the system a missing line means
nothing, which is why the journal names the boot it was written in.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import suppress

from orchestrate_tui.stagehost.boot import boot_id
from orchestrate_tui.stagehost.files import JOURNAL
from orchestrate_tui.stagehost.wire import Message, encode


class Journal:
    """The journal that a host writes."""

    def __init__(self, folder: str) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(os.path.join(folder, JOURNAL), flags, 0o600)
        self._is_cut_off = True  # by a host before this one, perhaps
        self._first = encode({"boot": boot_id()})
        with suppress(OSError):  # where there is no room yet it stands before the first start
            self._append(b"")

    def starts(self, key: str) -> None:
        """Note that a program is about to be started. Raises OSError when that cannot be kept."""
        self._write({"starts": key})

    def did_not_start(self, key: str) -> None:
        """Note that it could not be started."""
        self._try_to_write({"refused": key})

    def ended(
        self,
        key: str,
        code: int,
        *,
        timed_out: bool,
        stopped: bool,
        kept: Sequence[tuple[int, str]] = (),
    ) -> None:
        """Note how it ended, and the services that it left; see Tree.kept.

        On a full disk nobody but the executor knows it.
        """
        line = {"ended": key, "code": code, "timed_out": timed_out, "stopped": stopped}
        self._try_to_write({**line, "kept": kept} if kept else line)

    def _try_to_write(self, line: Message) -> None:
        try:
            self._write(line)
        except OSError:
            return

    def _write(self, line: Message) -> None:
        self._append(encode(line))

    def _append(self, line: bytes) -> None:
        content = self._first + line
        if self._is_cut_off:
            content = b"\n" + content
        self._is_cut_off = os.write(self._descriptor, content) < len(content)
        if self._is_cut_off:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._first = b""
