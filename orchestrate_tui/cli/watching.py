"""The command that opens the console for watching only."""

from __future__ import annotations

from argparse import Namespace

from orchestrate_tui.cli.confinement import confine
from orchestrate_tui.cli.places import database_path
from orchestrate_tui.cli.screen import check_screen
from orchestrate_tui.console.sparing import sparing
from orchestrate_tui.errors import Refused


def watch(arguments: Namespace) -> int:
    """Open the console in a process that can only read; nothing of the executor is loaded."""
    check_screen()
    if arguments.publish is not None:
        raise Refused(
            "A console that only watches publishes nothing",
            next_step=f"Say as who runs the pipelines: orchestrate-tui publish {arguments.publish}",
        )
    confine()
    with sparing():
        from orchestrate_tui.console.watching import (  # noqa: PLC0415  (confined)
            run_watching_console,
        )
    from orchestrate_tui.store.history import History  # noqa: PLC0415  (confined)

    return run_watching_console(History(database_path(arguments), hands_off=True))
