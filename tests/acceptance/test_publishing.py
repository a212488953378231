"""`publish` and `--publish`: a copy for those who may only look."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest

from orchestrate_tui.cli import publishing
from orchestrate_tui.cli.publishing import LivePublication
from orchestrate_tui.domain.status import RunStatus
from orchestrate_tui.store import open_database
from orchestrate_tui.store.history import History
from orchestrate_tui.store.publishing import Publication
from tests.acceptance.desk import PATIENCE_S, Desk
from tests.store.scenery import Store

FINE = (
    "name: shop\nagents: {fine: {shell: echo hello}}\nstages: [{name: s, agent: fine, task: t}]\n"
)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "LOOK_INTERVAL_S", 0.01)
    monkeypatch.setattr(publishing, "LEAST_PAUSE_S", 0.01)
    monkeypatch.setattr(publishing, "PAUSE_PER_WORK", 0)


def test_publish_copies_once(desk: Desk) -> None:
    desk.write("shop.yaml", FINE)
    assert desk.do("run", "shop.yaml").code == 0
    folder = desk.folder / "published"
    result = desk.do("publish", folder)
    (copy,) = folder.glob("*.db")
    assert (result.code, result.err) == (0, "")
    assert f"orchestrate-tui --read-only --db {copy}" in result.out
    assert desk.do("publish", folder, "--json").json() == {"database": str(copy)}
    assert desk.do("logs", "1", "s", "--db", copy).out == "hello\n"


def test_a_run_publishes_itself_to_its_end(desk: Desk) -> None:
    desk.write("shop.yaml", FINE)
    folder = desk.folder / "published"
    assert desk.do("run", "shop.yaml", "--publish", folder).code == 0
    (copy,) = folder.glob("*.db")
    with closing(History(copy)) as history:
        assert history.run(1).status is RunStatus.SUCCEEDED
    assert desk.do("logs", "1", "s", "--db", copy).out == "hello\n"


def test_a_folder_that_cannot_be_published_to_is_told_before_anything_starts(desk: Desk) -> None:
    desk.write("shop.yaml", FINE)
    desk.write("notes", "x")
    result = desk.do("run", "shop.yaml", "--publish", desk.folder / "notes")
    assert result.code == 2
    assert "cannot be published to" in result.err
    assert desk.do("runs", "--json").json() == []


@pytest.mark.usefixtures("quick")
def test_what_changes_is_published_and_trouble_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    heard = threading.Event()

    def tell(sentence: str) -> None:
        told.append(sentence)
        heard.set()

    with open_database(tmp_path / "state" / "store.db") as database:
        store = Store.of(database)
        folder = tmp_path / "published"
        publication = Publication(store.path, folder)
        live = LivePublication(store.path, publication, tell)
        run_id = store.ended_run()
        _await_run(publication.path, run_id)
        away = folder.rename(tmp_path / "away")
        store.ended_run()
        assert heard.wait(PATIENCE_S)
        for _ in range(5):
            store.ended_run()
        away.rename(folder)
        last = store.ended_run()
        _await_run(publication.path, last)
        live.close()
        assert len(told) == 1
        store.owner.release()


def _await_run(path: Path, run_id: int) -> None:
    limit = threading.Event()
    timer = threading.Timer(PATIENCE_S, limit.set)
    timer.start()
    while not limit.is_set():
        if path.exists():
            with closing(History(path)) as history:
                if run_id in {run.id for run in history.runs()}:
                    break
    timer.cancel()
    assert not limit.is_set()
