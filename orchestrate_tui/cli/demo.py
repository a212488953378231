"""The demonstration: a real deployment on this machine, a broken release, a real rollback."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import urllib.request
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

from orchestrate_tui.cli.console import console_over
from orchestrate_tui.cli.follow import Follower
from orchestrate_tui.cli.interrupts import Interrupts, undisturbed
from orchestrate_tui.cli.places import example
from orchestrate_tui.cli.terminal import has_screen, say
from orchestrate_tui.console.opening import opened
from orchestrate_tui.domain.run import Run, TriggerContext
from orchestrate_tui.domain.status import RollbackStatus, RunStatus
from orchestrate_tui.errors import OrchestrateError
from orchestrate_tui.executor.control import BegunRun, Control
from orchestrate_tui.spec import load_pipeline
from orchestrate_tui.spec.loaded import LoadedPipeline
from orchestrate_tui.store.database import open_database
from orchestrate_tui.store.history import History

GOOD_VERSION, BROKEN_VERSION = "1", "2-broken"


def demonstrate(arguments: Namespace) -> int:
    """Deploy release 1, see release 2 fail and be rolled back, and prove it over HTTP.

    On a terminal the console opens on it; elsewhere what happens is printed. The web service
    and its files are gone at the end, and after Ctrl-C too.
    """
    loaded = load_pipeline(example("demo/pipeline.yaml"))
    with (
        undisturbed() as interrupts,
        _place(arguments.db) as (root, path),
        open_database(path) as database,
        Control(database) as control,
    ):
        demo = _Demo(loaded, root, control, History(path), interrupts)
        if arguments.headless or not has_screen():
            return demo.run_headless()
        return demo.run_in_console()


class _Demo:
    """Two deployments below one folder, and the question what is live afterwards."""

    def __init__(
        self,
        loaded: LoadedPipeline,
        root: Path,
        control: Control,
        history: History,
        interrupts: Interrupts,
    ) -> None:
        self._loaded = loaded
        self._root = root
        self._control = control
        self._history = history
        self._interrupts = interrupts
        self._first_run = 0

    def run_headless(self) -> int:
        """Print both deployments as they go, and what is live after each."""
        say("Release 1 goes live:")
        first = self._deploy_first()
        say(f"  over HTTP: {self._answer()}")
        say("Release 2 is broken; its smoke test fails, and the rollback puts release 1 back:")
        second = self._deploy(BROKEN_VERSION)
        answer = self._answer()
        say(f"  over HTTP: {answer}")
        if self._interrupts.take():
            raise KeyboardInterrupt
        return 0 if self._went_as_told(first, second, answer) else 1

    def run_in_console(self) -> int:
        """Deploy release 1, then open the console while release 2 is being deployed."""
        say("Deploying release 1 ...")
        self._deploy_first()
        second = self._begin(BROKEN_VERSION).run_id.result()
        path = self._history.files.database
        code = console_over(path, opened(self._control), run_id=second)
        say(f"Live at the end, over HTTP: {self._answer()}")
        return code

    def _deploy_first(self) -> Run:
        run = self._deploy(GOOD_VERSION)
        self._first_run = run.id
        return run

    def _begin(self, version: str) -> BegunRun:
        variables = (("version", version), ("root", str(self._root)))
        trigger = TriggerContext(event="demo", variables=variables)
        return self._control.begin_run(self._loaded, trigger, workdir=self._root)

    def _deploy(self, version: str) -> Run:
        """Deploy a version and print how it goes. Raises KeyboardInterrupt when it was stopped."""
        begun = self._begin(version)
        run_id = begun.run_id.result()
        is_stopped = False

        def heed_interrupts() -> None:
            nonlocal is_stopped
            if self._interrupts.take():
                is_stopped = True
                self._control.cancel(run_id)  # refused when it ends, or is being rolled back

        Follower(self._history, run_id, quiet=False).until(begun.end, heed_interrupts)
        if is_stopped or self._interrupts.take():
            raise KeyboardInterrupt
        return self._history.run(run_id)

    def _answer(self) -> str:
        """What the web service says of itself, or that there is none."""
        try:
            url = self._history.outputs(self._first_run)["start", "url"]
            with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:  # noqa: S310
                return str(answer.read().decode().strip())
        except URLError as error:
            is_gone = isinstance(error.reason, ConnectionRefusedError)
            return "nothing is live" if is_gone else f"no answer ({error.reason})"
        except (OSError, ValueError, KeyError) as error:
            return f"no answer ({error})"

    def _went_as_told(self, first: Run, second: Run, answer: str) -> bool:
        rollbacks = self._history.rollbacks(second.id)
        return (
            first.status is RunStatus.SUCCEEDED
            and second.status is RunStatus.FAILED
            and [event.status for event in rollbacks] == [RollbackStatus.SUCCEEDED]
            and f"release {GOOD_VERSION} is well" in answer
        )


@contextmanager
def _place(database: Path | None) -> Iterator[tuple[Path, Path]]:
    """A folder for the releases and the database; the web service ends with it."""
    with tempfile.TemporaryDirectory(prefix="orchestrate-tui-demo-") as folder:
        root = Path(folder, "service")
        root.mkdir()
        try:
            yield root, database or Path(folder, "orchestrate.db")
        finally:
            _end_service(root)


def _end_service(root: Path) -> None:
    """End the web service below a folder. Raises OrchestrateError when that cannot be done."""
    environment = os.environ | {"root": str(root)}
    stop = ("sh", str(example("demo/stop.sh")))
    code = subprocess.run(stop, env=environment, check=False, start_new_session=True).returncode
    if code:
        raise OrchestrateError(
            f"Perhaps the web service of the demonstration could not be ended: exit code {code}",
            next_step=f"See whether it runs: pgrep -af {shlex.quote(str(root))}",
        )
