"""What a restore would change is listed without changing anything."""

from __future__ import annotations

import os
from pathlib import Path

from tests.trees import picture_of
from tests.unit.snapshots.shelf import Shelf


def test_a_preview_tells_what_comes_back_changes_and_goes(work: Path, shelf: Shelf) -> None:
    (work / "conf").mkdir()
    (work / "conf/app").write_text("port=1\nname=a\n")
    (work / "conf/gone").write_text("12345")
    (work / "conf/same").write_text("same")
    manifest = shelf.take(work, "conf")
    (work / "conf/app").write_text("port=2\nname=a\n")
    (work / "conf/gone").unlink()
    (work / "conf/new").write_text("123")
    os.utime(work / "conf/same", ns=(0, 0))
    before = picture_of(work)
    found = {one.path: one for one in shelf.preview(manifest)}
    assert picture_of(work) == before
    assert {path: (one.fate, one.now, one.then) for path, one in found.items()} == {
        "conf/app": ("changed", 14, 14),
        "conf/gone": ("added", None, 5),
        "conf/new": ("removed", 3, None),
    }
    assert found["conf/app"].diff[-3:] == ("-port=2", "+port=1", " name=a")


def test_every_obstacle_is_told_and_nothing_else_of_the_preview_is_lost(
    work: Path, shelf: Shelf
) -> None:
    (work / "conf").mkdir()
    (work / "conf/app").write_text("port=1\n")
    (work / "moved").mkdir()
    (work / "moved/app").write_text("one")
    manifest = shelf.take(work, "conf", "moved/app")
    (work / "conf/app").write_text("port=2\n")
    (work / "moved").rename(work / "elsewhere")
    (work / "moved").symlink_to("elsewhere")
    (work / "elsewhere/app").write_text("two")
    (pack,) = shelf.packs.iterdir()
    pack.write_bytes(pack.read_bytes()[:-1] + b"\0")
    link, damage = shelf.obstacles(manifest)
    assert link.endswith("/moved' has become a link to elsewhere")
    assert damage.startswith("the snapshot is damaged: what was kept of 'moved/app' is gone")
    assert [one.path for one in shelf.preview(manifest)] == ["conf/app", "moved/app"]
    pack.write_bytes(b"")
    assert any("of 'conf/app'" in why for why in shelf.obstacles(manifest))


def test_what_is_no_text_has_no_diff(work: Path, shelf: Shelf) -> None:
    (work / "image").write_bytes(b"\x89\0")
    manifest = shelf.take(work, "image")
    (work / "image").write_bytes(b"\x89\1")
    (one,) = shelf.preview(manifest)
    assert one.diff == ()
