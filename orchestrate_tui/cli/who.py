"""The command that lists who is at a database."""

from __future__ import annotations

import sys
from argparse import Namespace

from orchestrate_tui.cli.marked import print_table
from orchestrate_tui.cli.places import database_path
from orchestrate_tui.cli.records import JsonObject, print_json
from orchestrate_tui.cli.terminal import local, say
from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.domain.presence import Person
from orchestrate_tui.store.attendance import present
from orchestrate_tui.store.history import History
from orchestrate_tui.store.trouble import trouble_at

Driven = dict[int | None, tuple[int, ...]]
"""The runs that are worked on, by the executors that do."""


def who(arguments: Namespace) -> int:
    """List the consoles and the executors at a database, and say what keeps these from working."""
    history = History(database_path(arguments), hands_off=True)
    driven = history.driven()
    people = present(history.files)
    if trouble := trouble_at(history.files):
        say(trouble, to=sys.stderr)
    if arguments.json:
        print_json([_record(person, driven) for person in people])
    elif people:
        heads = ("PID", "WHO", "WHERE", "SINCE", "AS", "RUNS")
        print_table(heads, [_row(person, driven) for person in people])
    else:
        say("Nobody is there", to=sys.stderr)
    return 0


def _runs(person: Person, driven: Driven) -> list[int]:
    return sorted(run for epoch in person.epochs for run in driven.get(epoch, ()))


def _row(person: Person, driven: Driven) -> tuple[str, ...]:
    return (
        str(person.pid),
        person.name,
        person.place,
        local(person.since),
        person.mode,
        " ".join(f"#{run}" for run in _runs(person, driven)),
    )


def _record(person: Person, driven: Driven) -> JsonObject:
    return {
        "pid": person.pid,
        "user": person.user,
        "terminal": person.terminal,
        "ssh": person.is_remote,
        "since": to_text(person.since) if person.since else None,
        "mode": person.mode,
        "runs": _runs(person, driven),
    }
