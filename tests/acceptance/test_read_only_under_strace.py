"""What a read-only console asks the kernel for while somebody types and clicks everything."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import string
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.acceptance.desk import Desk
from tests.console.terminal import COLUMNS, ROWS, Terminal


def can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], check=False).returncode == 0


pytestmark = [
    pytest.mark.skipif(not can_trace(), reason="strace is not installed, or may not trace"),
    pytest.mark.timeout(240),
]

LETTERS = [letter for letter in string.printable[:95] if letter != "q"]
CONTROLS = [chr(code) for code in range(1, 27) if code not in {3, 17}]  # ctrl+c and ctrl+q quit
FUNCTION_KEYS = ["\x1bOP", "\x1bOQ", "\x1bOR", "\x1bOS", *(f"\x1b[{n}~" for n in range(1, 35))]
ARROWS = [f"\x1b[{shift}{arrow}" for shift in ("", "1;2", "1;5") for arrow in "ABCDHF"]
KITTY = ["\x1b[99;9u", "\x1b[122;5u", "\x1b[118;9u"]  # super+c, ctrl+z, super+v
ESCAPE, CTRL_C = "\x1b[27u", "\x1b[99;5u"
PASTE = ["\x1b[200~touch /tmp/x; R\r\x1b[201~"]
CLICKS = [
    f"\x1b[<{button};{x};{y}M\x1b[<{button};{x};{y}m"
    for button in (0, 1, 2, 64)
    for x in range(1, COLUMNS, 13)
    for y in range(1, ROWS + 1, 4)
]
DRAG = ["\x1b[<0;3;4M\x1b[<32;60;20M\x1b[<0;60;20m"]
EVERYTHING = [*LETTERS, *CONTROLS, *FUNCTION_KEYS, *ARROWS, *KITTY, *PASTE, *CLICKS, *DRAG]

CALL = re.compile(r"^\d+ +(\w+)\((.*)$")
BEGUN = re.compile(r"^(?P<call>(?P<thread>\d+) .*) <unfinished \.\.\.>$")
ENDED = re.compile(r"^(?P<thread>\d+) +<\.\.\. \w+ resumed>(?P<end>.*)$")
CHANGES = re.compile(
    r"(unlink|rename|mkdir|rmdir|link|symlink|mknod|[fl]?chmod|[fl]?chown|f?truncate|utimes?|utimens"
    r"|futimesat|fallocate|[fl]?setxattr|[fl]?removexattr|mount|pivot_root|copy_file_range|sendfile|splice|bpf|ptrace|kill|tkill"
    r"|tgkill|fork|vfork|socket|connect|bind|listen|accept|setuid|setgid|creat)(at|at2|64|4|2)?"
)
OPEN_FOR_WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")
WHERE_IT_MAY_WRITE = re.compile(r"</dev/(pts/\d+|tty|null)>|<socket:|<pipe:|<anon_inode:")
HARMLESS_FAILURE = re.compile(r"= -1 E(ACCES|PERM|ROFS|NOENT|NXIO)")


def whole_calls(trace: str) -> Iterator[str]:
    """The lines of a trace, each call that another thread's cut in two put together again."""
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        if cut := BEGUN.match(line):
            begun[cut["thread"]] = cut["call"]
        elif (rest := ENDED.match(line)) and rest["thread"] in begun:
            yield begun.pop(rest["thread"]) + rest["end"]
        else:
            yield line
    yield from begun.values()


def offences(trace: str) -> list[str]:
    """The calls that write, start or change anything, or even try to open something for that.

    SQLite tries that with its log whatever it is told, and is refused.
    """
    calls = [line for line in whole_calls(trace) if CALL.match(line)]
    programs = [line for line in calls if re.match(r"\d+ +execve", line)]
    return [*programs[1:], *filter(_is_offence, calls)]


def _is_offence(line: str) -> bool:
    match = CALL.match(line)
    assert match is not None
    name, rest = match.groups()
    is_refused = bool(HARMLESS_FAILURE.search(rest))
    if name in {"open", "openat", "openat2"}:
        is_allowed = "/dev/" in rest or (is_refused and '-wal"' in rest)
        return bool(OPEN_FOR_WRITING.search(rest)) and not is_allowed
    if is_refused:
        return False
    if name in {"write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg"}:
        return not WHERE_IT_MAY_WRITE.search(rest.partition(",")[0])
    if name == "mmap":
        return all(word in rest for word in ("PROT_WRITE", "MAP_SHARED", "</"))
    if name in {"clone", "clone3"}:
        return "CLONE_THREAD" not in rest
    return bool(CHANGES.fullmatch(name))


