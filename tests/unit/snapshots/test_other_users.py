"""Snapshots of somebody who is not root, and may not do everything."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.other_user import OtherUser
from tests.unit.snapshots.shelf import Shelf
from tests.unit.snapshots.test_attributes import access, give

NOBODY = 65534
BEGIN = """
import os, sys
from pathlib import Path
from orchestrate_tui.snapshots.errors import SnapshotError
from orchestrate_tui.snapshots.journal import empty_trash, trash_beside
from tests.unit.snapshots.shelf import Shelf
from tests.trees import picture_of
home = Path(sys.argv[1])
shelf, work = Shelf(home / "shelf"), home / "work"
tree = work / "tree"
"""
CHANGED_AND_BACK = """
before = picture_of(tree)
manifest = shelf.take(work, "tree")
if tree.is_dir():
    tree.chmod(0o700)
    (tree / "file").unlink()
    (tree / "file").write_text("now")
    if "user.note" in os.listxattr(tree):
        os.removexattr(tree, "user.note")
    tree.chmod(int(sys.argv[2], 8))
assert picture_of(tree) != before
assert shelf.restore(manifest) == 1
assert picture_of(tree) == before, (before, picture_of(tree))
empty_trash(shelf.journals)
assert not list(trash_beside(shelf.journals).iterdir())
assert os.listdir(work) == ["tree"]
"""
REFUSED = """
try:
    shelf.take(work, sys.argv[2])
except SnapshotError as error:
    print(error)
"""

Nobody = Callable[..., str]


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that others may enter; those of pytest are closed whenever one begins."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def work(home: Path) -> Path:
    (home / "work").mkdir()
    return home / "work"


@pytest.fixture
def nobody(home: Path, work: Path) -> Nobody:
    """Does something as a user to whom everything belongs; what that says."""
    other = OtherUser.named("nobody")

    def do(script: str, *arguments: object) -> str:
        for path in (home, work, *work.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        process = other.start(BEGIN + script, home, *arguments)
        told, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint
        return told

    return do


@pytest.fixture
def tree(work: Path) -> Path:
    (work / "tree/inner").mkdir(parents=True)
    (work / "tree/file").write_text("then")
    (work / "tree/inner/file").write_text("then")
    return work / "tree"


def test_attributes_and_access_lists_of_their_own_come_back(tree: Path, nobody: Nobody) -> None:
    for path in (tree, tree / "inner", tree / "file", tree / "inner/file"):
        give(path, "user.note", b"then")
        give(path, "system.posix_acl_access", access(1, 5))
    for path in (tree / "inner/file", tree / "inner"):
        path.chmod(0o555)
    nobody(CHANGED_AND_BACK, "755")


@pytest.mark.parametrize(("then", "now"), [("555", "555"), ("555", "755"), ("755", "555")])
def test_a_folder_that_may_not_be_written_comes_back(
    tree: Path, nobody: Nobody, then: str, now: str
) -> None:
    (tree / "inner").chmod(0o500)
    tree.chmod(int(then, 8))
    nobody(CHANGED_AND_BACK, now)


def test_what_nothing_could_be_put_back_into_is_refused_by_name(tree: Path, nobody: Nobody) -> None:
    tree.chmod(0o555)
    told = nobody(REFUSED, "tree/file")
    assert told == f"'{tree}' may not be written: nothing could be put back there\n"


def test_what_may_not_be_read_is_refused_by_name(tree: Path, nobody: Nobody) -> None:
    (tree / "inner/file").chmod(0)
    assert nobody(REFUSED, "tree") == "'tree/inner/file': Permission denied\n"


def test_what_a_folder_passes_on_is_not_given_to_one_that_may_not_be_written(
    work: Path, shelf: Shelf, tree: Path
) -> None:
    tree.chmod(0o555)
    manifest = shelf.take(work, "tree")
    give(work, "system.posix_acl_default", access(1, 4))
    (tree / "file").write_text("now")
    shelf.restore(manifest)
    assert [os.listxattr(path) for path in (tree, tree / "file", tree / "inner")] == [[], [], []]
