from __future__ import annotations

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
