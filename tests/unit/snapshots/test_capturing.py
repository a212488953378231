"""What cannot be put back is refused by name, and what changes meanwhile is noticed."""

from __future__ import annotations

import mmap
import os
import socket
from pathlib import Path

import pytest

from orchestrate_tui.snapshots.errors import Changing, SnapshotError, Unfit
from orchestrate_tui.snapshots.places import find_places, mount_points, mounts_below, resolve
from tests.small_disk import disk_of_seconds
from tests.unit.snapshots.shelf import Shelf


def test_a_fifo_a_socket_and_a_device_are_refused_by_name(work: Path, shelf: Shelf) -> None:
    (work / "d").mkdir()
    os.mkfifo(work / "d/pipe")
    with pytest.raises(Unfit, match="'d/pipe' is a FIFO"):
        shelf.take(work, "d")
    (work / "d/pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(work / "d/sock"))
        with pytest.raises(Unfit, match="'d/sock' is a socket"):
            shelf.take(work, "d")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_a_device_is_refused_by_name(work: Path, shelf: Shelf) -> None:
    os.mknod(work / "null", 0o20644, os.makedev(1, 3))
    with pytest.raises(Unfit, match="'null' is a device"):
        shelf.take(work, "null")


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside", "d/../../outside"])
def test_a_link_that_leaves_the_folder_is_refused_by_name(
    work: Path, shelf: Shelf, target: str
) -> None:
    (work / "d").mkdir()
    (work / "d/link").symlink_to(target if target.startswith("/") else "../" + target)
    with pytest.raises(Unfit, match="'d/link' leads out of the working folder"):
        shelf.take(work, "d")


@pytest.mark.parametrize("pattern", ["/etc/hostname", "../x", "a/../../x"])
def test_a_path_that_leaves_the_folder_is_refused(work: Path, shelf: Shelf, pattern: str) -> None:
    with pytest.raises(Unfit, match="does not lie in the working folder"):
        shelf.take(work, pattern)


def test_a_path_through_a_link_that_leaves_the_folder_is_refused(work: Path, shelf: Shelf) -> None:
    (work / "out").symlink_to("/etc")
    with pytest.raises(Unfit, match="'out' leads out of the working folder, to '/etc'"):
        shelf.take(work, "out/hostname")


def test_a_path_through_a_link_within_names_what_is_there(work: Path, shelf: Shelf) -> None:
    (work / "v1").mkdir()
    (work / "v1/file").write_text("1")
    (work / "current").symlink_to("v1")
    (place,) = shelf.take(work, "current/file").places
    assert place.path == b"v1/file"


def test_a_link_behind_a_sign_is_not_followed(work: Path, shelf: Shelf) -> None:
    (work / "a/v1").mkdir(parents=True)
    (work / "a/current").symlink_to("v1")
    with pytest.raises(Unfit, match="'a/current' is a link: name where it leads"):
        shelf.take(work, "*/current/file")


def test_a_folder_whose_name_looks_like_a_pattern_is_found(work: Path, shelf: Shelf) -> None:
    (work / "[ab]").mkdir()
    (work / "[ab]/x.conf").write_text("1")
    (work / "link").symlink_to("[ab]")
    assert [place.path for place in shelf.take(work, "link/*.conf").places] == [b"[ab]/x.conf"]


def test_many_depths_in_one_pattern_are_looked_through_once(work: Path) -> None:
    deep = "/".join("d" * 20)
    (work / deep).mkdir(parents=True)
    assert find_places(os.fsencode(work), ["**/*/" * 9 + "**/" * 9 + "?x"]) == ()
    assert find_places(os.fsencode(work), ["**/*/" * 19 + "?"]) == (deep.encode(),)


def test_the_programs_own_database_is_refused(work: Path, shelf: Shelf) -> None:
    (work / "state").mkdir()
    own = os.fsencode(work / "state/store.db")
    with pytest.raises(Unfit, match="own database"):
        shelf.take(work, "*", own=[own])


def test_a_file_that_does_not_hold_still_is_refused(work: Path, shelf: Shelf) -> None:
    path = work / "log"
    path.write_bytes(b"x" * (2 << 20))

    def write() -> None:
        with path.open("ab") as file:
            file.write(b"more")

    with pytest.raises(Changing, match="'log' changed while it was read"):
        shelf.take(work, "log", checkpoint=write)
    assert not list(shelf.packs.iterdir())


def test_a_folder_that_changes_once_is_read_again(work: Path, shelf: Shelf) -> None:
    (work / "d").mkdir()
    for name in ("a", "b"):
        (work / "d" / name).write_text(name)
    calls = iter(range(100))

    def add() -> None:
        if next(calls) == 2:
            (work / "d/c").write_text("c")

    (place,) = shelf.take(work, "d", checkpoint=add).places
    assert [entry.path for entry in place.entries] == [b"", b"a", b"b", b"c"]


def test_nesting_too_deep_is_refused(work: Path, shelf: Shelf) -> None:
    here = os.open(work, os.O_RDONLY)
    for _ in range(405):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with pytest.raises(Unfit, match="nested more than 400 levels"):
        shelf.take(work, "d")


def test_patterns_name_the_outermost_places(work: Path) -> None:
    for path in ("a/b/c.yaml", "a/d.yaml", ".e.yaml", "f/g.txt"):
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text("")

    def found(*patterns: str) -> list[bytes]:
        here = os.fsencode(work)
        return list(find_places(here, [resolve(here, pattern) for pattern in patterns]))

    assert found("*.yaml") == [b".e.yaml"]
    assert found("**/*.yaml") == [b".e.yaml", b"a/b/c.yaml", b"a/d.yaml"]
    assert found("a/**", "a/d.yaml", "missing") == [b"a", b"missing"]
    assert found("?/[g].txt") == [b"f/g.txt"]
    assert found(".") == [b".e.yaml", b"a", b"f"]
    assert found("none*") == []


def test_mounts_are_read_from_the_system(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_bytes(b"36 35 98:0 / /srv/a\\040b rw - ext4 x rw\n37 35 0:1 / / rw - ext4 y rw\n")
    points = mount_points(str(table))
    assert points == (b"/srv/a b", b"/")
    assert mounts_below(b"/srv", points) == (b"/srv/a b",)
    assert mounts_below(b"/srv/a b", points) == (b"/srv/a b",)
    assert mounts_below(b"/sr", points) == ()
    assert mount_points(str(tmp_path / "none")) == ()


def test_every_refusal_is_one_kind_of_error() -> None:
    assert issubclass(Unfit, SnapshotError)
    assert issubclass(Changing, SnapshotError)


def test_a_file_that_somebody_has_mapped_is_read_again(work: Path, shelf: Shelf) -> None:
    path = work / "data"
    path.write_bytes(bytes(8192))
    os.utime(path, ns=(0, 0))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[0:1] = b"1"
        first, told = shelf.take(work, "data"), _times(path)
        mapped[0:1] = b"2"
        assert _times(path) == told
        (again,) = shelf.take(work, "data", former=first).entries()
        assert again.sha256 != next(first.entries()).sha256
        shelf.restore(first)
        assert path.read_bytes()[:1] == b"1"


def test_a_change_that_no_time_tells_is_noticed_while_it_is_read(work: Path, shelf: Shelf) -> None:
    path = work / "data"
    path.write_bytes(bytes(3 << 20))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        counts = iter(range(1000))

        def write() -> None:
            mapped[:] = bytes([next(counts) % 256]) * len(mapped)

        write()
        with pytest.raises(Changing, match="'data' changed while it was read"):
            shelf.take(work, "data", checkpoint=write)


def test_a_change_within_the_second_is_noticed_where_times_are_seconds(
    tmp_path: Path, shelf: Shelf
) -> None:
    with disk_of_seconds(tmp_path) as work:
        path = work / "data"
        path.write_text("then")
        first = shelf.take(work, "data")
        path.write_text("now!")
        (again,) = shelf.take(work, "data", former=first).entries()
        assert again.sha256 != next(first.entries()).sha256


def _times(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
