"""What the journals of stage hosts tell of programs whose executor died."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrate_tui.agents.left_programs import Left, LeftPrograms
from orchestrate_tui.stagehost.boot import boot_id
from orchestrate_tui.stagehost.files import JOURNAL, hold
from orchestrate_tui.stagehost.journal import Journal
from tests.small_disk import fill, small_disk

KEY = "build.1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of one host, among those of all."""
    made = tmp_path / "1"
    made.mkdir()
    return made


@pytest.fixture
def host(folder: Path) -> Iterator[Journal]:
    """The journal of a host that lives."""
    lock = hold(str(folder))
    yield Journal(str(folder))
    os.close(lock)


def progress(folder: Path) -> Left:
    return LeftPrograms(folder.parent).progress(KEY, boot_id())


def test_what_a_host_that_lives_has_started_goes_on(host: Journal, folder: Path) -> None:
    assert progress(folder) is Left.NOT_STARTED
    host.starts(KEY)
    assert progress(folder) is Left.RUNNING


def test_what_a_host_started_is_lost_when_another_one_follows_it(
    host: Journal, folder: Path
) -> None:
    host.starts(KEY)
    Journal(str(folder))
    assert progress(folder) is Left.LOST


def test_what_ended_is_known_though_another_host_followed(host: Journal, folder: Path) -> None:
    host.starts(KEY)
    host.ended(KEY, 0, timed_out=False, stopped=False)
    Journal(str(folder))
    assert progress(folder) is Left.ENDED


def test_a_host_that_begins_on_a_full_disk_starts_something_once_there_is_room(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        (folder := disk / "1").mkdir()
        Journal(str(folder)).starts("before")
        filler = fill(disk)
        with suppress(OSError), (folder / JOURNAL).open("ab", buffering=0) as file:
            while True:  # what the file system has given it already
                file.write(b"\n" * 100)
        host, lock = Journal(str(folder)), hold(str(folder))
        with pytest.raises(OSError, match="No space left"):
            host.starts(KEY)
        assert progress(folder) is Left.NOT_STARTED
        filler.unlink()
        host.starts(KEY)
        assert progress(folder) is Left.RUNNING
        assert LeftPrograms(disk).progress("before", boot_id()) is Left.LOST
        os.close(lock)


@pytest.mark.anyio
async def test_the_services_that_it_left_are_known(host: Journal, folder: Path) -> None:
    host.starts(KEY)
    host.ended(KEY, 0, timed_out=False, stopped=False, kept=[(7, "redis\n")])
    process = await LeftPrograms(folder.parent).take(KEY, leaves_processes=True)
    assert process is not None
    assert process.kept == ((7, "redis\n"),)
