"""Snapshots in runs: taken before a stage starts, put back when it is undone."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from subprocess import PIPE

import anyio
import pytest

from orchestrate_tui.console.changes import change_lines
from orchestrate_tui.domain.pipeline import Agent, AgentKind, Retry, Snapshot, Undo
from orchestrate_tui.domain.run import TriggerContext
from orchestrate_tui.domain.status import RollbackStatus, RunStatus, StageStatus
from orchestrate_tui.errors import RollbackRefused
from orchestrate_tui.store.rehearsals import read_report
from orchestrate_tui.store.snapshots import KeptSnapshot, snapshots_of
from tests.executor.scenery import HOLD, NOTHING, ROLLBACK, SCRIPT, Scene, after, stage

pytestmark = pytest.mark.anyio

CONF = Snapshot(paths=("conf",))
SPOIL = "echo new >conf/app; rm conf/gone; echo x >conf/extra"


@pytest.fixture
def conf(scene: Scene) -> Path:
    folder = scene.folder / "conf"
    folder.mkdir()
    (folder / "app").write_text("old\n")
    (folder / "gone").write_text("back again\n")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def everything(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]


def kept(scene: Scene, run_id: int = 1) -> tuple[KeptSnapshot, ...]:
    return scene.executor.database.read(lambda connection: snapshots_of(connection, run_id))


async def test_a_rollback_puts_back_what_was_there(scene: Scene, conf: Path) -> None:
    run = await scene.run(stage("deploy", SPOIL, snapshot=CONF))
    assert (conf / "app").read_text() == "new\n"
    event = await scene.executor.trigger_rollback(run.id, "deploy", reason="bad")
    assert event.status is RollbackStatus.SUCCEEDED, event.error_message
    assert names(conf) == ["app", "gone"]
    assert (conf / "app").read_text() == "old\n"
    assert (conf / "gone").read_text() == "back again\n"


async def test_the_plan_names_what_is_put_back(scene: Scene, conf: Path) -> None:
    run = await scene.run(stage("deploy", SPOIL, snapshot=CONF))
    (step,) = (await scene.executor.plan_rollback(run.id, "deploy")).steps
    assert (step.restores, step.agent, step.task) == (("conf",), "", "")
    assert (conf / "app").read_text()


async def test_a_plan_tells_what_putting_back_would_change(scene: Scene, conf: Path) -> None:
    run = await scene.run(stage("deploy", SPOIL, snapshot=CONF))
    (step,) = (await scene.executor.plan_rollback(run.id, "deploy")).steps
    assert {one.path: (one.fate, one.now, one.then) for one in step.changes} == {
        "conf/app": ("changed", 4, 4),
        "conf/extra": ("removed", 2, None),
        "conf/gone": ("added", None, 11),
    }
    assert (conf / "app").read_text() == "new\n"


async def test_a_plan_warns_of_what_cannot_be_put_back(scene: Scene, conf: Path) -> None:
    run = await scene.run(stage("deploy", SPOIL, snapshot=CONF))
    for pack in scene.executor.database.files.snapshots.glob("packs/*.pack"):
        pack.unlink()
    plan = await scene.executor.plan_rollback(run.id, "deploy")
    (step,), (warning,) = plan.steps, plan.warnings
    (why,) = step.obstacles
    assert why.startswith("the snapshot is damaged: what was kept of 'conf/app' is gone")
    assert warning == f"stage 'deploy' cannot be undone as things stand: {why}"
    assert "nothing of it has changed" not in list(change_lines(step))
    assert len(step.changes) == 3
    assert (conf / "app").read_text() == "new\n"


async def test_a_plan_and_a_rehearsal_tell_who_has_a_database_open(scene: Scene) -> None:
    with closing(sqlite3.connect(scene.folder / "app.db")) as database:
        database.execute("CREATE TABLE t (a)")
    run = await scene.run(stage("deploy", snapshot=Snapshot(paths=("app.db",))))
    script = "import sys; f = open('app.db'); print('open', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script]
    async with await anyio.open_process(command, cwd=scene.folder, stdin=PIPE) as holder:
        assert holder.stdout is not None
        assert await holder.stdout.receive()
        (step,) = (await scene.executor.plan_rollback(run.id, "deploy")).steps
        (why,) = step.obstacles
        assert why.endswith(f"(process {holder.pid}): end it, then try again")
        rehearsal_id = await scene.executor.rehearse(run.id)
        report = scene.history.query(partial(read_report, rehearsal_id=rehearsal_id))
        assert report.all_problems == (f"deploy: {why}",)
        holder.kill()
    (step,) = (await scene.executor.plan_rollback(run.id, "deploy")).steps
    assert step.obstacles == ()


async def test_the_undo_runs_after_the_files_are_back(scene: Scene, conf: Path) -> None:
    undo = Undo(task="cat conf/app >undone")
    run = await scene.run(stage("deploy", SPOIL, snapshot=CONF, rollback=undo))
    await scene.executor.trigger_rollback(run.id, "deploy", reason="bad")
    assert (scene.folder / "undone").read_text() == "old\n"
    assert (conf / "app").read_text()


async def test_an_automatic_rollback_restores_too(scene: Scene, conf: Path) -> None:
    run = await scene.run(
        stage("deploy", SPOIL, snapshot=CONF),
        after("smoke", "deploy", task="exit 1", on_failure=ROLLBACK, rollback_to="deploy"),
    )
    assert run.status is RunStatus.FAILED
    assert (conf / "app").read_text() == "old\n"
    assert scene.statuses(run.id)["deploy"] == "rolled_back"


async def test_stages_that_kept_the_same_are_put_back_in_reverse(scene: Scene, conf: Path) -> None:
    run = await scene.run(
        stage("one", "echo one >conf/app", snapshot=CONF),
        after("two", "one", task="echo two >conf/app", snapshot=CONF),
    )
    await scene.executor.trigger_rollback(run.id, "two", "one", reason="bad")
    assert (conf / "app").read_text() == "old\n"


async def test_a_retry_keeps_what_was_there_before_the_first_attempt(
    scene: Scene, conf: Path
) -> None:
    task = "echo $ORCHESTRATE_ATTEMPT >conf/app; [ $ORCHESTRATE_ATTEMPT = 2 ]"
    run = await scene.run(stage("deploy", task, snapshot=CONF, retry=Retry(attempts=2)))
    assert run.status is RunStatus.SUCCEEDED
    assert len(kept(scene)) == 1
    await scene.executor.trigger_rollback(run.id, "deploy", reason="bad")
    assert (conf / "app").read_text() == "old\n"


async def test_what_cannot_be_kept_is_refused_before_the_stage_starts(
    scene: Scene, conf: Path
) -> None:
    os.mkfifo(conf / "pipe")
    await scene.run(stage("deploy", "echo ran >ran", snapshot=CONF))
    deploy = scene.stage(1, "deploy")
    assert (deploy.status, deploy.reason) == (
        StageStatus.FAILED,
        "snapshot: 'conf/pipe' is a FIFO",
    )
    assert not (scene.folder / "ran").exists()
    assert kept(scene) == ()


@pytest.mark.parametrize(
    ("one", "other"), [("b", "a/current/x"), ("b/*", "a/current/new"), ("a/current/x", "b/**")]
)
async def test_a_link_that_came_about_since_leads_no_two_stages_to_the_same(
    scene: Scene, one: str, other: str
) -> None:
    for name in ("a", "b"):
        (scene.folder / name).mkdir()
    run = await scene.run(
        stage("link", "ln -s ../b a/current"),
        after("one", "link", task="touch one-ran", snapshot=Snapshot(paths=(one,))),
        after("other", "link", task="touch other-ran", snapshot=Snapshot(paths=(other,))),
    )
    assert run.status is RunStatus.FAILED
    assert sorted(scene.statuses(run.id).values()) == ["failed", "succeeded", "succeeded"]
    reason = scene.reasons(run.id)
    (failed,) = (name for name in ("one", "other") if "snapshot" in reason.get(name, ""))
    assert "which may run at the same time" in reason[failed]
    assert not (scene.folder / f"{failed}-ran").exists()


async def test_values_are_given_to_the_undo(scene: Scene) -> None:
    (scene.folder / "current").symlink_to("v1")
    shell = Agent(
        name="shell", kind=AgentKind.SHELL, shell='echo "$ORCHESTRATE_SNAPSHOT_PREVIOUS" >>undone'
    )
    values = Snapshot(values=(("previous", "readlink current; echo oops >&2"),))
    back = "echo '${snapshot.previous}' >>undone"
    run = await scene.run(
        stage("one", "ln -sfn v2 current", snapshot=values, rollback=Undo(task=back)),
        after("two", "one", snapshot=values, rollback=Undo(task="-", agent="shell")),
        agents=(SCRIPT, shell),
    )
    plan = await scene.executor.plan_rollback(run.id, "two", "one")
    assert plan.steps[1].task == "echo 'v1' >>undone"
    await scene.executor.trigger_rollback(run.id, "two", "one", reason="bad")
    assert (scene.folder / "undone").read_text() == "v2\nv1\n"
    log = scene.executor.database.files.log(run.id, "one", 1)
    assert "oops" in log.read_text()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "exit code 3"),
        ("printf 'a\\0b'", "it prints a NUL character"),
        ("printf '\\377'", "what it prints is no UTF-8 text"),
        ("head -c 70000 /dev/zero", "it prints more than 64 KiB"),
        ('rm "$0"', "its answer cannot be kept: No such file or directory"),
        ('rm "$0"; mkdir "$0"', "its answer cannot be kept: not a regular file"),
        ('rm "$0"; mkfifo "$0"', "its answer cannot be kept: not a regular file"),
    ],
)
async def test_a_value_that_is_not_known_is_refused_before_the_stage_starts(
    scene: Scene, script: str, reason: str
) -> None:
    snapshot = Snapshot(values=(("previous", script),))
    await scene.run(stage("deploy", "echo ran >ran", snapshot=snapshot))
    assert scene.stage(1, "deploy").reason.startswith("snapshot: the value 'previous' is not known")
    assert reason in scene.stage(1, "deploy").reason
    assert not (scene.folder / "ran").exists()


async def test_a_value_whose_answer_finds_no_place_is_refused_before_the_stage_starts(
    scene: Scene,
) -> None:
    snapshot = Snapshot(values=(("previous", "echo v1"),))
    run_id = await scene.create(stage("deploy", "echo ran >ran", snapshot=snapshot))
    answer = scene.executor.database.files.log(run_id, "deploy", 1).with_suffix(".answer")
    answer.parent.mkdir()
    answer.symlink_to("elsewhere")
    await scene.executor.execute_run(run_id)
    assert "its answer cannot be kept" in scene.stage(run_id, "deploy").reason
    assert not (scene.folder / "ran").exists()


async def test_a_simulated_run_takes_no_snapshot(scene: Scene, conf: Path) -> None:
    run = await scene.run(stage("deploy", SPOIL, snapshot=CONF), simulated=True)
    assert run.status is RunStatus.SUCCEEDED
    assert kept(scene) == ()
    await scene.executor.trigger_rollback(run.id, "deploy", reason="try")
    assert (conf / "app").read_text() == "old\n"


async def test_a_stage_that_only_pretends_keeps_what_is_there(scene: Scene, conf: Path) -> None:
    await scene.run(stage("deploy", agent=NOTHING.name, snapshot=CONF))
    (one,) = kept(scene)
    assert one.paths == (os.fsencode(conf),)


async def test_variables_in_paths_are_text_and_no_pattern(scene: Scene) -> None:
    (scene.folder / "x*").mkdir()
    (scene.folder / "xy").mkdir()
    trigger = TriggerContext(variables=(("name", "x*"),))
    snapshot = Snapshot(paths=("${name}",))
    await scene.run(stage("deploy", snapshot=snapshot), trigger=trigger)
    assert kept(scene)[0].paths == (os.fsencode(scene.folder / "x*"),)


async def test_a_restore_that_fails_fails_the_step_and_changes_nothing(
    scene: Scene, conf: Path
) -> None:
    run = await scene.run(stage("deploy", SPOIL, snapshot=CONF))
    for pack in scene.executor.database.files.snapshots.glob("packs/*.pack"):
        pack.unlink()
    event = await scene.executor.trigger_rollback(run.id, "deploy", reason="bad")
    assert event.status is RollbackStatus.FAILED
    said = "step 'deploy' failed: the snapshot is damaged: what was kept of 'conf/"
    assert said in (event.error_message or "")
    assert names(conf) == ["app", "extra"]


@pytest.mark.usefixtures("conf")
async def test_what_is_kept_is_for_its_owner_alone(scene: Scene) -> None:
    await scene.run(stage("deploy", SPOIL, snapshot=CONF))
    folder = scene.executor.database.files.snapshots
    found = everything(folder)
    assert any(path.is_file() for path in found)
    assert [path for path in found if path.stat().st_mode & 0o077] == []


async def test_what_a_later_run_changed_is_lost_only_by_force(scene: Scene, conf: Path) -> None:
    first = await scene.run(stage("deploy", SPOIL, snapshot=CONF))
    second = await scene.run(stage("deploy", "echo newer >conf/app", snapshot=CONF))
    plan = await scene.executor.plan_rollback(first.id, "deploy")
    lost = (
        f"what stage 'deploy' would put back was changed since by stage 'deploy' of run {second.id}"
    )
    assert plan.overwrites == (lost,)
    with pytest.raises(RollbackRefused, match="would put back was changed since") as refused:
        await scene.executor.trigger_rollback(first.id, "deploy", reason="bad")
    assert "--force" in refused.value.next_step
    assert (conf / "app").read_text() == "newer\n"
    await scene.executor.trigger_rollback(first.id, "deploy", reason="bad", force=True)
    assert (conf / "app").read_text() == "old\n"


async def test_what_a_later_run_changed_and_undid_is_in_nobodys_way(
    scene: Scene, conf: Path
) -> None:
    first = await scene.run(stage("deploy", SPOIL, snapshot=CONF))
    second = await scene.run(stage("deploy", "echo newer >conf/app", snapshot=CONF))
    await scene.executor.trigger_rollback(second.id, "deploy", reason="bad")
    await scene.executor.trigger_rollback(first.id, "deploy", reason="bad")
    assert (conf / "app").read_text() == "old\n"


async def test_what_another_run_changed_stops_an_automatic_rollback(
    scene: Scene, conf: Path
) -> None:
    stages = (
        stage("deploy", SPOIL, snapshot=CONF),
        after("smoke", "deploy", task=HOLD + "; exit 1", on_failure=ROLLBACK, rollback_to="deploy"),
    )
    async with scene.running(*stages) as run_id:
        assert await scene.ready.line() == "smoke"
        await scene.run(stage("deploy", "echo newer >conf/app", snapshot=CONF))
        scene.gate.open()
    event = scene.rollback(run_id)
    assert event.status is RollbackStatus.FAILED
    assert "was changed since by stage 'deploy' of run 2" in (event.error_message or "")
    assert (conf / "app").read_text() == "newer\n"


async def test_a_store_that_cannot_be_made_fails_the_stage_before_it_starts(
    scene: Scene, conf: Path
) -> None:
    scene.executor.database.files.snapshots.write_text("in the way")
    await scene.run(stage("deploy", SPOIL, snapshot=CONF))
    assert scene.stage(1, "deploy").reason.startswith("snapshot: [Errno 17] File exists")
    assert (conf / "app").read_text() == "old\n"
