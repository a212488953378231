"""Another user reads while the writer ends in every way and starts again."""

from __future__ import annotations

import grp
import json
import os
import pwd
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.other_user import OtherUser
from tests.torture.conftest import Amount, Figure
from tests.torture.restarting import READERS, prepare

USER = "nobody"
READ = """
import runpy, sys
sys.argv = ["reader", *sys.argv[1:]]
runpy.run_module("tests.torture.reader", run_name="__main__")
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What all readers counted."""

    restarts: int
    reads: int
    wrong: int
    errors: int
    slowest_s: float


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where another user may look."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def attacked(folder: Path, rng: random.Random, amount: Amount, kind: str) -> Seen:
    """Have the database read by another user through so many restarts of its writer."""
    user = OtherUser.named(USER)
    group = grp.getgrgid(pwd.getpwnam(USER).pw_gid).gr_name
    prepare(folder, group)
    reads, restarts = amount(short=1_000, long=100_000), amount(short=25, long=1_000)
    readers = [
        user.start(READ, folder, reads // READERS, rng.random(), kind) for _ in range(READERS)
    ]
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.torture.restarting", folder, group, str(restarts),
         str(rng.random())],
        cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        for number, reader in enumerate(readers):
            assert reader.stdout is not None
            assert reader.stdout.readline() == "enough\n"
            (folder / f"enough-{number}").touch()
        restarted = int(writer.communicate()[0])
        (folder / "stop").touch()
        found = [json.loads(reader.communicate()[0]) for reader in readers]
    finally:
        for process in (writer, *readers):
            with process:  # closes its pipes
                process.kill()
    return Seen(
        restarts=restarted,
        reads=sum(one["reads"] for one in found),
        wrong=sum(one["wrong"] for one in found),
        errors=sum(one["errors"] for one in found),
        slowest_s=max(one["slowest"] for one in found),
    )


@pytest.mark.attack("reading through restarts")
def test_another_user_reads_nothing_wrong_while_the_writer_restarts(
    folder: Path, rng: random.Random, amount: Amount, figure: Figure
) -> None:
    seen = attacked(folder, rng, amount, "product")
    figure("reads by another user", f"{seen.reads:,} through {seen.restarts:,} restarts")
    figure("of them wrong, and errors", f"{seen.wrong}, {seen.errors}")
    figure("slowest read", f"{seen.slowest_s:.2f} s")
    assert (seen.wrong, seen.errors) == (0, 0)
    left = {path.name for path in folder.glob("store.db*")}
    assert left <= {f"store.db{end}" for end in ENDINGS}, left
    assert {path.stat().st_uid for path in folder.glob("store.db*")} == {os.getuid()}


ENDINGS = ("", "-wal", "-shm", ".writelock", ".head", ".consoles", ".owners", ".runs", ".sockets",
           ".hosts")  # fmt: skip


@pytest.mark.control("reading through restarts")
def test_a_reader_that_trusts_in_what_it_found_first_reads_wrong_data(
    folder: Path, rng: random.Random, amount: Amount, figure: Figure
) -> None:
    seen = attacked(folder, rng, amount, "naive")
    figure("wrong reads and errors of a naive reader", f"{seen.wrong:,}, {seen.errors:,}")
    assert seen.wrong + seen.errors > 0
