"""The journals of stage hosts whose executor is gone: kept as long as somebody may ask them."""

from __future__ import annotations

from pathlib import Path

from orchestrate_tui.domain.keys import run_key
from orchestrate_tui.stagehost.files import lives
from orchestrate_tui.store.database import Database
from orchestrate_tui.store.owners import is_alive
from orchestrate_tui.store.recovery import unended_runs


def forget_hosts(database: Database) -> None:
    """Remove the journals that nobody will ask any more, of executors that are gone.

    One that tells of a run that has not ended is kept, whoever works on that by now. Raises
    StoreError.
    """
    files = database.files
    kept = tuple(run_key(*run) for run in database.read(unended_runs))
    folders = files.hosts.iterdir() if files.hosts.is_dir() else ()
    for folder in folders:
        epoch = folder.name.partition("-")[0]  # one executor has several
        if not epoch.isdecimal() or is_alive(files, int(epoch)) or lives(str(folder)):
            continue
        if not _tells_of(folder, kept):
            from shutil import rmtree  # noqa: PLC0415  (slow, and mostly nothing is there)

            rmtree(folder, ignore_errors=True)


def _tells_of(folder: Path, run_keys: tuple[str, ...]) -> bool:
    if not run_keys:
        return False
    from orchestrate_tui.stagehost.journal_reader import read_journal  # noqa: PLC0415  (seldom)

    return any(key.startswith(run_keys) for key in read_journal(str(folder))[1])
