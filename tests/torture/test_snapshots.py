"""Processes are killed while they take a snapshot, and while they put one back."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from orchestrate_tui.executor.snapshot_store import examine_snapshots
from orchestrate_tui.snapshots.blobs import PackReader
from orchestrate_tui.snapshots.errors import Damaged
from tests.torture.conftest import Amount, Figure
from tests.torture.keeping import Keeper, Undertaker
from tests.trees import Picture, disturb_tree, odd_tree, picture_of

PLACES = ("tree", "conf/a.yaml", "conf/b.yaml", "conf/new.yaml", "file", "later")
Whole = dict[str, Picture | None]


@pytest.fixture
def undertaker() -> Iterator[Undertaker]:
    with Undertaker() as opened:
        yield opened


@pytest.fixture
def keeper(tmp_path: Path, rng: random.Random) -> Iterator[Keeper]:
    """In memory where that is possible: a process that is killed leaves the same there."""
    memory = Path("/dev/shm")
    where = memory if os.access(memory, os.W_OK) else tmp_path
    with TemporaryDirectory(dir=where) as folder:
        yield furnished(Keeper(Path(folder)), rng)


def furnished(made: Keeper, rng: random.Random) -> Keeper:
    (made.work / "conf").mkdir(parents=True)
    for folder in ("packs", "restores"):
        (made.store / folder).mkdir(parents=True)
    odd_tree(made.work / "tree", rng, 40)
    (made.work / "tree").chmod(rng.choice((0o755, 0o555)))  # one that may move, or may not
    for name in ("conf/a.yaml", "conf/b.yaml", "file"):
        (made.work / name).write_text(name)
    return made


def pictures(keeper: Keeper) -> Whole:
    """Each place as it is now; None where nothing is."""
    return {
        name: picture_of(keeper.work / name) if os.path.lexists(keeper.work / name) else None
        for name in PLACES
    }


def disturb(keeper: Keeper, rng: random.Random) -> None:
    disturb_tree(keeper.work / "tree", rng)
    (keeper.work / "conf/a.yaml").write_text(f"changed {rng.random()}")
    (keeper.work / "conf/b.yaml").unlink()
    (keeper.work / "conf/new.yaml").write_text("new")
    (keeper.work / "file").unlink()
    (keeper.work / "file").symlink_to("conf")
    (keeper.work / "later").mkdir()
    (keeper.work / "later/x").write_text("x")
    (keeper.work / "later").chmod(rng.choice((0o755, 0o555)))


def mixed(now: Whole, before: Whole, after: Whole) -> list[str]:
    """The places that are neither what they were nor what they shall be."""
    return [name for name in PLACES if now[name] not in (before[name], after[name])]


def left_over(keeper: Keeper) -> list[Path]:
    return [*keeper.work.rglob(".orchestrate-restore-*"), *keeper.journals.iterdir()]


@pytest.mark.attack("killed while it restores")
def test_killed_while_it_restores_each_tree_is_old_or_new(
    keeper: Keeper, undertaker: Undertaker, rng: random.Random, amount: Amount, figure: Figure
) -> None:
    then = pictures(keeper)
    undertaker.do("take", keeper.home)
    disturb(keeper, rng)
    calls = undertaker.do("restore", keeper.home)
    assert pictures(keeper) == then
    kills = decided = 0
    while kills < amount(short=20, long=500):
        disturb(keeper, rng)
        changed = pictures(keeper)
        # the last calls let everything into its place: they are what matters most
        dies_after = rng.choice((rng.randrange(1, calls), calls - rng.randrange(min(25, calls))))
        undertaker.do("restore", keeper.home, dies_after)
        kills += 1
        assert mixed(pictures(keeper), changed, then) == []
        if rng.random() < 0.5:
            undertaker.do("finish", keeper.home, rng.randrange(1, 40))
            kills += 1
            assert mixed(pictures(keeper), changed, then) == []
        undertaker.do("finish", keeper.home)
        assert pictures(keeper) in (changed, then)
        assert left_over(keeper) == []
        decided += pictures(keeper) == then
        undertaker.do("restore", keeper.home)
        assert pictures(keeper) == then
    figure("kills", f"{kills}, among {calls} calls; {decided} were finished by the next start")
    assert decided


@pytest.mark.control("killed while it restores")
def test_killed_while_it_restores_in_place_a_tree_is_mixed(
    keeper: Keeper, undertaker: Undertaker, rng: random.Random, amount: Amount, figure: Figure
) -> None:
    then = pictures(keeper)
    undertaker.do("take", keeper.home)
    disturb(keeper, rng)
    calls = undertaker.do("restore_in_place", keeper.home)
    found, kills = 0, amount(short=5, long=40)
    for _ in range(kills):
        undertaker.do("restore", keeper.home)
        disturb(keeper, rng)
        changed = pictures(keeper)
        undertaker.do("restore_in_place", keeper.home, rng.randrange(1, calls))
        found += bool(mixed(pictures(keeper), changed, then))
    figure("mixed", f"{found} of {kills}")
    assert found


@pytest.mark.attack("killed while it takes a snapshot")
def test_killed_while_it_takes_a_snapshot_nothing_is_kept_by_half(
    keeper: Keeper, undertaker: Undertaker, rng: random.Random, amount: Amount, figure: Figure
) -> None:
    then = pictures(keeper)
    calls = undertaker.do("take", keeper.home)
    kills = amount(short=20, long=500)
    for _ in range(kills):
        (keeper.store / "record").unlink(missing_ok=True)
        done = undertaker.do("take", keeper.home, rng.randrange(1, calls + 1))
        assert pictures(keeper) == then
        if not (keeper.store / "record").exists():
            undertaker.do("take", keeper.home)
        disturb(keeper, rng)
        undertaker.do("restore", keeper.home)
        assert pictures(keeper) == then
        assert done
    figure("kills", f"{kills}, among {calls} calls")


@pytest.mark.control("killed while it takes a snapshot")
def test_killed_while_a_snapshot_is_recorded_too_early_it_cannot_be_put_back(
    keeper: Keeper, undertaker: Undertaker, amount: Amount, figure: Figure
) -> None:
    calls = undertaker.do("take_hastily", keeper.home)
    found, kills = 0, amount(short=6, long=20)
    for back in range(kills):
        (keeper.store / "record").unlink(missing_ok=True)
        undertaker.do("take_hastily", keeper.home, calls - back)
        if (keeper.store / "record").exists():
            packs = keeper.packs()
            found += any(not is_kept(packs, blob) for blob in keeper.record().manifest.blobs)
    figure("lost", f"{found} of {kills}")
    assert found


@pytest.mark.attack("killed while it makes room")
def test_killed_while_it_makes_room_what_is_needed_stays(
    keeper: Keeper, undertaker: Undertaker, rng: random.Random, amount: Amount, figure: Figure
) -> None:
    stocked = copied(stock(keeper), "whole")
    calls = undertaker.do("prune", stocked.home)
    room = bytes_of(stocked)
    assert room < bytes_of(keeper) / 2
    kills, left = amount(short=15, long=500), 0
    for number in range(kills):
        killed = copied(keeper, f"{number}")
        undertaker.do("prune", killed.home, rng.randrange(calls // 2, calls))
        assert examine_snapshots(killed.database).problems == ()
        left += bytes_of(killed) != room
        undertaker.do("prune", killed.home)
        report = examine_snapshots(killed.database)
        assert (report.problems, report.orphans, report.unneeded_bytes) == ((), (), 0)
        assert bytes_of(killed) == room
        shutil.rmtree(killed.home)
    figure("kills", f"{kills}, among {calls} calls; {left} left room for the next prune to make")
    assert left


@pytest.mark.control("killed while it makes room")
def test_killed_while_it_makes_room_before_that_is_recorded_what_is_needed_is_lost(
    keeper: Keeper, undertaker: Undertaker, amount: Amount, figure: Figure
) -> None:
    calls = undertaker.do("prune_hastily", copied(stock(keeper), "whole").home)
    found, kills = 0, min(amount(short=40, long=60), calls)
    for back in range(kills):
        killed = copied(keeper, f"{back}")
        undertaker.do("prune_hastily", killed.home, calls - back)
        found += bool(examine_snapshots(killed.database).problems)
        if found:
            break
    figure("lost", f"{found} of {kills}")
    assert found


def stock(keeper: Keeper) -> Keeper:
    keeper.stock()
    return keeper


def copied(keeper: Keeper, name: str) -> Keeper:
    """The database of a keeper, and what is kept for it, in another place."""
    home = keeper.home / "copies" / name
    for path in keeper.home.glob("store.db*"):
        copy = shutil.copytree if path.is_dir() else shutil.copy2
        home.mkdir(parents=True, exist_ok=True)
        copy(path, home / path.name)
    return Keeper(home)


def bytes_of(keeper: Keeper) -> int:
    return sum(path.stat().st_size for path in keeper.stored.iterdir())


def is_kept(packs: PackReader, blob: bytes) -> bool:
    try:
        return list(packs.pieces(blob)) is not None
    except Damaged:
        return False
