"""Extended attributes and access control lists: kept, compared, and put back, whoever does it."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import pytest

from orchestrate_tui.snapshots.errors import SnapshotError, Unfit
from orchestrate_tui.snapshots.manifest import Manifest
from tests.trees import picture_of
from tests.unit.snapshots.shelf import Shelf

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
CAPABILITY = struct.pack("<5I", 0x02000000, 1 << 10, 0, 0, 0)
"""That who executes the file may bind low ports."""


def access(user: int, rights: int) -> bytes:
    """A list that lets one more user do so much."""
    entries = ((1, 7, -1), (2, rights, user), (4, 4, -1), (16, 6, -1), (32, 0, -1))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)


def give(path: Path, name: str, value: bytes) -> None:
    """Set an attribute; skips the test where the file system knows none of its kind."""
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        pytest.skip(f"no {name} on the file system of {path}: {error}")


@pytest.fixture
def tree(work: Path) -> Path:
    """A folder and a file with attributes of each kind."""
    tree = work / "tree"
    tree.mkdir()
    (tree / "file").write_text("content")
    for path in (tree, tree / "file"):
        give(path, "user.note", b"then\0\xff")
        give(path, ACCESS, access(1, 6))
    give(tree, DEFAULT, access(1, 4))
    return tree


CHANGES = {
    "another value": ("file", "user.note", b"now"),
    "one more": ("file", "user.more", b""),
    "one less": ("file", "user.note", None),
    "another list": ("file", ACCESS, access(1, 4)),
    "no list": ("file", ACCESS, None),
    "of a folder": (".", "user.note", b"now"),
    "a list of a folder": (".", ACCESS, access(2, 6)),
    "what a folder passes on": (".", DEFAULT, None),
}


@pytest.mark.parametrize(("name", "attribute", "value"), CHANGES.values(), ids=CHANGES)
def test_an_attribute_comes_back_although_nothing_else_changed(
    work: Path, shelf: Shelf, tree: Path, name: str, attribute: str, value: bytes | None
) -> None:
    manifest, before = shelf.take(work, "tree"), picture_of(tree)
    if value is None:
        os.removexattr(tree / name, attribute)
    else:
        os.setxattr(tree / name, attribute, value)
    assert picture_of(tree) != before
    assert [change.path for change in shelf.preview(manifest)] == [
        str(Path("tree", name)) if name != "." else "tree"
    ]
    assert shelf.restore(manifest) == 1
    assert picture_of(tree) == before


def test_folders_on_the_way_come_back_with_theirs(work: Path, shelf: Shelf, tree: Path) -> None:
    manifest = shelf.take(work, "tree/file")
    before = {name: os.getxattr(tree, name) for name in os.listxattr(tree)}
    (tree / "file").unlink()
    tree.rmdir()
    shelf.restore(manifest)
    assert {name: os.getxattr(tree, name) for name in os.listxattr(tree)} == before


@pytest.mark.parametrize("code", [errno.ENOTSUP, errno.ENOSPC])
def test_an_attribute_that_cannot_be_given_back_is_named_and_nothing_changes(
    work: Path, shelf: Shelf, tree: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    manifest = shelf.take(work, "tree")
    (tree / "file").write_text("now")
    before = picture_of(tree)
    given = os.setxattr

    def refuse(path: int, name: bytes, value: bytes) -> None:
        if name == b"user.note":
            raise OSError(code, os.strerror(code))
        given(path, name, value)

    monkeypatch.setattr(os, "setxattr", refuse)
    with pytest.raises(SnapshotError) as refused:
        shelf.restore(manifest)
    assert f"its attribute 'user.note': {os.strerror(code)}" in str(refused.value)
    assert "tree/file'" in str(refused.value)
    assert picture_of(tree) == before


def test_what_only_root_could_give_back_is_refused_by_name(
    work: Path, shelf: Shelf, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(tree / "file", "security.capability", CAPABILITY)
    before = picture_of(tree)
    manifest: Manifest = shelf.take(work, "tree")
    (tree / "file").unlink()
    shelf.restore(manifest)
    assert picture_of(tree) == before
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(tree).st_uid or 1)
    monkeypatch.setattr("orchestrate_tui.snapshots.walk._may_give", lambda _: True)
    with pytest.raises(Unfit, match=r"'tree/file' has the attribute 'security\.capability', which"):
        shelf.take(work, "tree")
