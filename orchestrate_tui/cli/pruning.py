"""`prune`: removing the logs and releases of old runs that no rollback needs any more."""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import timedelta

from orchestrate_tui.cli.places import existing_database_path
from orchestrate_tui.cli.records import print_json
from orchestrate_tui.cli.terminal import can_ask, confirmed, say
from orchestrate_tui.cli.waiting import Waiting
from orchestrate_tui.domain.moments import utc_now
from orchestrate_tui.errors import Refused
from orchestrate_tui.executor.snapshot_space import free_snapshots
from orchestrate_tui.spec.durations import parse_duration
from orchestrate_tui.store.accounts import current_user, is_anothers, owner_of
from orchestrate_tui.store.database import open_database
from orchestrate_tui.store.history import History
from orchestrate_tui.store.pruning import Limits, PrunedRun, Pruning, plan_pruning, prune


def prune_runs(arguments: Namespace) -> int:
    """Say what would go, ask, and remove it; 2 when that is refused."""
    limits = _limits(arguments)
    path = existing_database_path(arguments)
    if is_anothers(path):
        raise Refused(f"The database {path} belongs to {owner_of(path)}: only they prune it")
    history = History(path)
    plan = history.query(lambda reader: plan_pruning(reader, history.files, limits))
    history.close()
    if arguments.dry_run:
        return _report(arguments, plan, "would be pruned")
    if plan.runs and not arguments.yes:
        _confirm(plan)
    waiting = Waiting()
    with waiting.heard(), open_database(path, waiting=waiting.tell) as database:
        done = prune(database, limits, current_user(), utc_now()) if plan.runs else plan
        freed = free_snapshots(database)
    if freed:
        say(f"{freed:,} bytes of snapshots are free", to=sys.stderr)
    return _report(arguments, done, "pruned")


def _confirm(plan: Pruning) -> None:
    """Ask whether that shall be pruned. Raises Refused."""
    if not can_ask():
        raise Refused(
            "Nobody can be asked for confirmation here",
            next_step="Look at it with --dry-run, then confirm it with --yes",
        )
    if not confirmed(f"Prune {_sum(plan.runs)}?"):
        raise Refused("Not confirmed", next_step="Nothing was changed")


def _limits(arguments: Namespace) -> Limits:
    if arguments.older_than is None and arguments.keep is None:
        raise Refused(
            "Nothing says what is old", next_step="Say --older-than 30d, --keep 20, or both"
        )
    age = arguments.older_than
    before = utc_now() - timedelta(seconds=parse_duration(age)) if age is not None else None
    return Limits(before=before, keep=arguments.keep)


def _report(arguments: Namespace, plan: Pruning, verb: str) -> int:
    if arguments.json:
        print_json({"pruned": [_record(run) for run in plan.runs], "needed": plan.needed})
        return 0
    for run in plan.runs:
        say(f"Run {run.run_id}: {_sum((run,))}")
    say(f"{_sum(plan.runs)} {verb}")
    if plan.needed:
        which = ", ".join(map(str, plan.needed))
        say(f"Kept for a possible rollback: run(s) {which}", to=sys.stderr)
    return 0


def _sum(runs: tuple[PrunedRun, ...]) -> str:
    files = sum(len(run.files) for run in runs)
    releases = sum(len(run.releases) for run in runs)
    size = sum(run.size_bytes for run in runs)
    return f"{files} file(s), {size:,} bytes, and {releases} release(s) of {len(runs)} run(s)"


def _record(run: PrunedRun) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "files": [str(file) for file in run.files],
        "bytes": run.size_bytes,
        "releases": run.releases,
    }
