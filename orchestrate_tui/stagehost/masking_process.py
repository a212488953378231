"""The process that stands between a stage and its log where something is secret.

It ignores what ends an executor, and lives as long as anybody can write to it; see `masked_sink`.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Iterable

from orchestrate_tui.stagehost.masking import MaskedStream, Masker, decode_forms
from orchestrate_tui.stagehost.secret_files import SecretFiles

SOURCE, LOG, CONTROL, FORMS = range(4)
"""The descriptors that the process is started with: what the stage writes, the log, a socket
whose other side says when the stage has ended, and a file with the forms."""

_LARGEST_READ = 1024 * 1024
_IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)


def main() -> None:
    """Copy from the stage to its log until nobody can write any more.

    When the stage has ended, what it wrote is brought to the log and the socket is closed; what
    the stage left running may write for longer.
    """
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    with open(FORMS, "rb") as source:
        log = _Log(decode_forms(source.read()), sys.argv[1:])
    poll = select.poll()
    poll.register(SOURCE, select.POLLIN)
    poll.register(CONTROL, select.POLLIN)
    while True:
        ready = dict(poll.poll())
        if CONTROL in ready:
            poll.unregister(CONTROL)
            while _holds_something(SOURCE) and log.copy():
                pass
            log.finish()
            os.close(CONTROL)
        elif not log.copy():
            return


def _holds_something(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


class _Log:
    """The log of a stage; what finds no room on the disk is lost, and the stage goes on."""

    def __init__(self, forms: Iterable[bytes], files: Iterable[str]) -> None:
        self._stream = MaskedStream(Masker(forms))
        self._files = SecretFiles(files)
        self._lost_bytes = 0

    def copy(self) -> bool:
        """Bring what is there, or comes next, to the log; False at the end of it all."""
        chunk = os.read(SOURCE, _LARGEST_READ)
        self._look_again()
        if chunk:
            self._write(self._stream.feed(chunk))
        else:
            self.finish()
        return bool(chunk)

    def finish(self) -> None:
        """Bring there what waits for more."""
        self._write(self._stream.finish())

    def _look_again(self) -> None:
        """Learn what came into the files of secrets before what was read here was written."""
        known = self._stream.masker
        found = self._files.changed().values()
        if new := [value for value in found if value not in known.forms]:
            from orchestrate_tui.stagehost.secret_forms import forms_of  # noqa: PLC0415  (seldom)

            self._stream.masker = Masker((*known.forms, *forms_of(new)))

    def _write(self, content: bytes) -> None:
        if content and self._lost_bytes:
            lost = b"\norchestrate-tui: %d bytes of output were lost\n" % self._lost_bytes
            self._lost_bytes = 0 if self._put(lost) == 0 else self._lost_bytes
        self._lost_bytes += self._put(content)

    def _put(self, content: bytes) -> int:
        """Write `content`; how many bytes of it could not be written."""
        while content:
            try:
                content = content[os.write(LOG, content) :]
            except OSError:
                break
        return len(content)
