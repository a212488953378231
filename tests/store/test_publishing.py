"""A published copy: for others to read, as a whole, and no burden for who works on the original."""

from __future__ import annotations

import grp
import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrate_tui.agents.log import append
from orchestrate_tui.domain.status import RunStatus, StageStatus
from orchestrate_tui.errors import StoreError
from orchestrate_tui.store import open_database
from orchestrate_tui.store.history import History
from orchestrate_tui.store.publishing import Publication
from orchestrate_tui.store.soundness import examine_record
from tests.other_user import OtherUser
from tests.small_disk import fill, small_disk
from tests.store.conftest import Spawn
from tests.store.scenery import Store
from tests.store.test_event_chain import tamper


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody can reach, for the copy."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder / "published"
    shutil.rmtree(folder)


@pytest.fixture
def publication(store: Store, place: Path) -> Publication:
    return Publication(store.path, place, public=True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_another_user_reads_the_copy_as_it_was_when_it_was_made(
    store: Store, publication: Publication
) -> None:
    ended, running = store.ended_run(), store.started_run()
    append(store.database.files.log(running, "build", 1), b"compiling\n")
    publication.update()
    store.ended_run()
    nobody = OtherUser.named("nobody")
    code, output, complaints = nobody.run("runs", "--db", publication.path, "--json")
    assert (code, complaints) == (0, "")
    found = [(run["id"], run["status"]) for run in json.loads(output)]
    assert found == [(running, "running"), (ended, "succeeded")]
    log = nobody.run("logs", running, "build", "--db", publication.path)
    assert log == (0, "compiling\n", "")


def test_a_run_whose_executor_is_gone_is_interrupted_in_the_copy_too(
    store: Store, publication: Publication
) -> None:
    living, lost = store.started_run(), store.started_run(epoch=4711)
    publication.update()
    history = History(publication.path)
    assert history.run(living).status is RunStatus.RUNNING
    assert history.run(lost).status is RunStatus.INTERRUPTED
    assert history.stages(lost)[0].status is StageStatus.INTERRUPTED
    store.owner.release()
    publication.update()
    assert history.run(living).status is RunStatus.INTERRUPTED
    history.close()


def test_a_reader_follows_the_copy_from_one_to_the_next(
    store: Store, publication: Publication
) -> None:
    publication.update()
    history = History(publication.path, hands_off=True)
    version = history.data_version()
    run_id = store.ended_run()
    assert history.data_version() == version
    publication.update()
    assert history.data_version() != version
    assert [run.id for run in history.runs()] == [run_id]
    history.close()


def test_the_record_of_the_copy_is_whole(store: Store, publication: Publication) -> None:
    publication.update()
    store.ended_run()
    publication.update()
    history = History(publication.path)
    verdict = examine_record(history.files)
    assert (verdict.damage, verdict.count > 0) == ((), True)
    history.close()


LOOK = """
import sys
from pathlib import Path
from orchestrate_tui.store.reading import Reader
reader = Reader(Path(sys.argv[1]), lambda _: None, hands_off=True)
print("ready", flush=True)
seen = set()
while not Path(sys.argv[2]).exists():
    runs, events = reader.read(lambda c: c.execute(
        "SELECT (SELECT count(*) FROM runs WHERE status = 'succeeded'),"
        " (SELECT count(*) FROM events WHERE kind = 'run' AND to_status = 'succeeded')"
    ).fetchone())
    assert runs == events, (runs, events)
    seen.add(runs)
print(len(seen))
"""


def test_a_reader_sees_the_old_copy_or_the_new_one_and_nothing_between(
    store: Store, publication: Publication, place: Path
) -> None:
    publication.update()
    reader = OtherUser.named("nobody").start(LOOK, publication.path, place / "stop")
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    for _ in range(40):
        store.ended_run()
        publication.update()
    (place / "stop").touch()
    output, complaints = reader.communicate(timeout=60)
    assert complaints == ""
    assert int(output) > 1


UPDATE_FOR_EVER = """
import sys
from pathlib import Path
from orchestrate_tui.store.publishing import Publication
publication = Publication(Path(sys.argv[1]), Path(sys.argv[2]))
print("ready", flush=True)
while True:
    publication.update()
"""


def test_a_publisher_that_is_killed_leaves_a_whole_copy(
    store: Store, publication: Publication, place: Path, spawn: Spawn
) -> None:
    run_id = store.ended_run()
    publication.update()
    for _ in range(5):
        publisher = spawn(UPDATE_FOR_EVER, store.path, place)
        assert publisher.stdout is not None
        publisher.stdout.readline()
        try:
            publisher.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            publisher.kill()
        publisher.wait()
        history = History(publication.path, hands_off=True)
        assert [run.id for run in history.runs()] == [run_id]
        history.close()
    publication.update()
    assert not list(place.glob("*draft*"))


def test_a_log_that_grew_is_added_to_and_one_that_is_gone_goes(
    store: Store, publication: Publication, place: Path
) -> None:
    files = store.database.files
    log, other = files.log(1, "build", 1), files.log(2, "build", 1)
    append(log, b"one\n")
    append(other, b"other\n")
    publication.update()
    copy = place / "store.db.runs" / "1" / log.name
    inode = copy.stat().st_ino
    append(log, b"two\n")
    append(other, b"more\n")
    publication.update_logs([1])
    assert (copy.read_bytes(), copy.stat().st_ino) == (b"one\ntwo\n", inode)
    copy_of_other = place / "store.db.runs" / "2" / other.name
    assert copy_of_other.read_bytes() == b"other\n"
    log.write_bytes(b"anew\n")
    shutil.rmtree(other.parent)
    publication.update()
    assert copy.read_bytes() == b"anew\n"
    assert not copy_of_other.parent.exists()


def test_what_is_not_a_log_is_not_copied(
    store: Store, publication: Publication, place: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    folder = store.database.files.log(1, "build", 1).parent
    folder.mkdir(parents=True)
    (folder / "link.log").symlink_to(secret)
    os.mkfifo(folder / "pipe.log")
    publication.update()
    assert list((place / "store.db.runs" / "1").iterdir()) == []


def test_the_copy_is_for_those_who_may_read_its_folder(store: Store, place: Path) -> None:
    store.ended_run()
    append(store.database.files.log(1, "build", 1), b"one\n")
    for parent, group, public, folder, file in (
        ("alone", "", False, 0o700, 0o600),
        ("group", grp.getgrgid(os.getgid()).gr_name, False, 0o2750, 0o640),
        ("all", "", True, 0o755, 0o644),
    ):
        publication = Publication(store.path, place / parent, group=group, public=public)
        publication.update()
        found = [path for path in (place / parent).rglob("*") if path.suffix != ".publication"]
        assert {mode(path) for path in found if path.is_file()} == {file}
        assert {mode(path) for path in found if path.is_dir()} == {folder}


def test_a_folder_where_others_could_put_files_is_refused(store: Store, place: Path) -> None:
    place.mkdir()
    place.chmod(0o777)
    with pytest.raises(StoreError, match="others may write to it"):
        Publication(store.path, place)
    place.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(place, 1, 1)
        with pytest.raises(StoreError, match="it belongs to another user"):
            Publication(store.path, place)


def test_nothing_is_published_over_what_is_no_copy(
    store: Store, place: Path, tmp_path: Path
) -> None:
    place.mkdir(mode=0o700)
    with open_database(place / "store.db") as database:
        Store.of(database).ended_run()
        before = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
        with pytest.raises(StoreError, match=f"{place}/store.db is there, and no copy"):
            Publication(store.path, place)
        assert {file: file.read_bytes() for file in before} == before
    logs = tmp_path / "logs" / "store.db.runs" / "mine"
    logs.mkdir(parents=True)
    with pytest.raises(StoreError, match=r"store\.db\.runs is there, and no copy"):
        Publication(store.path, tmp_path / "logs")
    assert logs.exists()


def test_what_came_since_is_no_copy_either(publication: Publication, place: Path) -> None:
    (place / "store.db").write_text("mine")
    with pytest.raises(StoreError, match="is there, and no copy"):
        publication.update()
    assert (place / "store.db").read_text() == "mine"


def test_two_databases_do_not_take_turns_in_one_copy(
    store: Store, publication: Publication, place: Path, tmp_path: Path
) -> None:
    publication.update()
    open_database(tmp_path / "other" / "store.db").close()
    with pytest.raises(StoreError, match=f"it holds a copy of {store.path}, as .*publication"):
        Publication(tmp_path / "other" / "store.db", place)
    with open_database(tmp_path / "other" / "another.db") as another:
        Publication(another.path, place).update()
    publication.update()
    assert not list(place.glob("*draft*"))


def test_nobody_works_in_a_copy(store: Store, publication: Publication, place: Path) -> None:
    store.ended_run()
    publication.update()
    before = sorted(place.iterdir())
    with pytest.raises(StoreError, match="is a copy, and the next one that is published takes its"):
        open_database(publication.path)
    assert sorted(place.iterdir()) == before


def test_a_database_of_any_name_is_published(tmp_path: Path) -> None:
    with open_database(tmp_path / "store.draft") as database:
        run_id = Store.of(database).ended_run()
        publication = Publication(database.path, tmp_path / "copy")
        publication.update()
        publication.update()
    history = History(publication.path)
    assert [run.id for run in history.runs()] == [run_id]
    history.close()


def test_what_can_be_no_copy_is_refused(store: Store, place: Path) -> None:
    with pytest.raises(StoreError, match="it is the folder of the database itself"):
        Publication(store.path, store.path.parent)
    with pytest.raises(StoreError, match="its logs lie there"):
        Publication(store.path, store.database.files.runs / "published")
    place.write_text("notes")
    with pytest.raises(StoreError, match="it is not a folder"):
        Publication(store.path, place)
    with pytest.raises(StoreError, match="there is no group 'wheels'"):
        Publication(store.path, place.with_name("other"), group="wheels")


def test_a_copy_in_a_folder_whose_name_is_no_text_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be published to"):
        Publication(store.path, tmp_path / "\udcff").update()


def test_a_copy_for_which_there_is_no_room_is_told_so(store: Store, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        publication = Publication(store.path, disk / "copy")
        fill(disk)
        with pytest.raises(StoreError, match=f"no room for a copy of {store.path} in {disk}/copy"):
            publication.update()


def test_a_copy_that_cannot_be_made_is_a_store_error(
    store: Store, publication: Publication, place: Path
) -> None:
    store.ended_run()
    shutil.rmtree(place)
    with pytest.raises(StoreError, match="cannot be published to"):
        publication.update()


def test_a_damaged_record_leaves_the_copy_before_as_it_is(
    store: Store, publication: Publication, place: Path
) -> None:
    store.ended_run()
    log = store.database.files.log(1, "build", 1)
    append(log, b"one\n")
    publication.update()
    before = {file: file.read_bytes() for file in place.rglob("*") if file.is_file()}
    store.ended_run()
    append(log, b"two\n")
    tamper(store.path, "UPDATE events SET actor = 'x' WHERE id = 7")
    with pytest.raises(StoreError, match="is damaged: event 7 was changed"):
        publication.update()
    tamper(store.path, "DELETE FROM events WHERE id > 6")
    with pytest.raises(StoreError, match="is damaged: events 7 to 10 are lost"):
        publication.update()
    assert {file: file.read_bytes() for file in place.rglob("*") if file.is_file()} == before


def test_all_of_a_record_is_verified_that_this_process_has_not_opened(
    store: Store, place: Path
) -> None:
    store.ended_run()
    Publication(store.path, place).update()
    store.owner.release()
    store.database.close()
    tamper(store.path, "UPDATE verified_events SET event_id = 5, hash = (SELECT hash FROM events"
           " WHERE id = 5)", "UPDATE events SET actor = 'x' WHERE id = 2")  # fmt: skip
    Publication(store.path, place).update()
    with pytest.raises(StoreError, match="is damaged: event 2 was changed"):
        Publication(store.path, place, is_alone=True).update()
