"""Commands that work on a run to its end: run, resume."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from signal import SIGTERM

from orchestrate_tui.agents.wording import NO_ROOM
from orchestrate_tui.cli.configuration import configured_people
from orchestrate_tui.cli.detached import Announce, detached
from orchestrate_tui.cli.executors import AnyControl, own_executor
from orchestrate_tui.cli.follow import Follower, TroubleTold, rollback_under_way
from orchestrate_tui.cli.interrupted import say_outcome, unended_rollbacks
from orchestrate_tui.cli.interrupts import Interrupts, undisturbed
from orchestrate_tui.cli.loading import checked_for_run
from orchestrate_tui.cli.places import database_path, existing_database_path
from orchestrate_tui.cli.protection import confirm_protected
from orchestrate_tui.cli.publishing import published
from orchestrate_tui.cli.records import print_json, run_record
from orchestrate_tui.cli.terminal import can_ask, confirmed, say
from orchestrate_tui.domain.run import Run, TriggerContext
from orchestrate_tui.domain.status import RollbackStatus, RunStatus
from orchestrate_tui.errors import (
    CannotStart,
    Refused,
    Unrecorded,
)
from orchestrate_tui.executor.control import Control
from orchestrate_tui.executor.distant import DistantControl
from orchestrate_tui.executor.left_work import Settlement
from orchestrate_tui.executor.people import People
from orchestrate_tui.spec import warnings_for_run
from orchestrate_tui.spec.loaded import LoadedPipeline
from orchestrate_tui.store.accounts import is_anothers, owner_of
from orchestrate_tui.store.history import History

EXIT_CODES = {RunStatus.SUCCEEDED: 0, RunStatus.FAILED: 1, RunStatus.CANCELLED: 130}


def run(arguments: Namespace) -> int:
    """Run a pipeline to its end; 0 succeeded, 1 failed, 2 cannot start, 130 cancelled."""
    trigger = _trigger(arguments)
    path = database_path(arguments)
    if is_anothers(path):
        return _have_run(arguments, path, trigger)
    people = configured_people()
    loaded = load_for_run(arguments.file, trigger, people, simulated=arguments.simulate)

    def work(announce: Announce) -> int:
        with _session(arguments, path) as (control, session):
            begun = control.begin_run(loaded, trigger, simulated=arguments.simulate)
            run_id = begun.run_id.result()
            announce(run_id)
            simulated = ", simulated" if arguments.simulate else ""
            session.tell(f"Run {run_id} of {loaded.pipeline.name} started{simulated}")
            return session.follow(run_id, begun.end)

    if arguments.detach:
        log = path.with_name(f"{path.name}.detached.log")
        return detached(work, log, partial(_report_detached, as_json=arguments.json))
    return work(lambda _run_id: None)


def resume(arguments: Namespace) -> int:
    """Go on with an interrupted run or rollback; exits as `run` does, 1 for a failed rollback."""
    take_over, settled = _reason_to_take_over(arguments), _settled(arguments)
    path = existing_database_path(arguments)
    if is_anothers(path):
        return _have_resumed(arguments, path, take_over, settled)
    with _session(arguments, path) as (control, session):
        if take_over is not None:
            confirm_protected(arguments, session.history, arguments.run)
        after = session.history.last_event_id()
        left = unended_rollbacks(session.history, arguments.run)
        work = control.resume(arguments.run, take_over=take_over, settled=settled)
        code = session.follow(arguments.run, work, after=after)
        ends = [session.history.rollback(rollback_id).status for rollback_id in left]
        return code or int(RollbackStatus.FAILED in ends)


def _have_run(arguments: Namespace, path: Path, trigger: TriggerContext) -> int:
    """Have the owner of the database run one of the pipelines that they offer."""
    _refuse_to_wait(arguments)
    with undisturbed() as interrupts, DistantControl(path) as control:
        started = control.start_file(arguments.file, trigger, simulated=arguments.simulate)
        run_id = started.result()
        if arguments.detach:
            _report_detached(run_id, as_json=arguments.json)
            return 0
        history = History(path, hands_off=True)
        session = Session(control, history, interrupts, as_json=arguments.json)
        session.tell(f"Run {run_id} of {arguments.file} started by {owner_of(path)} for you")
        return session.follow(run_id, control.follow_run(run_id))


def _have_resumed(
    arguments: Namespace, path: Path, take_over: str | None, settled: dict[str, Settlement]
) -> int:
    """Have the owner of the database go on with a run."""
    _refuse_to_wait(arguments)
    with undisturbed() as interrupts, DistantControl(path) as control:
        history = History(path, hands_off=True)
        if take_over is not None:
            confirm_protected(arguments, history, arguments.run)
        after = history.last_event_id()
        control.resume(arguments.run, take_over=take_over, settled=settled).result()
        session = Session(control, history, interrupts, as_json=arguments.json)
        return session.follow(arguments.run, control.follow_run(arguments.run), after=after)


def _exit_code(run: Run) -> int:
    """What tells how a run ended; that its log found no room goes before that it failed."""
    if run.status is RunStatus.FAILED and NO_ROOM in run.reason:
        return Unrecorded.exit_code
    return EXIT_CODES.get(run.status, 1)


def _refuse_to_wait(arguments: Namespace) -> None:
    """Raise Refused for --wait: how another account's executor waits is for that account."""
    if arguments.wait:
        raise Refused(
            "Only the owner of the database lets its executor wait",
            next_step="Leave --wait out; where a console of theirs is open it waits",
        )


