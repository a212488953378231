"""Where things lie: the database, and the files that come with the package."""

from __future__ import annotations

import os
import shlex
from argparse import Namespace
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from orchestrate_tui.errors import CannotStart, NotFound

_PACKAGE = Path(__file__).resolve().parent.parent


def database_path(arguments: Namespace) -> Path:
    """The database that a command means: --db, $ORCHESTRATE_DB, or the one in the state folder.

    Raises CannotStart where the user has no such folder.
    """
    if arguments.db is not None:
        return Path(arguments.db)
    if named := os.environ.get("ORCHESTRATE_DB"):
        return Path(named)
    from orchestrate_tui.spec.user_config import own_folder  # noqa: PLC0415  (when none is named)

    return own_folder("XDG_STATE_HOME", ".local/state") / "orchestrate.db"


def is_named(arguments: Namespace) -> bool:
    """Whether somebody said which database, and not only that it is the one in the state folder."""
    return arguments.db is not None or bool(os.environ.get("ORCHESTRATE_DB"))


def named_database(path: Path) -> Path | None:
    """The database at `path` as commands have to name it; None when they mean it by themselves."""
    with suppress(CannotStart):  # who has no folder for it means none by themselves
        if path.absolute() == database_path(Namespace(db=None)).absolute():
            return None
    return path.absolute()


def database_option(path: Path) -> str:
    """The option that makes a command mean the database at `path`; "" when none is needed."""
    named = named_database(path)
    return "" if named is None else f" --db {shlex.quote(str(named))}"


def check_present(files: Iterable[Path]) -> None:
    """Raise NotFound for the first of these files that is not there."""
    from orchestrate_tui.store.loss import is_absent  # noqa: PLC0415  (brings SQLite)

    for file in files:
        if is_absent(file):
            raise NotFound(f"There is no file {file}", next_step="Check the path")


def existing_database_path(arguments: Namespace) -> Path:
    """The database that a command means. Raises NotFound rather than have an empty one made.

    Raises StoreError where there was one.
    """
    from orchestrate_tui.store.database import StoreFiles  # noqa: PLC0415  (brings SQLite)
    from orchestrate_tui.store.loss import check_not_lost, is_absent  # noqa: PLC0415

    path = database_path(arguments)
    check_not_lost(StoreFiles(path))
    if is_absent(path):
        raise NotFound(
            f"There is no database {path}",
            next_step="Run a pipeline first, or name another one with --db",
        )
    return path


def example(name: str) -> Path:
    """An example that comes with the program, from the package or from the repository.

    Raises NotFound when the installation is incomplete.
    """
    for folder in (_PACKAGE / "examples", _PACKAGE.parent / "examples"):
        if (folder / name).exists():
            return folder / name
    raise NotFound(
        f"The example {name} is missing from this installation",
        next_step="Install orchestrate-tui again",
    )
