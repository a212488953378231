"""Programs in a terminal, as their users have them: a real pty, and the moment of each output."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

ROWS, COLUMNS = 50, 160
REPOSITORY = Path(__file__).parents[1]
PATIENCE_S = 120.0
LOOK = rb"(?:\x1b\[[0-9;]*m)*"
"""What may stand between any two characters of a text that is looked for: colours and weights."""

CANCEL_IT = "\x1b[C\x1b[C\r"
_PROGRAM = "import sys; from orchestrate_tui.__main__ import main; sys.exit(main())"
_MEGABYTE = 1024 * 1024
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Session:
    """A program, as the head of a session on a terminal of its own.

    `began` is when it was started, by time.perf_counter(). `peak_memory_mb` is known when it has
    ended.
    """

    process: subprocess.Popen[bytes]
    began: float
    descriptor: int
    peak_memory_mb: float = 0.0
    _data: bytearray = field(default_factory=bytearray)
    _ends: list[int] = field(default_factory=list)
    _moments: list[float] = field(default_factory=list)

    def type(self, keys: str) -> float:
        """Type keys; the moment at which that was done."""
        moment = time.perf_counter()
        os.write(self.descriptor, keys.encode())
        return moment

    def until(self, *texts: str, after: float = 0.0) -> float:
        """Wait until the program has written each of these texts; the moment at which it had.

        `after` is the moment from which on what is written counts.
        """
        deadline = time.perf_counter() + PATIENCE_S
        start = self.offset(after)
        while True:
            places = [self._data.find(text.encode(), start) for text in texts]
            if -1 not in places:
                return max(map(self.moment, places))
            if time.perf_counter() > deadline or self.process.poll() is not None:
                raise SystemExit(f"{self.process.args!r} did not show {texts}: {self._tail()}")
            time.sleep(0.001)

    def quiet(self, still_s: float) -> None:
        """Wait until the program has written nothing for so long from now on."""
        asked = time.perf_counter()
        while time.perf_counter() - max([asked, *self._moments[-1:]]) < still_s:
            time.sleep(still_s / 10)

    @property
    def output(self) -> bytes:
        """Everything that was written so far."""
        return bytes(self._data)

    def offset(self, moment: float) -> int:
        """How much had been written at a moment."""
        place = bisect_left(self._moments, moment)
        return self._ends[place - 1] if place else 0

    def moment(self, offset: int) -> float:
        """When the byte at an offset came."""
        return self._moments[bisect_right(self._ends, offset)]

    def cpu_s(self) -> float:
        """The processor time that the program has taken so far, all threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def _tail(self) -> str:
        return self._data[-2000:].decode(errors="replace")

    def keep_reading(self) -> None:
        """Take what the program writes, as long as it has the terminal."""
        while select.select([self.descriptor], [], []):
            try:
                data = os.read(self.descriptor, 1 << 20)
            except OSError:  # the program has ended
                return
            moment = time.perf_counter()
            self._data += data
            self._ends.append(len(self._data))
            self._moments.append(moment)


@contextmanager
def session(
    arguments: Sequence[str], *, leave_with: str, folder: Path = REPOSITORY
) -> Iterator[Session]:
    """Run `python ARGUMENTS` in a terminal; at the end it is left with those keys."""
    descriptor, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=_environment(),
        start_new_session=True,
        preexec_fn=_take_terminal,  # noqa: PLW1509  (no thread of ours holds a lock here)
    )
    os.close(theirs)
    running = Session(process, began, descriptor)
    reader = Thread(target=running.keep_reading)
    reader.start()
    try:
        yield running
        running.type(leave_with)
        running.peak_memory_mb = _peak_memory_mb(process)
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()
        reader.join()
        os.close(descriptor)


def console(database: Path, *files: Path) -> list[str]:
    """The arguments that open the console over a database, by what the installed program does."""
    return ["-c", _PROGRAM, "console", "--db", str(database), *map(str, files)]


def start_run(running: Session, stages: int) -> None:
    """Start a run of the first pipeline file, of so many stages, by keys."""
    asked = running.type("n")
    running.until(f"{stages} stages", after=asked)
    running.type("\x13")


def ask_to_quit(running: Session) -> None:
    """Have the console ask what becomes of its runs; `CANCEL_IT` is the answer that ends them."""
    asked = running.type("q")
    running.until("Still running", after=asked)
    time.sleep(0.8)  # a button takes no press in its first moments


def _peak_memory_mb(process: subprocess.Popen[bytes]) -> float:
    """Wait for the end of the process; the most memory that it ever had resident."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss * 1024 / _MEGABYTE


def _environment() -> dict[str, str]:
    """That of this process, without what would change how a program draws."""
    unwanted = ("TEXTUAL", "ORCHESTRATE_", "NO_COLOR", "SSH_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    own = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(REPOSITORY)}
    return kept | own


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
