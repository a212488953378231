"""Commands that work on a run to its end: run, resume."""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from signal import SIG_IGN, SIGHUP, SIGTERM, signal

from orchestrate_tui.cli.follow import Follower
from orchestrate_tui.cli.places import database_path
from orchestrate_tui.cli.records import print_json, run_record
from orchestrate_tui.cli.terminal import confirmed, is_interactive, say
from orchestrate_tui.domain.run import Run, TriggerContext
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.errors import CannotStart, OrchestrateError, PipelineFileError, Problem
from orchestrate_tui.executor.control import Control
from orchestrate_tui.executor.people import People
from orchestrate_tui.spec import load_pipeline, problems_for_run
from orchestrate_tui.spec.config import load_user_config
from orchestrate_tui.spec.loaded import LoadedPipeline
from orchestrate_tui.store.database import Database, open_database
from orchestrate_tui.store.history import History

EXIT_CODES = {RunStatus.SUCCEEDED: 0, RunStatus.FAILED: 1, RunStatus.CANCELLED: 130}


def run(arguments: Namespace) -> int:
    """Run a pipeline to its end; 0 succeeded, 1 failed, 2 cannot start, 130 cancelled."""
    people = People(load_user_config().roles)
    trigger = _trigger(arguments)
    loaded = load_for_run(arguments.file, trigger, people, simulated=arguments.simulate)
    if arguments.detach:
        return _detach(arguments)
    with open_database(database_path(arguments)) as database:
        return _run(arguments, loaded, trigger, Session(database, people, arguments))


def resume(arguments: Namespace) -> int:
    """Go on with an interrupted run; exits as `run` does."""
    people = People(load_user_config().roles)
    with open_database(database_path(arguments)) as database:
        session = Session(database, people, arguments)
        session.history.run(arguments.run)
        with session.control:
            return session.follow(arguments.run, session.control.resume(arguments.run))


def load_for_run(
    path: Path, trigger: TriggerContext, people: People, *, simulated: bool
) -> LoadedPipeline:
    """The pipeline, if a run of it can start. Raises CannotStart with every problem, by line."""
    try:
        loaded = load_pipeline(path)
    except PipelineFileError as error:
        raise CannotStart(str(error), next_step="Nothing was started") from error
    problems = list(problems_for_run(loaded, dict(trigger.variables), simulate=simulated))
    if not simulated:
        problems += _approval_problems(loaded, people)
    if problems:
        text = "\n".join(str(problem) for problem in problems)
        raise CannotStart(f"Cannot start {path}\n{text}\nNothing was started")
    for warning in loaded.warnings:
        say(str(warning), to=sys.stderr)
    return loaded


def _approval_problems(loaded: LoadedPipeline, people: People) -> list[Problem]:
    positions = {stage.name: index for index, stage in loaded.placed_stages()}
    problems = []
    for name, reason in people.obstacles(loaded.pipeline):
        line, column = loaded.locate("stages", positions[name], "approvers")
        hint = "name a user, an @group, or a role from your configuration"
        problems.append(
            Problem(file=loaded.file, line=line, column=column, message=reason, hint=hint)
        )
    return problems


def _trigger(arguments: Namespace) -> TriggerContext:
    variables = {}
    for text in arguments.var:
        name, equals, value = text.partition("=")
        if not equals:
            raise CannotStart(f"--var {text} is not NAME=VALUE", next_step="Nothing was started")
        variables[name] = value
    changed = arguments.changed
    return TriggerContext(
        event=arguments.event,
        branch=arguments.branch,
        labels=tuple(arguments.label),
        changed=None if changed is None else tuple(filter(None, changed)),
        variables=tuple(variables.items()),
    )


class Session:
    """One command that works on a run: its executor, its history, and what it prints."""

    def __init__(self, database: Database, people: People, arguments: Namespace) -> None:
        self.control = Control(database, people=people)
        self.history = History(database.path)
        self._json = arguments.json
        self._shows_progress = sys.stdout.isatty() and not arguments.json

    def follow(self, run_id: int, work: Future[Run], *, after: int = 0) -> int:
        """Show a run until it has ended; returns the exit code that tells how."""
        follower = Follower(self.history, run_id, after=after, quiet=not self._shows_progress)
        with _own_signals():
            while True:
                try:
                    follower.until(work)
                except KeyboardInterrupt:
                    self._interrupted(run_id)
                else:
                    return self._report(run_id)

    def _interrupted(self, run_id: int) -> None:
        """Cancel the run, after asking when somebody can answer."""
        try:
            if is_interactive() and not confirmed(f"\nCancel run {run_id}?"):
                return
        except KeyboardInterrupt:
            pass  # the second Ctrl-C is the answer
        try:
            self.control.cancel(run_id).result()
        except OrchestrateError as error:
            say(f"orchestrate-tui: {error}", to=sys.stderr)

    def _report(self, run_id: int) -> int:
        run = self.history.run(run_id)
        if self._json:
            print_json(run_record(self.history, run))
        elif not self._shows_progress:
            because = f": {run.reason}" if run.reason else ""
            say(f"Run {run.id} {run.status}{because}")
        return EXIT_CODES.get(run.status, 1)


def _run(
    arguments: Namespace, loaded: LoadedPipeline, trigger: TriggerContext, session: Session
) -> int:
    with session.control as control:
        begun = control.begin_run(loaded, trigger, simulated=arguments.simulate)
        run_id = begun.run_id.result()
        _announce(arguments, run_id)
        if not arguments.json:
            simulated = ", simulated" if arguments.simulate else ""
            say(f"Run {run_id} of {loaded.pipeline.name} started{simulated}")
        return session.follow(run_id, begun.end)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Take a request to end for Ctrl-C, and a lost terminal for "leave it running"."""
    before = signal(SIGTERM, _interrupt), signal(SIGHUP, SIG_IGN)
    try:
        yield
    finally:
        signal(SIGTERM, before[0])
        signal(SIGHUP, before[1])


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _announce(arguments: Namespace, run_id: int) -> None:
    """Tell the process that detached us which run it is."""
    if arguments.announce is not None:
        os.write(arguments.announce, str(run_id).encode())
        os.close(arguments.announce)


def _detach(arguments: Namespace) -> int:
    """Have the run done by a process of its own, which needs no terminal."""
    words = [word for word in sys.argv[1:] if word != "--detach"]
    log = database_path(arguments).with_suffix(".detached.log")
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    reading, writing = os.pipe()
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "orchestrate_tui", *words, "--announce", str(writing)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(writing,),
            start_new_session=True,
        )
    os.close(writing)
    with os.fdopen(reading) as announcement:
        run_id = announcement.read()
    if not run_id:
        code = child.wait()
        raise CannotStart(
            f"The detached run did not start (exit code {code})", next_step=f"See {log}"
        )
    child.returncode = 0  # it goes on without us
    say(run_id if not arguments.json else f'{{"id": {run_id}}}')
    return 0
