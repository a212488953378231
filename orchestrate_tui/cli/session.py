"""A command that works on a run to its end: what it shows meanwhile, and what Ctrl-C means."""

from __future__ import annotations

import sys
from concurrent.futures import Future
from contextlib import suppress
from signal import SIGTERM
from time import monotonic
from typing import TYPE_CHECKING

from orchestrate_tui.agents.wording import NO_ROOM
from orchestrate_tui.cli.follow import Follower, TroubleTold, rollback_under_way
from orchestrate_tui.cli.terminal import can_ask, confirmed, say
from orchestrate_tui.cli.waiting import LONGEST_S
from orchestrate_tui.domain.protection import confirmation
from orchestrate_tui.domain.run import Run
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.errors import Refused, Unrecorded
from orchestrate_tui.store.history import History

if TYPE_CHECKING:
    from orchestrate_tui.cli.executors import AnyControl
    from orchestrate_tui.cli.interrupts import Interrupts

EXIT_CODES = {RunStatus.SUCCEEDED: 0, RunStatus.FAILED: 1, RunStatus.CANCELLED: 130}


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
        self._cancelled_at = 0.0

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
            # of no use to people
            from orchestrate_tui.cli.records import print_json, run_record  # noqa: PLC0415

            print_json(run_record(self.history, run))
        elif not shows:
            because = f": {run.reason}" if run.reason else ""
            say(f"Run {run.id} {run.status}{because}")
            self._say_rollbacks(run.id)
        return _exit_code(run)

    def _say_rollbacks(self, run_id: int) -> None:
        for event in reversed(self.history.rollbacks(run_id)):
            # most runs have none
            from orchestrate_tui.cli.interrupted import say_outcome  # noqa: PLC0415

            say_outcome(self.history, event)

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
            self._cancelled_at = monotonic()
            self._cancellation = self.control.confirming(self._touched(run_id)).cancel(run_id)

    def _give_up(self, run_id: int, work: Future[Run]) -> None:
        """End a run although that cannot be recorded; on a terminal ask first."""
        if not can_ask() or self._is_confirmed(f"End run {run_id} unrecorded?", run_id, work):
            self.control.lose_patience()

    def _is_confirmed(self, question: str, run_id: int, work: Future[Run]) -> bool:
        """Ask; a second Ctrl-C is a yes, and the end of the run makes the question idle.

        Where the run touches a protected environment its name is to be typed for a yes.
        """
        word = confirmation(self._touched(run_id))

        def decided() -> bool | None:
            if work.done():
                return False
            signal = self._interrupts.take()
            return True if signal is SIGTERM or (signal and not word) else None

        say(to=sys.stderr)
        if confirmed(question, decided, word=word):
            return True
        if not work.done():
            say(f"Run {run_id} goes on", to=sys.stderr)
        return False

    def _touched(self, run_id: int) -> tuple[str, ...]:
        """The protected environments that the run touches."""
        # most commands are not interrupted
        from orchestrate_tui.cli.protection import touched_by  # noqa: PLC0415

        with suppress(Refused):  # a configuration that can be read no more ends no run
            return touched_by(self.history, run_id, self.control)
        return ()

    def _tell_cancellation(self) -> None:
        """Say why it was refused; one that a full disk or others hold up ends it unrecorded."""
        asked = self._cancellation
        if asked is None:
            return
        if not asked.done():
            waited_s = monotonic() - self._cancelled_at
            if self.control.is_stuck or (self.control.is_held_up and waited_s > LONGEST_S):
                self.control.lose_patience()
            return
        self._cancellation = None
        if error := asked.exception():
            say(f"orchestrate-tui: {error}", to=sys.stderr)


def _exit_code(run: Run) -> int:
    """What tells how a run ended; that its log found no room goes before that it failed."""
    if run.status is RunStatus.FAILED and NO_ROOM in run.reason:
        return Unrecorded.exit_code
    return EXIT_CODES.get(run.status, 1)


def report_detached(run_id: int, *, as_json: bool) -> None:
    """Print the id of a run that goes on by itself."""
    if as_json:
        from orchestrate_tui.cli.records import print_json  # noqa: PLC0415  (see Session.follow)

        print_json({"id": run_id})
    else:
        say(str(run_id))
