"""Publishing: a copy of the database and its logs for those who may only look."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread, get_native_id

from orchestrate_tui.cli.configuration import configuration
from orchestrate_tui.cli.places import existing_database_path
from orchestrate_tui.cli.records import print_json
from orchestrate_tui.cli.terminal import say
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.errors import StoreError
from orchestrate_tui.store.history import History
from orchestrate_tui.store.publishing import Publication

LOOK_INTERVAL_S = 0.25
LEAST_PAUSE_S = 1.0
PAUSE_PER_WORK = 20
"""Between two copies it rests so many times longer than the last one took."""

_LONGEST_PAUSE_S = 30.0
_MOST_EVENTS = 1000
_LOWEST_PRIORITY = 19


def publish(arguments: Namespace) -> int:
    """Copy the database and its logs into a folder once."""
    path = existing_database_path(arguments)
    publication = _publication(path, arguments.folder, public=arguments.public, is_alone=True)
    publication.update()
    if arguments.json:
        print_json({"database": str(publication.path)})
    else:
        say(f"Published; look at it with: orchestrate-tui --read-only --db {publication.path}")
    return 0


@contextmanager
def published(path: Path, folder: Path | None, tell: Callable[[str], None]) -> Iterator[None]:
    """Keep a copy up to date for the block and once after it; `folder` None keeps none.

    `tell` is told once of what keeps it from being made. Raises StoreError.
    """
    if folder is None:
        yield
        return
    live = LivePublication(path, _publication(path, folder), tell)
    try:
        yield
    finally:
        live.close()


def _publication(
    path: Path, folder: Path, *, public: bool = False, is_alone: bool = False
) -> Publication:
    group = configuration().share_group
    return Publication(path, folder, group=group, public=public, is_alone=is_alone)


class LivePublication:
    """Updates a copy whenever something changed, in a thread that everything else goes before."""

    def __init__(self, path: Path, publication: Publication, tell: Callable[[str], None]) -> None:
        self._path = path
        self._publication = publication
        self._tell = tell
        self._is_told = False
        self._version: int | None = None
        self._last_event = 0
        self._is_closed = Event()
        self._thread = Thread(target=self._keep, name="publishing", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Publish what is new once more, and end."""
        self._is_closed.set()
        self._thread.join()

    def _keep(self) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), _LOWEST_PRIORITY)  # of this thread
        history = History(self._path)
        try:
            self._follow(history)
        finally:
            history.close()

    def _follow(self, history: History) -> None:
        pause_s, is_last = 0.0, False
        while not is_last:
            is_last = self._is_closed.wait(max(pause_s, LOOK_INTERVAL_S))
            began = time.monotonic()
            try:
                self._update(history)
                self._is_told = False
            except StoreError as error:
                self._tell_once(str(error))
            rest_s = PAUSE_PER_WORK * (time.monotonic() - began)
            pause_s = max(LEAST_PAUSE_S, min(rest_s, _LONGEST_PAUSE_S))

    def _update(self, history: History) -> None:
        """Copy what changed since the last time; the first time everything is looked at."""
        version, end = history.data_version(), history.last_event_id()
        if version != self._version:
            is_all = self._version is None or end - self._last_event > _MOST_EVENTS
            touched = () if is_all else history.touched(self._last_event, end)
            self._publication.update(None if is_all else {run_id for run_id, *_ in touched})
            self._version, self._last_event = version, end
        elif running := {run.id for run in history.runs(status=RunStatus.RUNNING)}:
            self._publication.update_logs(running)

    def _tell_once(self, sentence: str) -> None:
        if not self._is_told:
            self._is_told = True
            self._tell(sentence)
