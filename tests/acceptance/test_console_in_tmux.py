"""The console in a real terminal multiplexer, driven by keys alone, as an operator meets it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrate_tui.console.widgets.armed_button import ARMED_AFTER_S
from orchestrate_tui.domain.status import RollbackStatus, RunStatus
from orchestrate_tui.store.history import History

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
    pytest.mark.timeout(120),
]
REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
KEY_INTERVAL_S = 0.2
"""A key may move the focus, and the next one is for what has it then."""


class Tmux:
    """One window of a tmux server of its own."""

    def __init__(self, folder: Path, *words: str, columns: int = 80, rows: int = 24) -> None:
        self._folder = folder
        self._socket = str(folder / "tmux.sock")
        size = ["-x", str(columns), "-y", str(rows)]
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-s", "console", *size,
            sys.executable, "-m", "orchestrate_tui", *words,
        )  # fmt: skip

    def press(self, *keys: str) -> None:
        """Press keys one after the other, by the names that tmux has for them."""
        for key in keys:
            self._tmux("send-keys", "-t", "console", key)
            time.sleep(KEY_INTERVAL_S)

    def type(self, text: str) -> None:
        """Type a text at once."""
        self._tmux("send-keys", "-t", "console", "-l", text)

    def screen(self) -> str:
        """What stands on the screen; "" when the program has ended."""
        return self._tmux("capture-pane", "-p", "-t", "console", check=False)

    def until(self, *texts: str) -> str:
        """Wait until the screen shows all of `texts`."""
        deadline = time.monotonic() + PATIENCE_S
        screen = ""
        while time.monotonic() < deadline:
            screen = self.screen()
            if all(text in screen for text in texts):
                return screen
            time.sleep(0.05)
        raise AssertionError(f"{texts} did not appear on\n{screen}")

    def end(self) -> None:
        """End the server and what still runs in it."""
        self._tmux("kill-server", check=False)

    def _tmux(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *words],
            cwd=self._folder,
            env=environment(self._folder),
            capture_output=True,
            text=True,
            check=check,
        )
        return done.stdout


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(REPOSITORY),
        "ORCHESTRATE_DB": str(folder / "runs.db"),
        "XDG_CONFIG_HOME": str(folder),
        "TMPDIR": str(folder),
        "TERM": "xterm-256color",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def demo(folder: Path) -> Iterator[Tmux]:
    window = Tmux(folder, "demo", "--db", str(folder / "runs.db"))
    yield window
    window.end()


def test_the_demo_shows_the_rollback_and_another_is_made_by_hand(demo: Tmux, folder: Path) -> None:
    demo.until("#2", "failed", "↶ deploy", "✗ smoke-test")
    demo.press("1", "Down")
    demo.until("#1", "✓ announce")
    demo.press("R")
    demo.until("Roll back run #1", "Plan: 1 step in this order", "Reason")
    demo.press("Enter", "Enter")
    demo.type("taking it back")
    demo.until("--from announce --to deploy", "--reason 'taking")
    confirm(demo, "Enter")
    demo.until("Really roll back?")
    confirm(demo, "Right")
    demo.until("2 Stages", "↶ deploy")
    demo.until("↶ deploy", "#1")
    demo.press("q")
    demo.until("Live at the end, over HTTP: nothing is live")
    wait_for_the_end(demo)
    history = History(folder / "runs.db")
    (by_hand,) = history.rollbacks(1)
    assert (by_hand.status, by_hand.reason) == (RollbackStatus.SUCCEEDED, "taking it back")
    assert history.run(1).status is RunStatus.SUCCEEDED


STUCK = """\
name: stuck
agents:
  worker: {shell: "true"}
  undoer: {shell: 'test -e fixed && echo $ORCHESTRATE_TASK >>undone'}
stages:
  - name: deploy
    agent: worker
    task: Deploy
    components: [api, web]
    rollback: {agent: undoer, task: "back ${component}"}
