"""The command that opens the console."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from orchestrate_tui.cli.configuration import configuration
from orchestrate_tui.cli.executors import AnyControl, executor_of
from orchestrate_tui.cli.interrupts import undisturbed
from orchestrate_tui.cli.places import check_present, database_option, database_path, named_database
from orchestrate_tui.cli.publishing import published
from orchestrate_tui.cli.screen import check_screen, forget_settings_of_textual
from orchestrate_tui.cli.terminal import say
from orchestrate_tui.collection import load_in_peace
from orchestrate_tui.executor.distant import DistantControl
from orchestrate_tui.store.history import History


def open_console(arguments: Namespace) -> int:
    """Open the console, and when it is left, wait for what was left running."""
    check_screen()
    check_present(arguments.files)
    path = database_path(arguments)
    troubles: list[str] = []
    with executor_of(path) as control, published(path, arguments.publish, troubles.append):
        code = console_over(path, control, files=arguments.files)
    for trouble in troubles:
        say(trouble, to=sys.stderr)
    return code


def console_over(
    path: Path, control: AnyControl, *, files: Sequence[Path] = (), run_id: int | None = None
) -> int:
    """Run the app over a database, and wait for what it leaves running."""
    forget_settings_of_textual()
    load_in_peace()  # until the first picture is drawn
    from orchestrate_tui.console.app import run_console  # noqa: PLC0415  (brings Textual)
    from orchestrate_tui.console.latch import Latch  # noqa: PLC0415  (brings Textual)

    config = configuration()
    history = History(path, hands_off=isinstance(control, DistantControl))
    code = run_console(
        history,
        control,
        files=files,
        run_id=run_id,
        named_database=named_database(path),
        latch=Latch(config.protected, unlocked_for_s=config.unlocked_for_s),
    )
    if control.active():
        numbers = ", ".join(map(str, control.active()))
        with undisturbed():
            say(f"Run {numbers} goes on without the console; this process ends with it")
            for number in control.active():
                say(f"Stop it with: orchestrate-tui cancel {number}{database_option(path)}")
            control.wait()
    return code
