from __future__ import annotations

import shutil

import pytest

from orchestrate_tui.store.database import StoreFiles
from tests.acceptance.desk import Desk
from tests.store.test_event_chain import unchained


def test_a_backup_is_made_while_a_run_is_under_way_and_doctor_finds_it_whole(desk: Desk) -> None:
    job = desk.start("run", desk.pipeline("  - {name: wait, agent: hold, task: t}\n"))
    desk.ready.stage()
    told = desk.json("backup", "copy.db")
    assert told["backup"] == str(desk.folder / "copy.db")
    assert (told["events"], told["damage"]) == (3, [])
    assert desk.do("backup", "copy.db").code == 2
    assert desk.do("backup", "copy.db", "--force").code == 0
    desk.gate.open()
    assert job.end().code == 0
    checked = desk.do("doctor", ORCHESTRATE_DB=told["backup"])
    assert checked.code == 0
    assert "record: 3 event(s), none changed and none missing" in checked.out
    shown = desk.do("show", 1, ORCHESTRATE_DB=told["backup"])
    assert "interrupted" in shown.out


def test_a_missing_database_is_not_backed_up(desk: Desk) -> None:
    refused = desk.do("backup", "copy.db")
    assert (refused.code, "There is no database" in refused.err) == (2, True)
    assert not (desk.folder / "copy.db").exists()


def test_an_older_database_is_kept_before_it_is_changed_and_that_is_said(desk: Desk) -> None:
    pipeline = desk.pipeline("  - {name: build, agent: fine, task: t}\n")
    assert desk.do("run", pipeline).code == 0
    unchained(desk.database)
    told = desk.do("run", pipeline)
    assert told.code == 0
    (former,) = desk.database.parent.glob("*.backup")
    assert f"as it was before it is kept in {former}" in told.err
    assert [run["id"] for run in desk.json("runs")] == [2, 1]


def killed(desk: Desk) -> None:
    """Leave the database as a process does that is killed while it works on a run."""
    job = desk.start("run", desk.pipeline("  - {name: wait, agent: hold, task: t}\n"))
    desk.ready.stage()
    job.close()
    desk.gate.open()


@pytest.mark.parametrize("with_head", [True, False])
def test_a_backup_is_restored_in_the_place_of_a_lost_database(
    desk: Desk, *, with_head: bool
) -> None:
    database, fine = desk.database, "  - {name: build, agent: fine, task: t}\n"
    assert desk.do("run", desk.pipeline(fine)).code == 0
    assert desk.do("backup", "copy.db").code == 0
    killed(desk)
    log = database.with_name(f"{database.name}-wal")
    assert log.stat().st_size
    database.unlink()
    assert "is missing, or empty" in desk.do("runs").err
    shutil.copy(desk.folder / "copy.db", database)
    if with_head:
        shutil.copy(desk.folder / "copy.db.head", StoreFiles(database).head)
    for command in (("runs",), ("run", desk.pipeline(fine)), ("doctor", "--accept-damage", "r")):
        said = desk.do(*command)
        assert said.code == 2
        assert f"is not its own. Remove {log} and {database}-shm" in said.err
    log.unlink()
    database.with_name(f"{database.name}-shm").unlink()
    if not with_head:
        assert "are lost, though committed" in desk.do("run", "shop.yaml").err
        assert desk.do("doctor", "--accept-damage", "the disk broke").code == 0
    assert desk.do("run", desk.pipeline(fine)).code == 0
    assert [run["id"] for run in desk.json("runs")] == [2, 1]
    assert desk.do("doctor").code == 0
