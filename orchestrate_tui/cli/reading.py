"""Opening the history for commands that list what there is, which may be nothing yet."""

from __future__ import annotations

import os
from argparse import Namespace

from orchestrate_tui.cli.places import database_path, is_named
from orchestrate_tui.errors import NotFound
from orchestrate_tui.store.history import History


def history_if_any(arguments: Namespace) -> History | None:
    """The history; None where nothing was recorded yet, or the database was not made to its end.

    Raises NotFound for a path that was named and leads nowhere: it may be misspelt.
    """
    path = database_path(arguments)
    try:
        return History(path, hands_off=True)
    except NotFound:
        if is_named(arguments) and not os.path.lexists(path):
            raise
        return None