class Traced(Terminal):
    """A console under strace, on a terminal of its own."""

    def __init__(self, desk: Desk, *words: str) -> None:
        self._trace = desk.folder.parent / "trace"
        options = ["-f", "-y", "-qq", "-s", "0", "-o", str(self._trace)]
        console = [sys.executable, "-B", "-m", "orchestrate_tui", *words]
        super().__init__([*options, *console], desk.folder, program="strace", **desk.environment)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.type(key)
            self.read(0.01)

    def leave(self) -> int:
        """Go back and out, from wherever the keys have led."""
        while self.process.poll() is None:
            self.press(ESCAPE, CTRL_C)
            self.read(0.3)
        return self.process.wait()

    def offences(self) -> list[str]:
        return offences(self._trace.read_text())


@pytest.fixture
def at_rest(desk: Desk) -> Desk:
    """Nobody has the database open."""
    desk.pipeline("- {name: build, agent: fine, task: Build}\n")
    assert desk.do("run", "shop.yaml").code == 0
    with closing(sqlite3.connect(desk.database)) as last:
        last.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not desk.database.with_name("store.db-wal").exists()
    return desk


@pytest.fixture
def live(desk: Desk) -> Iterator[Desk]:
    """Another process runs a pipeline."""
    desk.pipeline("- {name: build, agent: hold, task: Build}\n")
    job = desk.start("run", "shop.yaml")
    desk.ready.stage()
    yield desk
    desk.gate.open()
    assert job.end().code == 0


@pytest.fixture
def left(desk: Desk) -> Desk:
    """The process that wrote was killed, and what it wrote is not in the database yet."""
    desk.pipeline("- {name: build, agent: hold, task: Build}\n")
    job = desk.start("run", "shop.yaml")
    _, pid = desk.ready.stage()
    job.signal(signal.SIGKILL)
    job.end()
    os.kill(pid, signal.SIGKILL)
    assert desk.database.with_name("store.db-wal").stat().st_size
    return desk


def test_a_call_cut_in_two_by_another_thread_is_judged_by_its_result() -> None:
    refused = """\
7  openat(AT_FDCWD</srv>, "/srv/store.db-wal", O_RDWR|O_CREAT <unfinished ...>
8  read(3</dev/tty>, ""..., 1) = 1
7  <... openat resumed>) = -1 EACCES (Permission denied)
"""
    assert offences(refused) == []
    opened = refused.replace("-1 EACCES (Permission denied)", "4</srv/store.db-wal>")
    assert len(offences(opened)) == 1
    never_ended = refused.rpartition("7  <...")[0]
    assert len(offences(never_ended)) == 1


def test_no_key_and_no_click_writes_opens_or_starts_anything(live: Desk) -> None:
    with Traced(live, "--read-only") as console:
        console.until("build")
        console.press(*EVERYTHING)
        assert console.leave() == 0, console.text
        assert console.offences() == []


def files(desk: Desk) -> dict[str, tuple[int, int]]:
    """The files of the database, their sizes and when they changed."""
    found = ((path.name, path.stat()) for path in desk.database.parent.glob("store.db*"))
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in found}


@pytest.mark.parametrize("state", ["at_rest", "left"])
def test_looking_leaves_a_database_as_it_is(state: str, request: pytest.FixtureRequest) -> None:
    desk: Desk = request.getfixturevalue(state)
    before = files(desk)
    with Traced(desk, "--read-only") as console:
        console.until("build")
        console.press("1", "\r", "4", "\r", "q", "L", "/")
        assert console.leave() == 0
        assert console.offences() == []
    assert files(desk) == before


def test_the_same_look_at_an_operators_console_finds_that_it_writes(at_rest: Desk) -> None:
    with Traced(at_rest) as console:
        console.until("build")
        console.press("1", "\r", "L")
        assert console.leave() == 0
        assert any("store.db" in call for call in console.offences())
