"""The command that checks whether everything this program needs is in order."""

from __future__ import annotations

import os
import platform
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from orchestrate_tui.cli.marked import say_marked
from orchestrate_tui.cli.places import database_option, database_path
from orchestrate_tui.cli.records import print_json
from orchestrate_tui.cli.terminal import say
from orchestrate_tui.console.marks import Mark, Tone
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.errors import OrchestrateError, Refused, StoreError
from orchestrate_tui.executor.companion import unattended
from orchestrate_tui.executor.snapshot_store import check_snapshots
from orchestrate_tui.spec.config import load_user_config
from orchestrate_tui.store.accounts import current_user, is_anothers, owner_of
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.examination import (
    accept_damage,
    check_database,
    check_record,
    library_version,
)
from orchestrate_tui.store.history import History
from orchestrate_tui.store.loss import check_not_lost, is_absent
from orchestrate_tui.store.sharing import what_hides
from orchestrate_tui.values import dataclass

_MOST_READ = 1000  # runs, the newest
_GOOD = Mark("✓", Tone.GOOD, "fine")
_BAD = Mark("✗", Tone.BAD, "not fine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found, in a sentence."""

    check: str
    is_fine: bool
    text: str


def examine(arguments: Namespace) -> int:
    """Check the database, the folders and the configuration; 1 when something is not fine.

    With a reason for it, damage of the record is accepted first.
    """
    if arguments.accept_damage is not None:
        _accept(arguments)
    findings = list(_findings(database_path(arguments)))
    if arguments.json:
        print_json([{"check": f.check, "fine": f.is_fine, "text": f.text} for f in findings])
    else:
        for finding in findings:
            say_marked(_GOOD if finding.is_fine else _BAD, f"{finding.check}: {finding.text}")
    return 0 if all(finding.is_fine for finding in findings) else 1


def _accept(arguments: Namespace) -> None:
    """Write down that damage is known, and why the database is used all the same."""
    path = database_path(arguments)
    if is_anothers(path):
        raise Refused(f"Only {owner_of(path)}, to whom {path} belongs, accepts its damage")
    reason = arguments.accept_damage.strip()
    if not reason:
        raise Refused("Damage is accepted only with a reason", next_step="Say why after the option")
    accepted = accept_damage(path, actor=current_user(), reason=reason, at=utc_now())
    for sentence in accepted or ("nothing, the record is not damaged",):
        say(f"Accepted: {sentence}", to=sys.stderr)


def _findings(path: Path) -> Iterator[Finding]:
    versions = f"Python {platform.python_version()}, SQLite {library_version()}"
    yield Finding(check="versions", is_fine=True, text=versions)
    yield _tried("configuration", _configuration)
    if is_absent(path):
        yield from _absent(path)
        return
    told: set[str] = set()
    for check, examine_it in _checks(path):
        finding = _tried(check, partial(examine_it, path))
        if finding.text not in told:  # what cannot be read at all is told once
            yield finding
        told.add(finding.text)
    yield _writable(path)


def _absent(path: Path) -> Iterator[Finding]:
    """What is not fine where no database is: only that there was one."""
    try:
        check_not_lost(StoreFiles(path))
    except StoreError as error:
        yield Finding(check="database", is_fine=False, text=str(error))
    yield _writable(path)


def _checks(path: Path) -> Iterator[tuple[str, Callable[[Path], str]]]:
    """What is examined of a database; some of it only by those to whom it belongs."""
    yield "database", check_database
    yield "record", check_record
    yield "runs", _interrupted
    if is_anothers(path):
        return
    if StoreFiles(path).snapshots.is_dir():
        yield "snapshots", check_snapshots
    yield "sharing", _shared
    yield "notifications", _told


def _tried(check: str, examine_it: Callable[[], str]) -> Finding:
    try:
        return Finding(check=check, is_fine=True, text=examine_it())
    except OrchestrateError as error:
        return Finding(check=check, is_fine=False, text=str(error))


def _configuration() -> str:
    roles = load_user_config().roles
    return f"{len(roles)} role(s)"


def _shared(path: Path) -> str:
    """Who else reads the database. Raises Refused when those who should cannot."""
    group = load_user_config().share_group
    if not group:
        return f"only {current_user()} is meant to read {path}"
    if trouble := what_hides(StoreFiles(path), group):
        raise Refused(f"The group '{group}' cannot read {path}: {trouble}")
    return f"the group '{group}' may read {path}"


def _interrupted(path: Path) -> str:
    history = History(path, hands_off=True)
    for run in history.runs(limit=_MOST_READ):  # which fails where a value makes no sense
        history.stages(run.id)
        history.definition(run.id)
    under_way = [
        *history.runs(status=RunStatus.RUNNING, limit=_MOST_READ),
        *history.runs(status=RunStatus.INTERRUPTED, limit=_MOST_READ),
    ]
    events = history.rollbacks(limit=_MOST_READ)
    lost = sorted(
        {run.id for run in under_way if run.status is RunStatus.INTERRUPTED}
        | {event.run_id for event in events if event.is_left}
    )
    if not lost:
        return "none is interrupted"
    numbers = ", ".join(map(str, lost))
    return f"interrupted: {numbers}; go on with: orchestrate-tui resume RUN{database_option(path)}"


def _told(path: Path) -> str:
    """Whether somebody sees to what people are to be told. Raises Refused when nobody does."""
    left = unattended(History(path, hands_off=True))
    if left:
        numbers = ", ".join(map(str, left))
        raise Refused(
            f"Nobody tells people of run(s) {numbers} any more",
            next_step="The next command that works on a run goes on with it, if it has the"
            f" variables; or say: orchestrate-tui acknowledge RUN{database_option(path)}",
        )
    return "somebody sees to what is to be told"


def _writable(path: Path) -> Finding:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if is_anothers(path):
        is_mine = os.access(path, os.R_OK)
        state = "for you to read" if is_mine else "not for you to read"
        return Finding(check="folder", is_fine=is_mine, text=f"{path} is {state}")
    is_fine = os.access(folder, os.W_OK)
    state = "writable" if is_fine else "not writable by you"
    return Finding(check="folder", is_fine=is_fine, text=f"{folder} is {state}")
