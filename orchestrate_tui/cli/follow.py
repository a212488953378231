"""Shows a run as it goes, event by event, until something has ended."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, TypeVar

from orchestrate_tui.cli.places import database_option
from orchestrate_tui.cli.terminal import LOOK_INTERVAL_S, say
from orchestrate_tui.domain.events import WAITING, Event, failed_steps
from orchestrate_tui.domain.status import ENDED_ROLLBACKS, StageStatus, StepStatus
from orchestrate_tui.store.history import History

if TYPE_CHECKING:
    from orchestrate_tui.cli.executors import AnyControl

T = TypeVar("T")

_OF_THE_DISK = "The disk "
_MEANWHILE = "Nothing new starts, and what runs goes on; it continues by itself"


class Follower:
    """Prints the events of one run as lines; `quiet` leaves only what asks for somebody."""

    def __init__(self, history: History, run_id: int, *, after: int = 0, quiet: bool) -> None:
        self._history = history
        self._run_id = run_id
        self._after = after
        self._quiet = quiet
        self._version = -1

    def until(self, work: Future[T], meanwhile: Callable[[], None] = lambda: None) -> T:
        """Print what happens until `work` is done; returns its result or raises its error.

        `meanwhile` is called again and again.
        """
        while not wait([work], timeout=LOOK_INTERVAL_S).done:
            self.catch_up()
            meanwhile()
        self.catch_up()
        return work.result()

    def catch_up(self) -> None:
        """Print what has happened since the last time."""
        version = self._history.data_version()
        if version == self._version:
            return
        self._version = version
        while events := self._history.events(self._run_id, after=self._after):
            for event in events:
                self._after = event.id
                self._print(event)

    def tell_waits(self) -> None:
        """Say which rollbacks wait for the operator already."""
        for event in self._history.rollbacks(self._run_id):
            if event.status not in ENDED_ROLLBACKS and event.waiting_since is not None:
                for step in failed_steps(self._history.steps(event.id or 0)):
                    because = f"step '{step.part}' failed: {step.error_message}"
                    self._say_wait(event.id, because)

    def _print(self, event: Event) -> None:
        if event.to_status == StageStatus.WAITING_APPROVAL:
            self._print_approval(event)
        elif event.kind == WAITING:
            self._say_wait(event.rollback_id, event.detail)
        elif not self._quiet and event.to_status is not None:
            # a quiet one shows nothing of how a run goes on
            from orchestrate_tui.cli.event_lines import say_event  # noqa: PLC0415

            say_event(event)

    def _print_approval(self, event: Event) -> None:
        name = event.stage_name or ""
        option = database_option(self._history.files.database)
        command = f"orchestrate-tui approve {self._run_id} {shlex.quote(name)}{option}"
        say(f"Stage '{name}' waits for an approval: {command}", to=sys.stderr)

    def _say_wait(self, rollback_id: int | None, because: str) -> None:
        """Say that a rollback waits, and how to let it go on."""
        option = database_option(self._history.files.database)
        command = f"orchestrate-tui rollback-step {rollback_id} retry|skip|done|halt"
        say(
            f"Rollback {rollback_id} waits for you, {because}: {command} --reason TEXT{option}",
            to=sys.stderr,
        )


class TroubleTold:
    """Tells of what keeps an executor from going on, and that it is over."""

    def __init__(self, control: AnyControl) -> None:
        self._control = control
        self._told = ""

    def tell(self) -> None:
        """Say what is new."""
        trouble, before = self._control.trouble, self._told
        self._told = trouble
        if trouble and trouble != before:
            say(f"orchestrate-tui: {trouble}. {_MEANWHILE}", to=sys.stderr)
        elif before and not trouble:
            is_disk = before.startswith(_OF_THE_DISK)
            over = (
                "There is room on the disk again" if is_disk else "Nothing is in the way any more"
            )
            say(f"orchestrate-tui: {over}, it goes on", to=sys.stderr)


def rollback_under_way(history: History, run_id: int) -> str:
    """What a rollback of the run is doing, and how to stop it; "" when there is none."""
    events = history.rollbacks(run_id)
    event = next((event for event in reversed(events) if event.status not in ENDED_ROLLBACKS), None)
    if event is None or event.id is None:
        return ""
    steps = history.steps(event.id)
    names = [step.part for step in steps if step.status is StepStatus.RUNNING]
    doing = f"the undo of {', '.join(names)} is running" if names else "it is about to go on"
    if event.waiting_since is not None:
        doing = "it waits for a decision about a step that failed"
    return (
        f"Rollback {event.id} to '{event.rollback_to_stage}' goes on ({doing}); stop it with: "
        f"orchestrate-tui rollback-step {event.id} halt --reason TEXT"
        f"{database_option(history.files.database)}"
    )
