"""What a process can still do once it has confined itself, and what a hostile environment can."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.desk import REPOSITORY, Desk
from tests.console.terminal import Terminal

SETUP = """\
import asyncio, os, pathlib, pty, signal, socket, sqlite3, subprocess, sys, threading
from orchestrate_tui.cli.confinement import confine
from orchestrate_tui.cli.landlock import give_up_changing_anything
from orchestrate_tui.cli.seccomp import give_up_calls
from orchestrate_tui.store.reading import connect
if sys.argv[1] == "confined":
    confine()
elif sys.argv[1] == "landlocked":
    give_up_changing_anything() or sys.exit("no Landlock")
elif sys.argv[1] == "filtered":
    give_up_calls() or sys.exit("no filter")
try:
    {attempt}
except (OSError, sqlite3.OperationalError) as error:
    print("refused:", error)
else:
    print("done")
"""
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)"
ATTEMPTS = {
    "write a file": "open('new', 'w')",
    "append to a file": "open('old', 'a')",
    "change a file": "open('old', 'r+b')",
    "write through the system": "os.open('new', os.O_WRONLY | os.O_CREAT)",
    "write by pathlib": "pathlib.Path('new').write_text('')",
    "make a database": "sqlite3.connect('new')",
    "change a database": "sqlite3.connect('file:old?mode=rw', uri=True).execute('VACUUM')",
    "make a folder": "os.mkdir('new')",
    "remove": "os.remove('old')",
    "rename": "os.rename('old', 'new')",
    "replace": "os.replace('old', 'new')",
    "link": "os.link('old', 'new')",
    "link by name": "os.symlink('old', 'new')",
    "make a pipe": "os.mkfifo('new')",
    "change the mode": "os.chmod('old', 0o777)",
    "change the mode of what is open": "os.fchmod(os.open('old', os.O_RDONLY), 0o777)",
    "give away": "os.chown('old', os.getuid(), os.getgid())",
    "give away what is open": "os.fchown(os.open('old', os.O_RDONLY), os.getuid(), os.getgid())",
    "mark": "os.setxattr('old', 'user.x', b'x')",
    "cut": "os.truncate('old', 0)",
    "touch": "os.utime('old')",
    "run a program": "subprocess.run(['true'])",
    "run a shell": "os.system('true')",
    "become a program": "os.execv('/bin/echo', ['echo', 'done'])",
    "spawn": "os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)",
    "fork": "os.fork() or os._exit(0)",
    "open a terminal": "pty.spawn(['true'])",
    "signal": "os.kill(os.getppid(), signal.SIGCONT)",
    "connect": "socket.socket().connect(('127.0.0.1', server))",
    "listen": "socket.socket().bind(('127.0.0.1', 0))",
}
NOT_OF_LANDLOCK = {
    *("change the mode", "change the mode of what is open", "give away", "give away what is open"),
    *("fork", "touch", "mark", "run a shell", "open a terminal", "listen"),
}
"""Attributes and processes; it sees connections only from Linux 6.7 on, and signals from 6.12."""

NOT_OF_THE_FILTER = {
    *("write a file", "append to a file", "change a file", "write through the system"),
    *("write by pathlib", "make a database", "change a database"),
    *("connect", "run a shell"),
}
"""How a file is opened is not its business, nor who is talked to on this machine; a shell that
cannot be started is told by a code."""

HARMLESS = {
    "read a file": "open('old').read()",
    "read a database": "sqlite3.connect('file:old?mode=ro', uri=True)",
    "sort more than SQLite keeps in memory": "connect(pathlib.Path('old'), 'mode=ro').execute("
    f"'{NUMBERS} SELECT hex(randomblob(200)) AS text FROM n ORDER BY text').fetchall()",
    "write to nowhere": "open(os.devnull, 'w').write('')",
    "write to an open stream": "open(1, 'w', closefd=False).write('')",
    "run an event loop": "asyncio.run(asyncio.sleep(0))",
    "run a thread": "thread = threading.Thread(target=dict); thread.start(); thread.join()",
    "signal itself": "os.kill(os.getpid(), signal.SIGCONT)",
    "import": "import wave",
}


def attempt(folder: Path, code: str, how: str) -> str:
    (folder / "old").touch()
    listen = "listener = socket.socket(); listener.bind(('127.0.0.1', 0)); listener.listen(); "
    setup = SETUP.format(attempt=code.replace("server", "listener.getsockname()[1]"))
    setup = setup.replace("if sys", f"{listen if 'server' in code else ''}pass\nif sys", 1)
    done = subprocess.run(
        [sys.executable, "-c", setup, how],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_confined_process_cannot(tmp_path: Path, name: str) -> None:
    assert "done" in attempt(tmp_path, ATTEMPTS[name], "free")
    for path in tmp_path.iterdir():
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    assert "refused" in attempt(tmp_path, ATTEMPTS[name], "confined")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


KERNEL = [
    *(("landlocked", name) for name in sorted(ATTEMPTS.keys() - NOT_OF_LANDLOCK)),
    *(("filtered", name) for name in sorted(ATTEMPTS.keys() - NOT_OF_THE_FILTER)),
]


@pytest.mark.parametrize(("how", "name"), KERNEL)
def test_the_kernel_alone_refuses_to(tmp_path: Path, how: str, name: str) -> None:
    report = attempt(tmp_path, ATTEMPTS[name], how)
    if "no Landlock" in report or "no filter" in report:
        pytest.skip("this kernel cannot")
    assert "refused" in report
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("name", HARMLESS)
def test_a_confined_process_can(tmp_path: Path, name: str) -> None:
    assert attempt(tmp_path, HARMLESS[name], "confined") == "done\n"


def test_of_the_environment_only_what_is_named_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    left = attempt(tmp_path, "print(sorted(os.environ))", "confined")
    assert "PYTHONPATH" not in left
    assert "PATH" not in left
    assert "SSLKEYLOGFILE" not in left
    assert "HOME" in left


TRAP = """\
from pathlib import Path
Path(__file__).with_name("sprung").touch()
from textual.drivers.linux_driver import LinuxDriver
class Trap(LinuxDriver): pass
"""


@pytest.fixture
def hostile(desk: Desk) -> dict[str, str]:
    """Variables by which Textual would import, log, draw elsewhere or type by itself."""
    desk.write("trap.py", TRAP)
    return {
        "PYTHONPATH": f"{REPOSITORY}:{desk.folder}",
        "TEXTUAL": "devtools,debug,headless",
        "TEXTUAL_COLOR_SYSTEM": "none of these",
        "TEXTUAL_DEBUG": "1",
        "TEXTUAL_DRIVER": "trap:Trap",
        "TEXTUAL_FILTERS": "dim",
        "TEXTUAL_LOG": str(desk.folder / "textual.log"),
        "TEXTUAL_PRESS": "q",
        "TEXTUAL_SCREENSHOT": "0",
        "TEXTUAL_SCREENSHOT_FILENAME": "picture.svg",
        "TEXTUAL_SCREENSHOT_LOCATION": str(desk.folder),
        "TEXTUAL_SHOW_RETURN": "1",
    }


@pytest.mark.parametrize("option", [[], ["--read-only"]], ids=["operator", "viewer"])
def test_textual_takes_no_orders_from_the_environment(
    desk: Desk, hostile: dict[str, str], option: list[str]
) -> None:
    desk.pipeline("- {name: build, agent: fine, task: Build}\n")
    assert desk.do("run", "shop.yaml").code == 0
    before = sorted(path.name for path in desk.folder.iterdir())
    words = ["-B", "-m", "orchestrate_tui", *option]
    with Terminal(words, desk.folder, **(desk.environment | hostile)) as console:
        console.until("✓ build")
        console.type("q")
        assert console.ends() == 0
    assert sorted(path.name for path in desk.folder.iterdir()) == before


@pytest.mark.parametrize("kind", ["dumb", "unknown", ""])
@pytest.mark.parametrize("option", [[], ["--read-only"]], ids=["operator", "viewer"])
def test_a_terminal_that_only_prints_is_refused_in_a_sentence(
    desk: Desk, option: list[str], kind: str
) -> None:
    terminal = desk.terminal(*option, TERM=kind)
    assert terminal.end() == 2
    assert f"The console cannot be shown on a terminal of type '{kind}'" in terminal.text
    assert "Set TERM" in terminal.text
    assert "\x1b" not in terminal.text


def test_a_viewer_finds_no_interactive_interpreter_at_the_end(desk: Desk) -> None:
    terminal = desk.terminal("--read-only", PYTHONINSPECT="1")
    assert terminal.end() == 2
    assert ">>>" not in terminal.text


def test_a_viewer_keeps_no_bytecode_of_what_is_loaded(tmp_path: Path) -> None:
    script = "import sys; from orchestrate_tui.__main__ import main; sys.exit(main())"
    given = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONPYCACHEPREFIX": str(tmp_path)}
    given.pop("PYTHONDONTWRITEBYTECODE", None)
    words = [sys.executable, "-c", script, "--read-only"]
    done = subprocess.run(words, env=given, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 2
    kept = {path.name.partition(".")[0] for path in tmp_path.rglob("orchestrate_tui/**/*.pyc")}
    assert kept <= {"__init__", "__main__", "collection"}


def test_a_viewer_cannot_publish(desk: Desk) -> None:
    terminal = desk.terminal("--read-only", "--publish", "copy")
    assert terminal.end() == 2
    assert "A console that only watches publishes nothing" in terminal.text
    assert not (desk.folder / "copy").exists()
