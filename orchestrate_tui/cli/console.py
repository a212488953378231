"""The command that opens the console."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

from orchestrate_tui.cli.configuration import configuration
from orchestrate_tui.cli.databases import own_database
from orchestrate_tui.cli.interrupts import undisturbed
from orchestrate_tui.cli.places import check_present, database_option, database_path, named_database
from orchestrate_tui.cli.screen import check_screen, forget_settings_of_textual
from orchestrate_tui.cli.terminal import LOOK_INTERVAL_S, say
from orchestrate_tui.collection import load_in_peace
from orchestrate_tui.console.opening import Opening
from orchestrate_tui.console.sparing import sparing
from orchestrate_tui.errors import Unrecorded
from orchestrate_tui.stagehost.starting import start_ahead
from orchestrate_tui.store.accounts import is_anothers
from orchestrate_tui.store.history import History

if TYPE_CHECKING:
    from orchestrate_tui.cli.executors import AnyControl
    from orchestrate_tui.cli.interrupts import Interrupts


def open_console(arguments: Namespace) -> int:
    """Open the console, and when it is left, wait for what was left running."""
    check_screen()
    check_present(arguments.files)
    path = database_path(arguments)
    troubles: list[str] = []
    with _executor_over(path) as opening, _published(path, arguments.publish, troubles):
        code = console_over(path, opening, files=arguments.files)
    for trouble in troubles:
        say(trouble, to=sys.stderr)
    return code


@contextmanager
def _executor_over(path: Path) -> Iterator[Opening[AnyControl]]:
    """Opens the executor that may be asked about the runs of a database, when told to.

    The database itself is opened at once: what is wrong with it is told without a console.
    """
    is_own = not is_anothers(path)
    with ExitStack() as stack:
        config = configuration()
        database = stack.enter_context(own_database(path, config))[0] if is_own else None

        def open_it() -> AnyControl:
            start_ahead()
            from orchestrate_tui.cli import executors  # noqa: PLC0415  (which takes its time)

            if database is None:
                control = stack.enter_context(executors.executor_of(path))
                control.greet()  # what it says comes when it comes
                return control
            return stack.enter_context(executors.control_over(database, config))

        if database is None:
            opening = Opening(open_it)
        else:
            trouble, give_up = partial(getattr, database, "trouble"), database.lose_patience
            opening = Opening(open_it, trouble=trouble, give_up=give_up)
        try:
            yield opening
        finally:
            opening.settle()


def _published(
    path: Path, folder: Path | None, troubles: list[str]
) -> AbstractContextManager[None]:
    if folder is None:
        return nullcontext()
    from orchestrate_tui.cli.publishing import published  # noqa: PLC0415  (which few ask for)

    return published(path, folder, troubles.append)


def console_over(
    path: Path,
    opening: Opening[AnyControl],
    *,
    files: Sequence[Path] = (),
    run_id: int | None = None,
) -> int:
    """Run the app over a database, and wait for what it leaves running.

    Raises what kept the executor from being opened.
    """
    forget_settings_of_textual()
    load_in_peace()  # until the first picture is drawn
    with sparing():
        from orchestrate_tui.console.app import run_console  # noqa: PLC0415  (brings Textual)
        from orchestrate_tui.console.latch import Latch  # noqa: PLC0415  (brings Textual)

    config = configuration()
    history = History(path, hands_off=is_anothers(path))
    code = run_console(
        history,
        opening,
        files=files,
        run_id=run_id,
        named_database=named_database(path),
        latch=Latch(config.protected, unlocked_for_s=config.unlocked_for_s),
    )
    control = opening.outcome()
    if control is not None and control.active():
        numbers = ", ".join(map(str, control.active()))
        with undisturbed() as interrupts:
            say(f"Run {numbers} goes on without the console; this process ends with it")
            for number in control.active():
                say(f"Stop it with: orchestrate-tui cancel {number}{database_option(path)}")
            code = _see_out(control, interrupts, path) or code
    return code


def _see_out(control: AnyControl, interrupts: Interrupts, path: Path) -> int:
    """Wait for what was left running; what cannot be recorded is given up by Ctrl-C.

    Returns the exit code that tells that; 0 when nothing was given up.
    """
    from orchestrate_tui.cli.follow import TroubleTold  # noqa: PLC0415  (of no use before)

    trouble, ended, code = TroubleTold(control), Event(), 0

    def wait() -> None:
        control.wait()
        ended.set()

    Thread(target=wait, name="end", daemon=True).start()
    while not ended.wait(LOOK_INTERVAL_S):
        trouble.tell()
        if interrupts.take() and (control.is_stuck or control.is_held_up) and not code:
            for number in control.active():
                resume = f"orchestrate-tui resume {number}{database_option(path)}"
                say(f"Run {number} ends unrecorded; go on later with: {resume}", to=sys.stderr)
            control.lose_patience()
            code = Unrecorded.exit_code
    return code
