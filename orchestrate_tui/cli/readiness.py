"""`readiness`: whether the stages of a run could be undone now."""

from __future__ import annotations

from argparse import Namespace
from functools import partial

from orchestrate_tui.cli.marked import print_table
from orchestrate_tui.cli.places import database_path
from orchestrate_tui.cli.records import print_json
from orchestrate_tui.cli.terminal import say
from orchestrate_tui.console.last_rehearsed import last_rehearsed
from orchestrate_tui.console.marks import light_mark
from orchestrate_tui.domain.moments import to_text, utc_now
from orchestrate_tui.domain.readiness import Light, Readiness
from orchestrate_tui.domain.rehearsal import Rehearsal
from orchestrate_tui.executor.readiness import run_readiness
from orchestrate_tui.store.history import History
from orchestrate_tui.store.rehearsals import last_rehearsal


def readiness(arguments: Namespace) -> int:
    """Show a light for each stage; 1 when one of them could not be undone."""
    history = History(database_path(arguments), hands_off=True)
    found = run_readiness(history, arguments.run, thorough=True)
    rehearsal = history.query(partial(last_rehearsal, run_id=arguments.run))
    if arguments.json:
        print_json([_record(one, rehearsal) for one in found])
    else:
        print_table(("STAGE", "", "LIGHT", "SNAPSHOT", "RELEASE", "WHY"), map(_row, found))
        say()
        say(f"Run {arguments.run} was {last_rehearsed(rehearsal, utc_now())}")
    return int(any(one.light is Light.NOT_READY for one in found))


def _row(one: Readiness) -> tuple[str, ...]:
    mark = light_mark(one.light)
    release = "" if one.release is None else str(one.release)
    return one.stage_name, mark.glyph, mark.word, one.snapshot, release, "; ".join(one.problems)


def _record(one: Readiness, rehearsal: Rehearsal | None) -> dict[str, object]:
    return {
        "stage_name": one.stage_name,
        "light": one.light,
        "is_undo_defined": one.is_undo_defined,
        "agent": one.agent or None,
        "is_agent_known": one.is_agent_known,
        "snapshot": one.snapshot,
        "release": one.release,
        "problems": one.problems,
        "rehearsed_at": to_text(rehearsal.completed_at) if rehearsal else None,
        "rehearsal": rehearsal.outcome if rehearsal else None,
    }
