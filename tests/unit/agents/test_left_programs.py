"""What the journals of stage hosts tell of programs whose executor died."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrate_tui.agents.left_programs import Left, LeftPrograms
from orchestrate_tui.stagehost.files import boot_id, hold
from orchestrate_tui.stagehost.journal import Journal

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


@pytest.mark.anyio
async def test_the_services_that_it_left_are_known(host: Journal, folder: Path) -> None:
    host.starts(KEY)
    host.ended(KEY, 0, timed_out=False, stopped=False, kept=[(7, "redis\n")])
    process = await LeftPrograms(folder.parent).take(KEY, leaves_processes=True)
    assert process is not None
    assert process.kept == ((7, "redis\n"),)
