"""What migrations say of older rows is what the program records of newer ones."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrate_tui.domain.pipeline import Environment, Undo
from orchestrate_tui.domain.release import Ruling
from orchestrate_tui.store.migrator import migration_files, statements
from tests.executor.scenery import ROLLBACK, Scene, after, stage, undone

pytestmark = pytest.mark.anyio

RETURNS = (
    "SELECT pipeline, environment, stage_name, component, rollback_id, release_id FROM returns"
    " ORDER BY rollback_id, stage_name, component"
)
FILLS = re.compile(r"^(INSERT|UPDATE) ", re.MULTILINE)
STEPS = "SELECT rollback_id, position, environment FROM rollback_steps ORDER BY 1, 2"


async def deployed(scene: Scene, **settings: Any) -> int:
    undo = Undo(task=settings.pop("undo", "true"))
    run = await scene.run(
        stage("build", rollback=Undo(task="true")),
        after("deploy", "build", environment="live", rollback=undo, **settings),
        after("smoke", "deploy", environment="live"),
    )
    return run.id


def repeated(path: Path, migration: str, forget: str) -> None:
    """Do once more what a migration does with the rows that are there."""
    (text,) = (text for name, text in migration_files() if name.startswith(migration))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(forget)
        for statement in filter(FILLS.search, statements(text)):
            connection.execute(statement)
        connection.commit()


def rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


async def test_what_rollbacks_went_back_to(scene: Scene, tmp_path: Path) -> None:
    both = {"components": ("api", "web")}
    for settings in ({}, {}, {}, both, both):
        await deployed(scene, **settings)
    await scene.executor.trigger_rollback(5, "smoke", "deploy", components=("web",))
    await scene.executor.trigger_rollback(4, "smoke", "deploy", force=True, reason="x")
    await scene.executor.trigger_rollback(3, "smoke", "deploy", release="1", force=True, reason="x")
    await scene.executor.trigger_rollback(await deployed(scene, undo="exit 1"), "smoke", "build")
    copied = tmp_path / "copy.db"
    rows(scene.executor.database.path, f"VACUUM INTO '{copied}'")
    before = rows(copied, RETURNS)
    repeated(copied, "026", "DELETE FROM returns")
    assert rows(copied, RETURNS) == before
    assert [release for *_, release in before] == [8, 5, 5, 6, 1, 2]


async def test_which_rollbacks_came_before_a_reset(scene: Scene, tmp_path: Path) -> None:
    breaker = (Environment(name="live", breaker=1),)
    fails = after("test", "deploy", task="exit 1", on_failure=ROLLBACK, rollback_to="deploy")
    for _ in range(2):
        await scene.run(undone("deploy", environment="live"), fails, environments=breaker)
        (tripped,) = scene.history.breakers()
        await scene.executor.rule(Ruling.RESET, tripped.id, reason="x")
    copied = tmp_path / "copy.db"
    rows(scene.executor.database.path, f"VACUUM INTO '{copied}'")
    with closing(sqlite3.connect(copied)) as connection:
        connection.execute("ALTER TABLE stages DROP COLUMN requested_boot")
        connection.execute("ALTER TABLE breakers DROP COLUMN reset_after")
        connection.executescript(dict(migration_files())["027_clocks_that_are_set"])
    assert rows(copied, "SELECT reset_after FROM breakers ORDER BY id") == [(1,), (2,)]


async def test_where_each_step_undid_something(scene: Scene, tmp_path: Path) -> None:
    for _ in range(2):
        await deployed(scene)
    await scene.executor.trigger_rollback(2, "deploy", "build")
    copied = tmp_path / "copy.db"
    rows(scene.executor.database.path, f"VACUUM INTO '{copied}'")
    repeated(copied, "025", "UPDATE rollback_steps SET environment = NULL")
    assert rows(copied, STEPS) == [(1, 0, "live"), (1, 1, None)]
    assert rows(copied, "SELECT cascade FROM rollback_events") == [(1,)]
