"""The example of snapshots, run and rolled back as a person would."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.desk import EXAMPLES, Desk

RESTORE = EXAMPLES / "restore.yaml"
BACK = ("--from", "check", "--to", "configure", "--reason", "the port is taken")


def kept(folder: Path) -> dict[str, bytes]:
    """All files but the database, which `prepare` makes, and what the undo notes."""
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_configuration_and_a_database_come_back_byte_for_byte(desk: Desk) -> None:
    folder = desk.folder / "restore-work"
    assert desk.do("run", RESTORE, "--var", "port=80").code == 0
    before = kept(folder) | {"reloaded": b"80\n"}
    assert desk.do("run", RESTORE, "--var", "port=8080").code == 0
    assert kept(folder) != before
    plan = desk.do("rollback", 2, *BACK, "--dry-run").out
    assert "  1. undo migrate: put back restore-work/app.db\n" in plan
    assert "  2. undo configure: put back restore-work/conf, then Listen on port 80 again" in plan
    assert "       ~ restore-work/conf/app.ini changes (21 B → 19 B)\n" in plan
    assert "           -port = 8080\n           +port = 80\n" in plan
    assert kept(folder) != before
    assert desk.do("rollback", 2, *BACK, "--yes").code == 0
    assert kept(folder) == before


def test_a_damaged_snapshot_is_told_before_and_after_it_was_to_be_put_back(desk: Desk) -> None:
    assert desk.do("run", RESTORE, "--var", "port=8080").code == 0
    for pack in desk.database.with_name(f"{desk.database.name}.snapshots").glob("packs/*"):
        pack.write_bytes(b"")
    damaged = "the snapshot is damaged: what was kept of 'restore-work/app.db' is gone"
    looked = desk.do("rollback", 1, *BACK, "--dry-run")
    assert (looked.code, f"✗ it would not be put back: {damaged}" in looked.out) == (0, True)
    assert "nothing of it has changed" not in looked.out
    failed = desk.do("rollback", 1, *BACK, "--yes")
    assert failed.code == 1
    assert failed.out.startswith(f"Rollback 1 of run 1 failed: step 'migrate' failed: {damaged}")
    assert failed.err.startswith("Try again what is left: orchestrate-tui rollback 1 --from check")


def test_a_plan_in_json_has_what_would_change(desk: Desk) -> None:
    assert desk.do("run", RESTORE, "--var", "port=8080").code == 0
    plan = desk.json("rollback", 1, *BACK, "--dry-run")
    changes = {one["path"]: one for one in plan["steps"][1]["changes"]}
    assert changes["restore-work/conf/app.ini.bak"] == {
        "change": "removed",
        "path": "restore-work/conf/app.ini.bak",
        "size_now": 14,
        "size_then": None,
        "diff": [],
    }
    assert changes["restore-work/conf/app.ini"]["diff"][-2:] == ["-port = 8080", "+port = 80"]


def test_what_a_later_run_changed_is_put_back_only_by_force(desk: Desk) -> None:
    for port in ("8080", "9090"):
        assert desk.do("run", RESTORE, "--var", f"port={port}").code == 0
    refused = desk.do("rollback", 1, *BACK, "--yes")
    assert refused.code == 2
    assert "was changed since by stage 'migrate' of run 2. To lose that, add --force" in refused.err
    assert desk.do("rollback", 1, *BACK, "--yes", "--force").code == 0
    assert "port = 80\n" in (desk.folder / "restore-work/conf/app.ini").read_text()
