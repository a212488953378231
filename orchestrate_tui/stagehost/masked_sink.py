"""What a stage writes to when something is secret: a process of its own that masks its log.

Needs nothing but the standard library, so that whatever starts stages can use it.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from orchestrate_tui.stagehost.masking_process import CONTROL, FORMS, LOG, SOURCE

_ROOT = Path(__file__).parents[2]
_MAIN = (
    f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
    "from orchestrate_tui.stagehost.masking_process import main; main()"
)
_PIPE_BYTES = 1024 * 1024


class MaskedSink:
    """A running process that brings to a log what is written to `input`, masked.

    It outlives who started it, as the stage does, and ends when nobody can write to it any more.
    It never sees the environment, and its arguments name no secret: `forms`, as
    `masking.encode_forms` has them, reach it in a file that exists in memory alone. What comes into
    the `files` of secrets while the stage writes is masked as well.

    `input` is for the stage; who starts that closes it afterwards, with `close_input`. When the
    head of the stage has ended, `finish` says so; `control` can be read from, and is at its end,
    once everything that it wrote is in the log.
    """

    def __init__(self, log: int, forms: bytes, files: Sequence[str] = ()) -> None:
        """Start the process; the descriptor `log` stays the caller's. Raises OSError."""
        self._control, its_control = socket.socketpair()
        source, self.input = os.pipe2(os.O_CLOEXEC)
        content = os.memfd_create("forms", os.MFD_CLOEXEC)
        try:
            with suppress(OSError):  # too much for this user: a smaller pipe will do
                fcntl.fcntl(source, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            _write_all(content, forms)
            given = {SOURCE: source, LOG: log, CONTROL: its_control.fileno(), FORMS: content}
            self.pid = _start(given, files)
        except BaseException:
            self.close_input()
            self.close()
            raise
        finally:
            os.close(source)
            os.close(content)
            its_control.close()

    @property
    def control(self) -> int:
        """The descriptor to wait for; see above."""
        return self._control.fileno()

    def close_input(self) -> None:
        """Leave the writing to the stage."""
        os.close(self.input)

    def finish(self) -> None:
        """Have what was written so far brought to the log; a second call does nothing."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Wait for nothing any more; the process goes on by itself."""
        self._control.close()


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
    os.lseek(descriptor, 0, os.SEEK_SET)


def _start(descriptors: dict[int, int], files: Sequence[str]) -> int:
    """Start the script with its descriptors, in ascending order: none is overwritten unused."""
    return os.posix_spawn(
        sys.executable,
        (sys.executable, "-I", "-S", "-c", _MAIN, *files),
        {},
        file_actions=[(os.POSIX_SPAWN_DUP2, given, its) for its, given in descriptors.items()],
        setsid=True,
    )
