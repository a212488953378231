"""A user who may only read sees everything in every state of the files, and changes nothing."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrate_tui.agents.log import append, append_note
from orchestrate_tui.errors import StoreError
from orchestrate_tui.store import Database, open_database
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.history import History
from orchestrate_tui.store.owners import Ownership, is_alive
from orchestrate_tui.store.sharing import what_hides
from orchestrate_tui.store.standing import Standing
from tests.other_user import OtherUser
from tests.store.conftest import Spawn
from tests.store.scenery import NOON, OWN, Store

READER = "nobody"
GROUP = "nogroup"


@pytest.fixture
def reader() -> OtherUser:
    return OtherUser.named(READER)


@pytest.fixture
def path() -> Iterator[Path]:
    """Where a database may be made, in a folder that others can reach."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder / "state" / "store.db"
    shutil.rmtree(folder)


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with open_database(path, share_group=_group()) as opened:
        yield opened


def _group() -> str:
    return grp.getgrgid(pwd.getpwnam(READER).pw_gid).gr_name


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def traces(path: Path) -> dict[str, tuple[int, ...]]:
    """Every file of a database with what a change of it would change."""
    found: dict[str, tuple[int, ...]] = {}
    for file in (path.parent, *path.parent.rglob("*")):
        about = file.stat()
        content = (about.st_ino, about.st_size, about.st_mtime_ns)
        found[str(file)] = (*content, about.st_mode, about.st_uid, about.st_gid)
    return found


DIE = """
import os, sys
from orchestrate_tui.store import open_database
from tests.store.scenery import Store
database = open_database(sys.argv[1], share_group=sys.argv[2])
store = Store.of(database)
run_id = store.ended_run()
if sys.argv[3] == "checkpoint":
    from orchestrate_tui.store.connection import connect_writer
    connect_writer(database.path).execute("PRAGMA wal_checkpoint(TRUNCATE)")
os._exit(0)
"""

Leave = Callable[[Path, Spawn], None]


def close_it(path: Path, spawn: Spawn) -> None:
    del spawn
    with open_database(path, share_group=_group()) as database:
        Store.of(database).ended_run()


def kill_it(path: Path, spawn: Spawn) -> None:
    spawn(DIE, path, _group(), "").communicate(timeout=60)
    assert Path(f"{path}-wal").stat().st_size


def kill_it_after_a_checkpoint(path: Path, spawn: Spawn) -> None:
    spawn(DIE, path, _group(), "checkpoint").communicate(timeout=60)
    assert not Path(f"{path}-wal").stat().st_size


def kill_it_while_it_closes(path: Path, spawn: Spawn) -> None:
    kill_it(path, spawn)
    Path(f"{path}-shm").unlink()


def kill_it_while_it_opens(path: Path, spawn: Spawn) -> None:
    close_it(path, spawn)
    wal = Path(f"{path}-wal")
    wal.touch(mode=0o640)
    os.chown(wal, -1, grp.getgrnam(_group()).gr_gid)


def start_again_and_kill_it(path: Path, spawn: Spawn) -> None:
    open_database(path, share_group=_group()).close()
    kill_it(path, spawn)


@pytest.mark.parametrize(
    "leave",
    [
        close_it,
        kill_it,
        kill_it_after_a_checkpoint,
        kill_it_while_it_closes,
        kill_it_while_it_opens,
        start_again_and_kill_it,
    ],
    ids=lambda leave: leave.__name__,
)
@pytest.mark.parametrize("who", [READER, "root"])
def test_what_a_writer_left_is_read_and_left_as_it_is(
    path: Path, spawn: Spawn, leave: Leave, who: str
) -> None:
    leave(path, spawn)
    before = traces(path)
    code, output, complaints = OtherUser.named(who).run("runs", "--db", path, "--json")
    assert (code, complaints) == (0, "")
    assert [run["status"] for run in json.loads(output)] == ["succeeded"]
    assert traces(path) == before


