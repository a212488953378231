"""What a prune keeps does not depend on how it looks for it."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrate_tui.domain.moments import to_text
from orchestrate_tui.domain.pipeline import Pipeline, Stage
from orchestrate_tui.store import open_database, pruning
from orchestrate_tui.store.definitions import insert_definition
from orchestrate_tui.store.placing import place_before
from tests.store.scenery import NOON

BOTH = ("api", "web")
AT = to_text(NOON)
RUN = "INSERT INTO runs (pipeline, definition_hash, status, actor, created_at, started_at)"
STAGE = "INSERT INTO stages (run_id, position, stage_name, agent, status, environment, started_at)"
EVENT = "INSERT INTO events (run_id, at, kind, stage_name, to_status)"
RELEASE = (
    "INSERT INTO releases (pipeline, environment, component, run_id, stage_name, definition_hash,"
    " event_id, created_at)"
)
ROLLBACK = (
    "INSERT INTO rollback_events"
    " (run_id, failed_stage_name, rollback_to_stage, trigger_type, created_at)"
)
RETURN = (
    "INSERT INTO returns (pipeline, environment, stage_name, component, rollback_id, event_id,"
    " release_id)"
)


class Past:
    """Deployments and rollbacks, written as they are recorded."""

    def __init__(self, connection: sqlite3.Connection, rng: random.Random) -> None:
        self._connection, self._rng = connection, rng
        self._open: list[int] = []
        plain = Stage(name="deploy", agent="a", task="t", environment="live", depends_on=())
        parts = Stage(
            name="parts", agent="a", task="t", environment="live", depends_on=(), components=BOTH
        )
        made = Pipeline(name="shop", stages=(plain, parts))
        self._digest = insert_definition(connection, made, "", AT)

    def _insert(self, statement: str, *values: object) -> int:
        signs = ", ".join("?" * len(values))
        return self._connection.execute(f"{statement} VALUES ({signs})", values).lastrowid or 0

    def begin(self) -> None:
        run_id = self._insert(RUN, "shop", self._digest, "succeeded", "x", AT, AT)
        for position, name in enumerate(("deploy", "parts")):
            self._insert(STAGE, run_id, position, name, "a", "succeeded", "live", AT)
            self._insert(EVENT, run_id, AT, "stage", name, "running")
        self._open.append(run_id)

    def succeed(self) -> None:
        if not self._open:
            return
        run_id = self._open.pop(self._rng.randrange(len(self._open)))
        event = self._insert(EVENT, run_id, AT, "release", "deploy", None)
        for name, component in (("deploy", None), *(("parts", one) for one in BOTH)):
            if self._rng.random() < 0.8:
                self._insert(
                    RELEASE, "shop", "live", component, run_id, name, self._digest, event, AT
                )

    def undo(self) -> None:
        rows = self._connection.execute("SELECT * FROM releases WHERE undone_by IS NULL").fetchall()
        if not rows:
            return
        row, named = self._rng.choice(rows[-4:]), self._rng.choice(rows)
        rollback = self._insert(ROLLBACK, row["run_id"], "deploy", "deploy", "manual", AT)
        event = self._insert(EVENT, row["run_id"], AT, "step", row["stage_name"], "succeeded")
        before = place_before(self._connection, row["run_id"], row["stage_name"], row["component"])
        is_named = named["id"] < row["id"] and self._rng.random() < 0.4
        self._insert(
            RETURN, "shop", "live", row["stage_name"], row["component"], rollback, event,
            named["id"] if is_named else before,
        )  # fmt: skip
        self._connection.execute(
            "UPDATE releases SET undone_by = ? WHERE id = ?", (rollback, row["id"])
        )


@pytest.mark.parametrize("seed", range(6))
def test_it_looks_no_further_than_it_has_to(
    path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    open_database(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        past = Past(connection, rng)
        for _ in range(150):
            rng.choice((past.begin, past.succeed, past.succeed, past.undo))()
        runs = [row["id"] for row in connection.execute("SELECT id FROM runs")]
        old = [runs[: len(runs) * share // 8] for share in range(1, 9)]
        old += [sorted(rng.sample(runs, len(runs) // 2)) for _ in range(8)]
        quickly = [pruning.needed_runs(connection, one).intersection(one) for one in old]
        monkeypatch.setattr(pruning, "_horizon", lambda *_: {("shop", "live"): {}})
        assert [pruning.needed_runs(connection, one).intersection(one) for one in old] == quickly
        assert any(quickly)
