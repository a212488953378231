"""What a snapshot holds is put back as it was, whole, and nothing else is touched."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from orchestrate_tui.inode_flags import lay_apart
from orchestrate_tui.snapshots.blobs import PackReader, PackWriter
from orchestrate_tui.snapshots.errors import Damaged, InUse, Unfit
from orchestrate_tui.snapshots.journal import empty_trash, finish_left, trash_beside
from orchestrate_tui.snapshots.manifest import FILE, Place
from tests.trees import disturb_tree, odd_tree, picture_of
from tests.unit.snapshots.shelf import Shelf


def test_a_tree_of_odd_things_comes_back_as_it_was(work: Path, shelf: Shelf) -> None:
    rng = random.Random(7)
    odd_tree(work / "tree", rng, 200)
    before = picture_of(work / "tree")
    manifest = shelf.take(work, "tree")
    assert picture_of(work / "tree") == before
    disturb_tree(work / "tree", rng)
    assert picture_of(work / "tree") != before
    assert shelf.restore(manifest) == 1
    assert picture_of(work / "tree") == before
    assert os.listdir(work) == ["tree"]


def test_what_was_not_there_goes_and_what_was_deleted_returns(work: Path, shelf: Shelf) -> None:
    (work / "conf").mkdir()
    (work / "conf/a.yaml").write_text("a")
    manifest = shelf.take(work, "conf/*.yaml", "marker")
    (work / "conf/a.yaml").unlink()
    (work / "conf/b.yaml").write_text("b")
    (work / "conf/other").write_text("stays")
    (work / "marker").mkdir()
    assert shelf.restore(manifest) == 3
    assert sorted(os.listdir(work / "conf")) == ["a.yaml", "other"]
    assert not (work / "marker").exists()


def test_folders_on_the_way_are_made_again(work: Path, shelf: Shelf) -> None:
    (work / "a/b").mkdir(parents=True)
    (work / "a/b/file").write_text("then")
    (work / "a").chmod(0o750)
    manifest = shelf.take(work, "a/b/file")
    (work / "a/b/file").unlink()
    (work / "a/b").rmdir()
    (work / "a").rmdir()
    shelf.restore(manifest)
    assert (work / "a/b/file").read_text() == "then"
    assert (work / "a").stat().st_mode & 0o777 == 0o750


def test_what_has_not_changed_is_left_alone(work: Path, shelf: Shelf) -> None:
    (work / "file").write_text("same")
    inode = (work / "file").stat().st_ino
    assert shelf.restore(shelf.take(work, "file")) == 0
    assert (work / "file").stat().st_ino == inode


def test_an_unchanged_file_is_not_read_again(work: Path, shelf: Shelf) -> None:
    (work / "file").write_text("same")
    os.utime(work / "file", ns=(0, 0))
    first = shelf.take(work, "file")
    (entry,) = first.entries()
    found = os.stat(work / "file")
    believed = replace(
        entry, seen=(found.st_dev, found.st_ino, found.st_ctime_ns), sha256=b"believed"
    )
    trusted = replace(first, places=(Place(b"file", (believed,)),))
    (again,) = shelf.take(work, "file", former=trusted).entries()
    assert again.sha256 == b"believed"
    (work / "file").write_text("edit")
    (again,) = shelf.take(work, "file", former=trusted).entries()
    assert again.sha256 not in {b"believed", entry.sha256}


def test_equal_contents_are_kept_once(work: Path, shelf: Shelf) -> None:
    for number in range(20):
        (work / f"{number}").write_bytes(b"x" * 5000)
    shelf.take(work, "*")
    assert len(shelf.index) == 1
    shelf.take(work, "*")
    assert len(list(shelf.packs.iterdir())) == 1


def test_a_content_is_found_where_a_prune_has_moved_it(work: Path, shelf: Shelf) -> None:
    (work / "file").write_text("then")
    (entry,) = shelf.take(work, "file").entries()
    (blob,) = shelf.index.values()
    looks = iter((replace(blob, pack="moved.pack"), blob, None))
    assert PackReader(shelf.packs, lambda _: next(looks)).content(entry.sha256) == b"then"
    with pytest.raises(Damaged, match="is not kept any more"):
        PackReader(shelf.packs, lambda _: next(looks)).content(entry.sha256)


def test_a_store_may_have_more_packs_than_a_process_may_open(shelf: Shelf) -> None:
    for number in range(100):
        packs = PackWriter(shelf.packs, shelf.index.get)
        packs.add(b"%d" % number)
        packs.finish()
        shelf.index |= {blob.sha256: blob for blob in packs.blobs}
    reader = PackReader(shelf.packs, shelf.index.get)
    before = len(os.listdir("/proc/self/fd"))
    assert {reader.content(digest) for digest in shelf.index} == {
        f"{number}".encode() for number in range(100)
    }
    assert len(os.listdir("/proc/self/fd")) - before <= 64
    reader.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_large_file_goes_through_in_pieces(work: Path, shelf: Shelf) -> None:
    content = random.Random(1).randbytes(3 << 20) + bytes(40 << 20)
    (work / "large").write_bytes(content)
    manifest = shelf.take(work, "large")
    (work / "large").write_bytes(b"")
    shelf.restore(manifest)
    assert (work / "large").read_bytes() == content


def test_a_symlink_release_is_switched_back(work: Path, shelf: Shelf) -> None:
    for name in ("v1", "v2"):
        (work / name).mkdir()
    (work / "current").symlink_to("v1")
    manifest = shelf.take(work, "current")
    (work / "current").unlink()
    (work / "current").symlink_to("v2")
    shelf.restore(manifest)
    assert os.readlink(work / "current") == "v1"


def test_a_restore_that_is_given_up_changes_nothing(work: Path, shelf: Shelf) -> None:
    (work / "tree").mkdir()
    for number in range(5):
        (work / f"tree/{number}").write_text("then")
    manifest = shelf.take(work, "tree")
    (work / "tree/3").write_text("now")
    before, calls = picture_of(work), iter(range(4))

    def give_up() -> None:
        if next(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shelf.restore(manifest, give_up)
    assert {path: what[4:] for path, what in picture_of(work).items()} == {
        path: what[4:] for path, what in before.items()
    }
    assert not list(shelf.journals.iterdir())


def test_damaged_contents_are_noticed_before_anything_changes(work: Path, shelf: Shelf) -> None:
    (work / "file").write_text("then")
    manifest = shelf.take(work, "file")
    (work / "file").write_text("now!")
    (pack,) = shelf.packs.iterdir()
    content = bytearray(pack.read_bytes())
    content[-1] ^= 1
    pack.write_bytes(content)
    with pytest.raises(Damaged):
        shelf.restore(manifest)
    assert (work / "file").read_text() == "now!"
    assert os.listdir(work) == ["file"]


def test_what_somebody_else_puts_into_what_is_built_is_noticed(work: Path, shelf: Shelf) -> None:
    (work / "tree/inner").mkdir(parents=True)
    (work / "tree/inner/file").write_text("then")
    manifest = shelf.take(work, "tree")
    (work / "tree/inner/file").write_text("now!")

    def intrude() -> None:
        for inner in work.glob(".orchestrate-restore-*/*/inner"):
            (inner / "intruder").touch()

    with pytest.raises(Damaged, match="inner' holds what the snapshot does not"):
        shelf.restore(manifest, intrude)
    assert (work / "tree/inner/file").read_text() == "now!"
    assert os.listdir(work) == ["tree"]


def test_what_the_folder_above_passes_on_is_not_given_to_what_had_none(
    work: Path, shelf: Shelf
) -> None:
    (work / "file").write_text("then")
    manifest = shelf.take(work, "file")
    _pass_on_an_access_list(work)
    (work / "file").unlink()
    (work / "file").write_text("now")
    assert "system.posix_acl_access" in os.listxattr(work / "file")
    shelf.restore(manifest)
    assert os.listxattr(work / "file") == []


def _pass_on_an_access_list(folder: Path) -> None:
    """Let everything that is made in the folder be readable for user 1, too."""
    entries = ((1, 6, -1), (2, 4, 1), (4, 4, -1), (16, 6, -1), (32, 0, -1))
    content = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(folder, "system.posix_acl_default", content)
    except OSError as error:
        pytest.skip(f"no access control lists on the file system of {folder}: {error}")


def test_a_file_that_takes_its_mode_from_no_mask_comes_back_with_it(
    work: Path, shelf: Shelf
) -> None:
    for mode in (0o666, 0o4755, 0o000):
        (work / f"{mode}").touch()
        (work / f"{mode}").chmod(mode)
    before = picture_of(work)
    manifest = shelf.take(work, "*")
    for path in work.iterdir():
        path.unlink()
    mask = os.umask(0o077)
    try:
        shelf.restore(manifest)
    finally:
        os.umask(mask)
    assert {path: what for path, what in picture_of(work).items() if path} == {
        path: what for path, what in before.items() if path
    }


def test_a_folder_that_became_a_link_is_not_followed(work: Path, shelf: Shelf) -> None:
    (work / "conf").mkdir()
    (work / "conf/file").write_text("then")
    manifest = shelf.take(work, "conf/file")
    (work / "conf").rename(work.parent / "elsewhere")
    (work / "conf").symlink_to(work.parent / "elsewhere")
    (work / "conf/file").write_text("now")
    with pytest.raises(Unfit, match="has become a link"):
        shelf.restore(manifest)
    assert (work / "conf/file").read_text() == "now"


def test_a_link_that_was_switched_since_does_not_lead_to_other_files(
    work: Path, shelf: Shelf
) -> None:
    for name in ("v1", "v2"):
        (work / name).mkdir()
        (work / name / "app.conf").write_text(name)
    (work / "current").symlink_to("v1")
    manifest = shelf.take(work, "current/*.conf")
    (work / "v1/app.conf").write_text("edited")
    (work / "v1/new.conf").write_text("new")
    (work / "current").unlink()
    (work / "current").symlink_to("v2")
    assert shelf.restore(manifest) == 2
    assert (work / "v2/app.conf").read_text() == "v2"
    assert (work / "v1/app.conf").read_text() == "v1"
    assert os.listdir(work / "v1") == ["app.conf"]


def test_a_restore_that_was_decided_is_finished_by_the_next_start(
    work: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (work / name).write_text("then")
    manifest = shelf.take(work, "*")
    for name in ("one", "two", "three"):
        (work / name).write_text("now")
    moves = iter(range(9))

    def die(_one: bytes, _other: bytes) -> bool:
        if next(moves):
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr("orchestrate_tui.snapshots.journal.carry_out.__defaults__", (die,))
    with pytest.raises(KeyboardInterrupt):
        shelf.restore(manifest)
    assert {(work / "one").read_text(), (work / "two").read_text()} == {"then", "now"}
    monkeypatch.undo()
    assert finish_left(shelf.journals) == ()
    assert (work / "one").read_text() == (work / "two").read_text() == "then"
    assert sorted(os.listdir(work)) == ["one", "two"]
    assert not list(shelf.journals.iterdir())


def test_folders_that_may_not_be_written_are_finished_by_the_next_start_too(
    work: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (work / name).mkdir(mode=0o555)
    (work / "three").touch()
    before, manifest = picture_of(work), shelf.take(work, "*")
    for name in ("one", "two"):
        (work / name).rmdir()
        (work / name).touch()
    (work / "three").unlink()
    (work / "three").mkdir(mode=0o555)

    def die(_one: bytes, _other: bytes) -> bool:
        if next(moves):
            raise KeyboardInterrupt
        return False

    for lived in range(3):
        moves = iter([*[0] * lived, 1])
        monkeypatch.setattr("orchestrate_tui.snapshots.journal.carry_out.__defaults__", (die,))
        with pytest.raises(KeyboardInterrupt):
            shelf.restore(manifest)
        monkeypatch.undo()
        assert finish_left(shelf.journals) == ()
        assert {path: what for path, what in picture_of(work).items() if path} == {
            path: what for path, what in before.items() if path
        }
        (work / "one").rmdir()
        (work / "two").chmod(0o700)
        (work / "three").write_text("now")
        (work / "one").touch()


def _database(path: Path, *, mode: str = "DELETE") -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.execute("CREATE TABLE IF NOT EXISTS t (x)")
    return connection


def _rows(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [x for (x,) in connection.execute("SELECT x FROM t ORDER BY x")]


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize("pattern", ["app.db", "*", "."])
def test_a_database_that_is_being_written_is_copied_as_it_was_committed(
    work: Path, shelf: Shelf, mode: str, pattern: str
) -> None:
    path = work / "app.db"
    with closing(_database(path, mode=mode)) as writer:
        writer.execute("INSERT INTO t VALUES (1)")
        writer.execute("BEGIN")
        writer.execute("INSERT INTO t VALUES (2)")
        if mode == "DELETE":  # nobody may read while it commits
            writer.execute("ROLLBACK")
        manifest = shelf.take(work, pattern)
        if mode == "WAL":
            writer.execute("COMMIT")
        writer.execute("INSERT INTO t VALUES (3)")
    assert [place.path for place in manifest.places] == [b"app.db"]
    shelf.restore(manifest)
    assert _rows(path) == [1]


def test_what_belongs_to_a_database_goes_when_it_is_put_back(work: Path, shelf: Shelf) -> None:
    path = work / "app.db"
    with closing(_database(path, mode="WAL")) as writer:
        writer.execute("INSERT INTO t VALUES (1)")
    before = path.read_bytes()
    manifest = shelf.take(work, "app.db")
    with closing(_database(path, mode="WAL")) as writer:
        writer.execute("INSERT INTO t VALUES (2)")
        wal = (work / "app.db-wal").read_bytes()
    (work / "app.db-wal").write_bytes(wal)  # as after a crash
    shelf.restore(manifest)
    assert os.listdir(work) == ["app.db"]
    assert path.read_bytes() == before
    assert _rows(path) == [1]


@pytest.mark.parametrize("size", [10, 3 << 20])
def test_what_is_damaged_is_kept_anew_when_it_is_met_again(
    work: Path, shelf: Shelf, size: int
) -> None:
    content = os.urandom(size)
    (work / "a").write_bytes(content)
    first = shelf.take(work, "a")
    (pack,) = shelf.packs.iterdir()
    packed = bytearray(pack.read_bytes())
    packed[-len(packed) // 2] ^= 1
    pack.write_bytes(packed)
    (work / "a").write_bytes(content)
    second = shelf.take(work, "a", former=first)
    for manifest in (first, second):
        (work / "a").unlink()
        shelf.restore(manifest)
        assert (work / "a").read_bytes() == content


def test_a_database_is_not_put_back_while_a_process_has_it_open(work: Path, shelf: Shelf) -> None:
    path = work / "app.db"
    _database(path).close()
    manifest = shelf.take(work, "app.db")
    script = "import sys; open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script.replace("open(sys", "f = open(sys"), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        (why,) = shelf.obstacles(manifest)
        with pytest.raises(InUse, match=rf"is in use by .*{holder.pid}") as refused:
            shelf.restore(manifest)
        assert str(refused.value) == why
    assert shelf.obstacles(manifest) == []
    shelf.restore(manifest)
    assert os.listdir(work) == ["app.db"]


def test_hard_links_within_a_place_stay_links(work: Path, shelf: Shelf) -> None:
    (work / "d").mkdir()
    (work / "d/a").write_text("a")
    os.link(work / "d/a", work / "d/b")
    manifest = shelf.take(work, "d")
    assert [entry.kind for entry in manifest.entries()].count(FILE) == 1
    (work / "d/b").unlink()
    (work / "d/b").write_text("a")
    shelf.restore(manifest)
    assert (work / "d/a").stat().st_ino == (work / "d/b").stat().st_ino


def test_what_was_put_out_of_its_place_waits_in_the_trash(work: Path, shelf: Shelf) -> None:
    (work / "file").write_text("then")
    manifest = shelf.take(work, "file")
    (work / "file").write_text("now!")
    shelf.restore(manifest)
    (thrown,) = trash_beside(shelf.journals).iterdir()
    assert [path.read_text() for path in thrown.iterdir()] == ["now!"]
    empty_trash(shelf.journals)
    assert not list(trash_beside(shelf.journals).iterdir())


def test_what_is_made_apart_is_made_also_where_the_system_cannot(tmp_path: Path) -> None:
    for place in (tmp_path, Path("/proc/self")):
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        lay_apart(folder)
        os.close(folder)
    (tmp_path / "inner").mkdir()


def test_files_that_were_made_one_are_two_again(work: Path, shelf: Shelf) -> None:
    (work / "d").mkdir()
    for name in ("a", "b"):
        (work / "d" / name).write_text("same")
        os.utime(work / "d" / name, ns=(0, 0))
    os.utime(work / "d", ns=(0, 0))
    before, manifest = picture_of(work / "d"), shelf.take(work, "d")
    (work / "d/b").unlink()
    os.link(work / "d/a", work / "d/b")
    os.utime(work / "d", ns=(0, 0))
    assert shelf.restore(manifest) == 1
    assert picture_of(work / "d") == before


def test_names_of_one_symlink_stay_names_of_one(work: Path, shelf: Shelf) -> None:
    (work / "d").mkdir()
    (work / "d/a").symlink_to("nowhere")
    os.link(work / "d/a", work / "d/b", follow_symlinks=False)
    (work / "d/c").symlink_to("nowhere")
    before, manifest = picture_of(work / "d"), shelf.take(work, "d")
    (work / "d/b").unlink()
    (work / "d/b").symlink_to("nowhere")
    (work / "d/c").unlink()
    os.link(work / "d/a", work / "d/c", follow_symlinks=False)
    assert [change.path for change in shelf.preview(manifest)] == ["d/b"]
    shelf.restore(manifest)
    assert picture_of(work / "d") == before


def test_a_hole_that_is_smaller_than_the_attributes_stays_a_hole(work: Path, shelf: Shelf) -> None:
    with (work / "file").open("wb") as file:
        file.seek(4096)
        file.write(b"data")
    os.setxattr(work / "file", "user.large", bytes(2000))
    before, manifest = picture_of(work / "file"), shelf.take(work, "file")
    (work / "file").unlink()
    shelf.restore(manifest)
    assert picture_of(work / "file") == before


def test_what_lies_too_deep_for_the_system_is_refused_or_goes(work: Path, shelf: Shelf) -> None:
    (work / "d").mkdir()
    (work / "d/file").write_text("then")
    before, manifest = picture_of(work / "d"), shelf.take(work, "d")
    _dig(work / "d", b"n" * 250, levels=20)
    with pytest.raises(Unfit, match="has a path of more than 3800 bytes"):
        shelf.take(work, "d")
    assert len(shelf.preview(manifest)) >= 15
    assert shelf.restore(manifest) == 1
    assert picture_of(work / "d") == before
    empty_trash(shelf.journals)
    assert not list(trash_beside(shelf.journals).iterdir())


def _dig(folder: Path, name: bytes, levels: int) -> None:
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_the_working_folder_comes_back_with_what_was_in_it(tmp_path: Path, shelf: Shelf) -> None:
    work = tmp_path / "above/app"
    (work / "conf").mkdir(parents=True)
    (work / "conf/file").write_text("then")
    work.chmod(0o750)
    manifest = shelf.take(work, "conf/*")
    shutil.rmtree(tmp_path / "above")
    shelf.restore(manifest)
    assert (work / "conf/file").read_text() == "then"
    assert work.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("flag", ["i", "a"])
def test_where_one_path_may_not_be_changed_none_is(work: Path, shelf: Shelf, flag: str) -> None:
    for name in ("a", "b"):
        (work / name).write_text("then")
    manifest = shelf.take(work, "*")
    for name in ("a", "b"):
        (work / name).write_text("now!")
    with fixed(work / "b", flag):
        assert shelf.obstacles(manifest) == [
            f"'{work}/b' is immutable or append-only: see chattr(1)"
        ]
        with pytest.raises(Unfit, match=r"b' is immutable"):
            shelf.restore(manifest)
        assert (work / "a").read_text() == "now!"
    with fixed(work, flag), pytest.raises(Unfit, match="is immutable"):
        shelf.restore(manifest)
    shelf.restore(manifest)
    assert (work / "a").read_text() == (work / "b").read_text() == "then"


@contextmanager
def fixed(path: Path, flag: str) -> Iterator[None]:
    """Nobody may change the path; where that cannot be said the test skips."""
    if subprocess.run(["chattr", f"+{flag}", path], capture_output=True, check=False).returncode:
        pytest.skip("no file can be made immutable here")
    try:
        yield
    finally:
        subprocess.run(["chattr", f"-{flag}", path], check=True)