def test_what_a_living_writer_commits_is_read(store: Store, reader: OtherUser, path: Path) -> None:
    store.ended_run()
    running = store.started_run()
    append(store.database.files.log(running, "build", 1), b"compiling\n")
    before = traces(path)
    code, output, complaints = reader.run("runs", "--db", path, "--json")
    assert (code, complaints) == (0, "")
    assert [run["status"] for run in json.loads(output)] == ["running", "succeeded"]
    assert reader.run("logs", running, "build", "--db", path) == (0, "compiling\n", "")
    for command in (("show", running), ("rollbacks",)):
        assert reader.run(*command, "--db", path)[0] == 0
    assert traces(path) == before


FOLLOW = """
import sys
from pathlib import Path
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.history import History
history = History(Path(sys.argv[1]))
version = history.data_version()
print("ready", flush=True)
for line in sys.stdin:
    latest = history.data_version()
    print([run.id for run in history.runs()], latest != version, flush=True)
    version = latest
"""


def test_a_reader_follows_through_every_end_and_new_start_of_the_writer(
    path: Path, reader: OtherUser, spawn: Spawn
) -> None:
    close_it(path, spawn)
    follower = reader.start(FOLLOW, path)
    assert follower.stdin is not None
    assert follower.stdout is not None
    assert follower.stdout.readline() == "ready\n"

    def seen() -> str:
        assert follower.stdin is not None
        assert follower.stdout is not None
        follower.stdin.write("\n")
        follower.stdin.flush()
        return follower.stdout.readline().strip()

    assert seen() == "[1] False"
    with open_database(path, share_group=_group()) as database:
        assert seen() == "[1] True"
        Store.of(database).ended_run()
        assert seen() == "[2, 1] True"
        assert seen() == "[2, 1] False"
    assert seen().startswith("[2, 1]")
    kill_it(path, spawn)
    assert seen() == "[3, 2, 1] True"
    close_it(path, spawn)
    assert seen() == "[4, 3, 2, 1] True"
    follower.communicate(timeout=60)
    assert follower.returncode == 0


def test_who_may_not_read_is_told_in_one_sentence(path: Path, reader: OtherUser) -> None:
    open_database(path).close()
    for command in (["runs"], ["show", 1], ["logs", 1, "build"], ["doctor"], ["rollbacks"]):
        code, output, complaints = reader.run(*command, "--db", path)
        assert (code, len(complaints.splitlines())) in {(2, 1), (1, 0)}
        assert f"You ({READER}) may not read the database {path}" in output + complaints
        assert f"{path} is for you to read" not in output


@pytest.mark.usefixtures("store")
def test_who_may_not_read_what_lies_beside_the_database_is_told_so(
    reader: OtherUser, path: Path
) -> None:
    Path(f"{path}-wal").chmod(0o600)
    code, _, complaints = reader.run("runs", "--db", path)
    assert code == 2
    assert f"You ({READER}) may not read the database" in complaints


def test_what_is_shared_is_for_the_group_to_read_and_for_nobody_to_write(
    store: Store, path: Path
) -> None:
    run_id = store.started_run()
    log = store.database.files.log(run_id, "build", 1)
    append_note(log, "hello")
    group_id = grp.getgrnam(_group()).gr_gid
    files = store.database.files
    readable = [path, Path(f"{path}-wal"), Path(f"{path}-shm"), log, files.owner_sign(store.epoch)]
    assert {mode(file) for file in readable} == {0o640}
    folders = [path.parent, files.runs, files.owners, log.parent]
    assert {mode(folder) for folder in folders} == {0o2750}
    assert {file.stat().st_gid for file in (*readable, *folders)} == {group_id}
    private = (files.write_lock, files.owner_lock(store.epoch), files.starting_lock(store.epoch))
    assert {mode(file) for file in private} == {0o600}


def test_what_was_made_before_it_was_shared_is_shared_too(path: Path) -> None:
    with open_database(path) as database:
        log = database.files.log(1, "build", 1)
        append(log, b"old\n")
        owner = Ownership(database, "alice", NOON)
        sign = database.files.owner_sign(owner.epoch)
        assert {mode(file) for file in (path, log, sign)} == {0o600}
    open_database(path, share_group=_group()).close()
    assert {mode(file) for file in (path, log, sign)} == {0o640}
    assert mode(database.files.owner_lock(owner.epoch)) == 0o600
    assert {mode(log.parent), mode(log.parent.parent), mode(sign.parent)} == {0o2750}
    owner.release()