"""


@pytest.fixture
def stuck(folder: Path) -> Iterator[Tmux]:
    """A console at 80x24 on a run whose undo fails until there is a file `fixed`."""
    (folder / "stuck.yaml").write_text(STUCK)
    run = [sys.executable, "-m", "orchestrate_tui", "run", "stuck.yaml"]
    subprocess.run(run, cwd=folder, env=environment(folder), check=True)
    window = Tmux(folder)
    yield window
    window.end()


def test_an_undo_that_fails_is_handled_with_keys_alone(stuck: Tmux, folder: Path) -> None:
    stuck.until("#1", "✓ deploy")
    stuck.press("R")
    stuck.until("Roll back run #1", "Plan: 2 steps")
    stuck.press("Enter", "Enter", "Space")
    stuck.until("Plan: 1 step", "--component web", "1. deploy[web]")
    stuck.press("Enter")
    stuck.type("white pages")
    stuck.until("--reason 'white pages'")
    confirm(stuck, "Enter")
    stuck.until("Really roll back?")
    confirm(stuck, "Right")
    stuck.until("[D: decide]  Rollback 1 of run #1 waits: the undo of deploy[web] failed")
    decide(stuck, "busy")
    stuck.until("[D: decide]", "attempt 2")
    (folder / "fixed").touch()
    decide(stuck, "freed it")
    stuck.until("deploy → deploy (only web) manual succeeded")
    assert (folder / "undone").read_text() == "back web\n"


def decide(window: Tmux, reason: str) -> None:
    """Have the step that failed tried again."""
    window.press("D")
    window.until("undoer: back web", "Enter next")
    window.press("Enter")
    window.type(reason)
    window.until(f"Reason          {reason}")
    confirm(window, "Enter")


def confirm(window: Tmux, *keys: str) -> None:
    """Press `keys` and Enter, after the time in which a confirmation takes no key."""
    time.sleep(ARMED_AFTER_S + 0.5)
    window.press(*keys, "Enter")


def wait_for_the_end(window: Tmux) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while window.screen() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not window.screen()


PIPELINE = """\
name: web
agents:
  worker: {shell: 'echo working; read go <gate'}
stages:
  - {name: deploy, agent: worker, task: Deploy}
"""


@pytest.fixture
def running(folder: Path) -> Iterator[Tmux]:
    """A console at 80x24 whose only run holds until somebody writes to `gate`."""
    (folder / "web.yaml").write_text(PIPELINE)
    os.mkfifo(folder / "gate")
    window = Tmux(folder, "web.yaml")
    window.until("No runs yet")
    window.press("n")
    window.until("New run", "web: 1 stage")
    window.press("C-s")
    window.until("#1", "working")
    yield window
    window.end()


def let_go(folder: Path) -> None:
    (folder / "gate").write_text("go\n")


def wait_for_success(folder: Path) -> None:
    history = History(folder / "runs.db")
    deadline = time.monotonic() + PATIENCE_S
    while history.run(1).status is RunStatus.RUNNING and time.monotonic() < deadline:
        time.sleep(0.05)
    assert history.run(1).status is RunStatus.SUCCEEDED


def test_a_lost_terminal_leaves_the_run_running(running: Tmux, folder: Path) -> None:
    running.end()
    assert History(folder / "runs.db").run(1).status is RunStatus.RUNNING
    let_go(folder)
    wait_for_success(folder)


def test_quitting_can_leave_the_run_running(running: Tmux, folder: Path) -> None:
    running.press("q")
    running.until("Stay", "Leave")
    running.press("Right", "Enter")
    running.until("goes on without the console", "Stop it with: orchestrate-tui cancel 1")
    let_go(folder)
    wait_for_the_end(running)
    wait_for_success(folder)


@pytest.mark.usefixtures("running")
def test_a_second_console_only_watches(folder: Path) -> None:
    (folder / "second").mkdir()
    watcher = Tmux(folder / "second", "--read-only", "--db", str(folder / "runs.db"))
    watcher.until("#1", "working")
    watcher.press("c", "n", "R", "q")
    wait_for_the_end(watcher)
    let_go(folder)
    wait_for_success(folder)
