"""The command that copies the database."""

from __future__ import annotations

import sys
from argparse import Namespace

from orchestrate_tui.cli.places import existing_database_path
from orchestrate_tui.cli.records import print_json
from orchestrate_tui.cli.terminal import say
from orchestrate_tui.store import backup
from orchestrate_tui.store.soundness import in_words


def back_up(arguments: Namespace) -> int:
    """Copy the database; 1 when what was copied is damaged."""
    source = existing_database_path(arguments)
    made = backup.back_up(source, arguments.file.absolute(), replaces=arguments.force)
    damage = in_words(made.verdict.damage)
    if arguments.json:
        print_json(
            {
                "database": str(source),
                "backup": str(made.path),
                "bytes": made.size_bytes,
                "events": made.verdict.count,
                "last_event": made.verdict.end.event_id,
                "damage": [one.sentence for one in made.verdict.damage],
            }
        )
    else:
        say(f"Backed up {source} to {made.path}: {made.verdict.count} event(s); logs stay behind")
    if damage:
        say(f"orchestrate-tui: The record in {source} is damaged: {damage}", to=sys.stderr)
    return 1 if damage else 0