GRASP = """
import fcntl, sys
from pathlib import Path
from orchestrate_tui.store.database import StoreFiles
from orchestrate_tui.store.owners import is_alive
files, epoch = StoreFiles(Path(sys.argv[1])), int(sys.argv[2])
for file in (files.owner_lock(epoch), files.starting_lock(epoch), files.write_lock):
    try:
        file.open()
        print("may hold", file)
    except PermissionError:
        pass
print(is_alive(files, epoch), flush=True)
sys.stdin.readline()
print(is_alive(files, epoch), flush=True)
sign = files.owner_sign(epoch).open()
fcntl.flock(sign, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_who_may_only_read_sees_who_lives_and_keeps_nobody_from_anything(
    path: Path, reader: OtherUser, spawn: Spawn
) -> None:
    open_database(path, share_group=_group()).close()
    owner = spawn(OWN, path)
    epoch = int(owner.stdout.readline()) if owner.stdout else 0
    member = reader.start(GRASP, path, epoch)
    assert member.stdin is not None
    assert member.stdout is not None
    assert member.stdout.readline() == "True\n"
    owner.kill()
    owner.wait(60)
    member.stdin.write("\n")
    member.stdin.flush()
    assert [member.stdout.readline() for _ in range(2)] == ["False\n", "held\n"]
    assert not is_alive(StoreFiles(path), epoch)
    with open_database(path, share_group=_group()) as database:
        Ownership(database, "alice", NOON).release()
    member.communicate(timeout=60)


def test_a_folder_that_holds_other_things_is_not_shared(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    (path.parent / "diary.txt").touch(mode=0o600)
    open_database(path, share_group=_group()).close()
    assert (mode(path.parent), mode(path.parent / "diary.txt")) == (0o700, 0o600)


def test_what_keeps_a_group_from_reading_is_named(path: Path) -> None:
    files = StoreFiles(path)
    open_database(path).close()
    assert what_hides(files, _group()) == f"they may not enter {path.parent}"
    path.parent.chmod(0o755)
    assert what_hides(files, _group()).startswith(f"{path} is not shared yet")
    open_database(path, share_group=_group()).close()
    assert what_hides(files, _group()) == ""
    path.parent.parent.chmod(0o700)
    assert what_hides(files, _group()) == f"they may not enter {path.parent.parent}"
    assert what_hides(files, "wheels") == "there is no such group"


def test_a_group_that_is_not_there_is_refused(path: Path) -> None:
    with pytest.raises(StoreError, match=r"the group 'wheels': there is no such group"):
        open_database(path, share_group="wheels")


def test_a_group_that_one_is_no_member_of_is_refused(path: Path, reader: OtherUser) -> None:
    path.parent.parent.chmod(0o777)
    script = "from orchestrate_tui.store import open_database; import sys; "
    script += "open_database(sys.argv[1], share_group='root')"
    _, complaints = reader.start(script, path).communicate(timeout=60)
    assert "only its members can share with it" in complaints


def test_a_history_opened_before_the_database_is_written_goes_on(path: Path) -> None:
    open_database(path).close()
    history = History(path)
    with open_database(path) as database:
        store = Store.of(database)
        run_id = store.ended_run()
        assert [run.id for run in history.runs()] == [run_id]
        history.close()
        store.owner.release()


def test_what_is_read_together_looks_at_the_files_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, of = list[Path](), Standing.of

    def look(path: Path) -> Standing:
        looks.append(path)
        return of(path)

    with open_database(path) as database:
        run_id = Store.of(database).ended_run()
        history = History(path)
        monkeypatch.setattr(Standing, "of", look)
        found = history.together(
            lambda: (history.together(lambda: history.run(run_id)), history.stages(run_id))
        )
        assert len(looks) == 1
        assert found == (history.run(run_id), history.stages(run_id))
        history.close()


def test_what_is_read_together_is_read_again_when_it_changed_meanwhile(path: Path) -> None:
    with open_database(path) as database:
        Store.of(database).ended_run()
    history, counted = History(path), list[int]()

    def read() -> tuple[int, int]:
        before = len(history.runs())
        if not counted:
            with open_database(path) as database:  # a reader of files at rest notices nothing
                Store.of(database).ended_run()
        counted.append(before)
        return before, len(history.runs())

    assert history.together(read) == (2, 2)
    assert counted == [1, 2]
    history.close()