def _settled(arguments: Namespace) -> dict[str, Settlement]:
    """What became of which stage. Raises Refused unless every --stage has its --as."""
    if len(arguments.stages) != len(arguments.settlements):
        raise Refused(
            "Every --stage needs an --as, and every --as a --stage",
            next_step="Say, for example: --stage deploy --as done",
        )
    words = map(Settlement, arguments.settlements)
    return dict(zip(arguments.stages, words, strict=True))


def _reason_to_take_over(arguments: Namespace) -> str | None:
    """Why the run is taken over; None when it is not. Raises Refused without a reason."""
    if not arguments.take_over:
        if arguments.reason is not None:
            raise Refused("--reason is for --take-over", next_step="Leave it out, or add that")
        return None
    if not (arguments.reason or "").strip():
        raise Refused("Taking a run over needs a reason", next_step="Say why with --reason TEXT")
    return str(arguments.reason)


def load_for_run(
    path: Path, trigger: TriggerContext, people: People, *, simulated: bool
) -> LoadedPipeline:
    """The pipeline, if a run of it can start; its warnings are told. Raises CannotStart."""
    loaded = checked_for_run(path, trigger, people, simulated=simulated)
    for warning in warnings_for_run(loaded, simulate=simulated):
        say(str(warning), to=sys.stderr)
    return loaded


def _trigger(arguments: Namespace) -> TriggerContext:
    variables = {}
    for text in arguments.var:
        name, equals, value = text.partition("=")
        if not (name and equals):
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


def _report_detached(run_id: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": run_id})
    else:
        say(str(run_id))


@contextmanager
def _session(arguments: Namespace, path: Path) -> Iterator[tuple[Control, Session]]:
    folder = getattr(arguments, "publish", None)
    tell = partial(say, to=sys.stderr)
    with (
        undisturbed() as interrupts,
        own_executor(path, waits=arguments.wait) as control,
        published(path, folder, tell),
    ):
        yield control, Session(control, History(path), interrupts, as_json=arguments.json)


class Session:
    """One command that works on a run: its executor, its history, and what it prints."""

    def __init__(
        self, control: AnyControl, history: History, interrupts: Interrupts, *, as_json: bool
    ) -> None:
        self.control = control
        self.history = history
        self._interrupts = interrupts
        self._json = as_json
        self._trouble = TroubleTold(control)
        self._cancellation: Future[str] | None = None

    def tell(self, text: str) -> None:
        """Print one line for people."""
        if not self._json:
            say(text)

    def follow(self, run_id: int, work: Future[Run], *, after: int = 0) -> int:
        """Show a run until it has ended; returns the exit code that tells how."""
        shows = sys.stdout.isatty() and not self._json
        follower = Follower(self.history, run_id, after=after, quiet=not shows)

        def meanwhile() -> None:
            self._trouble.tell()
            self._heed_interrupts(run_id, work)
            self._tell_cancellation()

        ended = follower.until(work, meanwhile)
        self._tell_cancellation()
        run = self.history.run(ended.id)
        if self._json:
            print_json(run_record(self.history, run))
        elif not shows:
            because = f": {run.reason}" if run.reason else ""
            say(f"Run {run.id} {run.status}{because}")
            for event in reversed(self.history.rollbacks(run.id)):
                say_outcome(self.history, event)
        return _exit_code(run)

    def _heed_interrupts(self, run_id: int, work: Future[Run]) -> None:
        signal = self._interrupts.take()
        if signal is None:
            return
        if self.control.is_stuck:
            self._give_up(run_id, work)
        elif rollback := rollback_under_way(self.history, run_id):
            say(rollback, to=sys.stderr)
        elif (
            signal is SIGTERM
            or not can_ask()
            or self._is_confirmed(f"Cancel run {run_id}?", run_id, work)
        ):
            say(f"Run {run_id} is being cancelled", to=sys.stderr)
            self._cancellation = self.control.cancel(run_id)

    def _give_up(self, run_id: int, work: Future[Run]) -> None:
        """End a run although that cannot be recorded; on a terminal ask first."""
        if not can_ask() or self._is_confirmed(f"End run {run_id} unrecorded?", run_id, work):
            self.control.lose_patience()

    def _is_confirmed(self, question: str, run_id: int, work: Future[Run]) -> bool:
        """Ask; a second Ctrl-C is a yes, and the end of the run makes the question idle."""

        def decided() -> bool | None:
            return False if work.done() else (bool(self._interrupts.take()) or None)

        say(to=sys.stderr)
        if confirmed(question, decided):
            return True
        if not work.done():
            say(f"Run {run_id} goes on", to=sys.stderr)
        return False

    def _tell_cancellation(self) -> None:
        """Say why it was refused; one that a full disk holds up ends the run unrecorded."""
        asked = self._cancellation
        if asked is None:
            return
        if not asked.done():
            if self.control.is_stuck:
                self.control.lose_patience()
            return
        self._cancellation = None
        if error := asked.exception():
            say(f"orchestrate-tui: {error}", to=sys.stderr)
