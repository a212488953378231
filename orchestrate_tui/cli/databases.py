"""The database of a command that runs pipelines itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrate_tui.cli.terminal import say
from orchestrate_tui.cli.waiting import Waiting
from orchestrate_tui.errors import Refused
from orchestrate_tui.store.accounts import is_anothers, owner_of
from orchestrate_tui.store.database import Database, open_database

if TYPE_CHECKING:
    from orchestrate_tui.spec.user_config import UserConfig


@contextmanager
def own_database(path: Path, config: UserConfig) -> Iterator[tuple[Database, Waiting]]:
    """Open a database of this user, made or brought up to date as needed, which is told.

    So is for whom it waits, there and until something is under way. Raises Refused for one that
    belongs to another user, StoreError for one that cannot be opened.
    """
    if is_anothers(path):
        owner = owner_of(path)
        raise Refused(
            f"The database {path} belongs to {owner}: only {owner} runs pipelines on it",
            next_step=f"Name one of yours with --db, or ask {owner} for the right 'run'",
        )
    waiting = Waiting()
    with (
        waiting.heard(),
        open_database(path, share_group=config.share_group, waiting=waiting.tell) as database,
    ):
        if database.former is not None:
            said = f"Brought {path} up to date; as it was before it is kept in {database.former}"
            say(f"orchestrate-tui: {said}", to=sys.stderr)
        yield database, waiting
