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
    assert desk.do("rollback", 2, *BACK, "--yes").code == 0
    assert kept(folder) == before
