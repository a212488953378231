"""Somebody at a shell who gives commands at given moments: `python -m tests.torture.speaker`.

Reads a line of JSON for each: `words` of a command, and `at`, on the monotonic clock. Answers with
the exit code and what was said. The name of a protection, of WITHOUT, as argument turns it off.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orchestrate_tui import cli
from orchestrate_tui.cli import decisions, doctor, history, rollbacks, running
from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.executor import asking, taking_over
from orchestrate_tui.store.fencing import Takeover
from orchestrate_tui.store.record import record

if TYPE_CHECKING:
    import sqlite3

LOADED = (decisions, doctor, history, rollbacks, running)


def note_anyway(
    connection: sqlite3.Connection, run_id: int, actor: str, comment: str, at: datetime
) -> None:
    """Acknowledge, whoever has done so before."""
    connection.execute("UPDATE runs SET acknowledged_by = ? WHERE id = ?", (actor, run_id))
    record(connection, run_id, to_text(at), "acknowledgement", actor=actor, detail=comment)


def take_anyway(
    connection: sqlite3.Connection, run_id: int, *, takeover: Takeover, **_seen: object
) -> None:
    """Take a run over, whoever has done so before."""
    connection.execute(
        "UPDATE runs SET epoch = ?, status = 'interrupted' WHERE id = ?", (takeover.epoch, run_id)
    )


WITHOUT: dict[str, list[tuple[Any, str, Any]]] = {
    "one acknowledgement": [(asking, "acknowledge", note_anyway)],
    "one owner": [
        (taking_over, "take_over", take_anyway),
        (taking_over.TakingOver, "_refuse_taken", lambda *_: None),
    ],
}


def say(words: list[str], at: float) -> dict[str, object]:
    """Give the command at that moment."""
    told = io.TextIOWrapper(io.BytesIO(), write_through=True)
    time.sleep(max(at - time.monotonic(), 0))
    with redirect_stdout(told), redirect_stderr(told):
        code = cli.main(words)
    told.seek(0)
    return {"code": code, "said": told.read()}


def main() -> None:
    for protection in sys.argv[1:]:
        for place, name, instead in WITHOUT[protection]:
            setattr(place, name, instead)
    print("ready", flush=True)  # noqa: T201
    for line in os.fdopen(os.dup(0)):  # sys.stdin stays as a command finds it
        print(json.dumps(say(**json.loads(line))), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
