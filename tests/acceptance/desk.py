"""An operator at a shell: real processes, real terminals, and events to wait for."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import pwd
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"
PATIENCE_S = 60.0
"""How long a test waits for an event that does not come."""

CTRL_C = "\x03"

AGENTS = """
agents:
  fine: {shell: "true"}
  broken: {shell: exit 7}
  note: {shell: 'echo "$ORCHESTRATE_STAGE" >>notes'}
  undo: {shell: 'echo "$ORCHESTRATE_STAGE" >>undone'}
  hold: {shell: 'echo "$ORCHESTRATE_STAGE $$" >ready; read go <gate'}
  forever: {shell: 'echo "$ORCHESTRATE_STAGE $$" >ready; exec tail -f /dev/null'}
"""
"""`hold` says that it runs and goes on when the gate is opened; `forever` never ends by itself."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


class Pipe:
    """A named pipe between stages and the test; neither end ever blocks in opening it."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._end = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._heard = b""

    def line(self) -> str:
        """The next line that a stage writes."""
        while b"\n" not in self._heard:
            self._heard += _read(self._end)
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode()

    def stage(self) -> tuple[str, int]:
        """The next stage that says that it runs, and its process."""
        name, _, pid = self.line().rpartition(" ")
        return name, int(pid)

    def open(self, times: int = 1) -> None:
        """Let as many held stages go on."""
        os.write(self._end, b"go\n" * times)

    def close(self) -> None:
        os.close(self._end)


class Job:
    """A command that runs, its output and errors in pipes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def out_line(self) -> str:
        return _line(self.process.stdout)

    def err_line(self) -> str:
        return _line(self.process.stderr)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> Result:
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return Result(self.process.returncode, out, err)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master: int | None = master
        self._heard = ""
        self.text = ""

    def until(self, words: str) -> str:
        """What was shown since the last time, up to `words`."""
        while words not in self._heard:
            new = self._read()
            assert new, f"ended without {words!r} after {self._heard!r}"
        before, _, self._heard = self._heard.partition(words)
        return before + words

    def type(self, text: str) -> None:
        assert self._master is not None
        os.write(self._master, text.encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        return self.process.wait(PATIENCE_S)

    def hang_up(self) -> None:
        """Take the terminal away."""
        if self._master is not None:
            os.close(self._master)
            self._master = None

    def close(self) -> None:
        self.hang_up()
        self.process.kill()
        self.process.wait()

    def _read(self) -> str:
        assert self._master is not None
        try:
            new = _read(self._master).decode(errors="replace").replace("\r\n", "\n")
        except OSError:  # nobody has the other end any more
            return ""
        self._heard += new
        self.text += new
        return new


T = TypeVar("T", bound=Job | Terminal)


class Desk:
    """One user with folders of their own, and the commands that they type."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "work"
        self.folder.mkdir()
        self.database = home / "state" / "store.db"
        self.config = home / "config" / "orchestrate-tui"
        self.config.mkdir(parents=True)
        self.ready, self.gate = Pipe(self.folder / "ready"), Pipe(self.folder / "gate")
        self.environment = {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "ORCHESTRATE_DB": str(self.database),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "TERM": "xterm",
            "TMPDIR": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_STATE_HOME": str(home / "state"),
        }
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self._open: list[Job | Terminal] = []

    def do(self, *words: object, **environment: str) -> Result:
        """Type a command without a terminal, and wait for its end."""
        process = subprocess.run(
            _command(words),
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=PATIENCE_S,
            check=False,
        )
        return Result(process.returncode, process.stdout, process.stderr)

    def json(self, *words: object) -> Any:
        """What a command that must succeed prints as JSON."""
        result = self.do(*words, "--json")
        assert (result.code, result.err) == (0, "")
        return result.json()

    def start(self, *words: object, **environment: str) -> Job:
        """Type a command without a terminal, and let it run."""
        process = subprocess.Popen(
            _command(words),
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self._opened(Job(process))

    def terminal(self, *words: object, **environment: str) -> Terminal:
        """Type a command on a new terminal."""
        master, slave = pty.openpty()
        process = subprocess.Popen(
            _command(words),
            cwd=self.folder,
            env=self.environment | environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509  (no thread is ours)
        )
        os.close(slave)
        return self._opened(Terminal(process, master))

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def pipeline(self, stages: str, *, agents: str = "") -> str:
        """A file with the agents above, others, and these stages; its name."""
        self.write("shop.yaml", f"name: shop\n{AGENTS}{agents}stages:\n{stages}")
        return "shop.yaml"

    def notes(self, name: str = "notes") -> list[str]:
        """What the stages have noted."""
        path = self.folder / name
        return path.read_text().split() if path.exists() else []

    def stages(self, run_id: int = 1) -> dict[str, str]:
        """The status of every stage of a run."""
        stages = self.json("show", run_id)["stages"]
        return {stage["stage_name"]: stage["status"] for stage in stages}

    def processes(self) -> list[int]:
        """What was started from this desk and still runs."""
        mark = f"XDG_STATE_HOME={self.environment['XDG_STATE_HOME']}\0".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                environment = (folder / "environ").read_bytes()
            except OSError:  # ended meanwhile
                continue
            if mark in environment and runs(int(folder.name)):
                found.append(int(folder.name))
        return found

    def wait_for_owners(self) -> None:
        """Wait until no process works on this database any more."""
        for path in self.database.with_name("store.db.owners").glob("*.lock"):
            with path.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH)

    def close(self) -> None:
        for opened in self._open:
            opened.close()
        for pid in self.processes():  # stages survive who was closed
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.ready.close()
        self.gate.close()

    def _opened(self, opened: T) -> T:
        self._open.append(opened)
        return opened


def wait_for_end(pid: int) -> None:
    """Wait until a process that is nobody's child here has ended."""
    try:
        end = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ready, _, _ = select.select([end], [], [], PATIENCE_S)
    os.close(end)
    assert ready, f"process {pid} still runs"


def runs(pid: int) -> bool:
    """Whether the process is there, and more than a remainder to be reaped."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def _command(words: Sequence[object]) -> list[str]:
    return [sys.executable, "-m", "orchestrate_tui", *map(str, words)]


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read(descriptor: int) -> bytes:
    ready, _, _ = select.select([descriptor], [], [], PATIENCE_S)
    assert ready, "nothing came in time"
    return os.read(descriptor, 4096)


def _line(stream: Any) -> str:
    line: str = stream.readline()
    assert line, "ended without another line"
    return line.rstrip("\n")
